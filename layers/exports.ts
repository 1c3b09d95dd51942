/**
 * What the package exports: all layers and their factories, and the functions without layers. Importing it registers the
 * layers with TensorFlow.js, so that saved models find them. The kernels are the matter of the two entries, index.ts and
 * browser.ts.
 *
 * @module
 */

export type { EpsilonPlacement, KernelName, KernelSet, OptionalKernelName } from '../kernels/core/contract.ts';
export { registerKernels } from '../kernels/core/registry.ts';
export { type AttentionOptions, type QkNormOptions, qkAttention, qkNorm } from '../kernels/functions/attention.ts';
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
} from '../kernels/functions/normalization.ts';
export {
  type SpectralNormOptions,
  type SpectralNormResult,
  spectralNorm,
  type WeightNormOptions,
  weightNorm,
} from '../kernels/functions/weights.ts';
export type { Source } from '../kernels/ops/switchable.ts';
export type { Constraint, Identifier, Initializer, Regularizer } from './base/identifiers.ts';
export type { WrappedLayer } from './base/inner-layer.ts';
export type { LayerArgs, Shape } from './base/options.ts';
export { restoreBuiltIns } from './base/register.ts';
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
export {
  InstanceNormalization,
  type InstanceNormalizationArgs,
  instanceNormalization,
} from './instance-normalization.ts';
export { LayerNormalization, type LayerNormalizationArgs, layerNormalization } from './layer-normalization.ts';
export {
  MeanOnlyBatchNormalization,
  type MeanOnlyBatchNormalizationArgs,
  meanOnlyBatchNormalization,
} from './mean-only-batch-normalization.ts';
export { loadModel } from './models/load-model.ts';
export { removeSpectralNormalization, removeWeightNormalization } from './models/remove-wrappers.ts';
export {
  AddonsSpectralNormalization,
  type AddonsSpectralNormalizationArgs,
  AddonsWeightNormalization,
  type AddonsWeightNormalizationArgs,
} from './models/tensorflow-addons.ts';
export {
  QKNormAttention,
  type QKNormAttentionArgs,
  QKNormalization,
  type QKNormalizationArgs,
  qkNormAttention,
  qkNormalization,
} from './query-key-normalization.ts';
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
export { UnitNormalization, type UnitNormalizationArgs, unitNormalization } from './unit-normalization.ts';
export { WeightNormalization, type WeightNormalizationArgs, weightNormalization } from './weight-normalization.ts';
