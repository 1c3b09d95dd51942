/**
 * Surgery on whole models: each function takes a model, leaves it as it was, and gives a new one with a report of what was done and
 * what was not. An entry of its own: who does not use it does not load it.
 *
 * @module tfjs-normalizations/surgery
 */

export { type AcceleratedModel, accelerate, registerGraphNormalizations } from './accelerate.ts';
export type { Batch, Batches, DataSource, Dataset, DatasetIterator } from './dataset.ts';
export { describeNormalizations, type NormalizationRow } from './describe.ts';
export { foldBatchNormalization } from './fold.ts';
export { mergeStatistics } from './merge.ts';
export { adapt, type RecalibrateOptions, type RecalibrationProgress, recalibrate } from './recalibrate.ts';
export { type NormalizationConfig, type ReplaceNormalizationOptions, replaceNormalization } from './replace.ts';
export type { Surgery, SurgeryNote } from './report.ts';
