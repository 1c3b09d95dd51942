/**
 * What the package exports: all layers and their factories, and the functions without layers. Importing it registers the
 * layers with TensorFlow.js, so that saved models find them. The kernels are the matter of the two entries, index.ts and
 * browser.ts.
 *
 * @module
 */
export { type AttentionOptions, type QkNormOptions, qkAttention, qkNorm } from '../kernels/attention.ts';
export type { EpsilonPlacement, KernelName, KernelSet, OptionalKernelName } from '../kernels/contract.ts';
export {
  type AffineOptions,
  type BatchNormOptions,
  type BatchNormResult,
  batchNorm,
  type GroupNormOptions,
  groupNorm,
  type InstanceNormOptions,
  instanceNorm,
  type LayerNormOptions,
  layerNorm,
  type RmsNormOptions,
  rmsNorm,
} from '../kernels/functions.ts';
export { registerKernels } from '../kernels/registry.ts';
export type { Source } from '../kernels/switchable.ts';
export {
  type SpectralNormOptions,
  type SpectralNormResult,
  spectralNorm,
  type WeightNormOptions,
  weightNorm,
} from '../kernels/weights.ts';
export {
  BatchInstanceNormalization,
  type BatchInstanceNormalizationArgs,
  batchInstanceNormalization,
} from './batch-instance-normalization.ts';
export {
  BatchNormalization,
  type BatchNormalizationArgs,
  batchNormalization,
  type KerasClipping,
} from './batch-normalization.ts';
export {
  BatchRenormalization,
  type BatchRenormalizationArgs,
  batchRenormalization,
  type RampSteps,
  type RenormClipping,
} from './batch-renormalization.ts';
export {
  FeatureNormalization,
  type FeatureNormalizationArgs,
  featureNormalization,
  type Statistic,
} from './feature-normalization.ts';
export { GroupNormalization, type GroupNormalizationArgs, groupNormalization } from './group-normalization.ts';
export type { Constraint, Identifier, Initializer, Regularizer } from './identifiers.ts';
export {
  InstanceNormalization,
  type InstanceNormalizationArgs,
  instanceNormalization,
} from './instance-normalization.ts';
export { LayerNormalization, type LayerNormalizationArgs, layerNormalization } from './layer-normalization.ts';
export { loadModel } from './load-model.ts';
export {
  MeanOnlyBatchNormalization,
  type MeanOnlyBatchNormalizationArgs,
  meanOnlyBatchNormalization,
} from './mean-only-batch-normalization.ts';
export type { LayerArgs, Shape } from './options.ts';
export {
  QKNormAttention,
  type QKNormAttentionArgs,
  QKNormalization,
  type QKNormalizationArgs,
  qkNormAttention,
  qkNormalization,
} from './query-key-normalization.ts';
export { restoreBuiltIns } from './register.ts';
export { removeSpectralNormalization, removeWeightNormalization } from './remove.ts';
export { RMSNormalization, type RMSNormalizationArgs, rmsNormalization } from './rms-normalization.ts';
export {
  SpectralNormalization,
  type SpectralNormalizationArgs,
  spectralNormalization,
} from './spectral-normalization.ts';
export {
  type SourceWeights,
  SwitchableNormalization,
  type SwitchableNormalizationArgs,
  switchableNormalization,
} from './switchable-normalization.ts';
export {
  AddonsSpectralNormalization,
  type AddonsSpectralNormalizationArgs,
  AddonsWeightNormalization,
  type AddonsWeightNormalizationArgs,
} from './tensorflow-addons.ts';
export { UnitNormalization, type UnitNormalizationArgs, unitNormalization } from './unit-normalization.ts';
export { WeightNormalization, type WeightNormalizationArgs, weightNormalization } from './weight-normalization.ts';
export type { WrappedLayer } from './wrapped.ts';
