/**
 * Surgery on whole models: each function takes a model, leaves it as it was, and gives a new one with a report of what was done and
 * what was not. An entry of its own: who does not use it does not load it.
 *
 * @module tfjs-normalizations/surgery
 */
export { foldBatchNormalization } from './fold.ts';
export type { Surgery, SurgeryNote } from './report.ts';
export { accelerate, registerGraphNormalizations } from './accelerate.ts';
