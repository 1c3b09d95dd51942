/**
 * The package entry: all layers and their factories, the functions without layers, and the kernels of every backend.
 * Importing it registers the layers with TensorFlow.js, so that saved models find them, and the kernels.
 */
import '../kernels/index.ts';

export { type AttentionOptions, type QkNormOptions, qkAttention, qkNorm } from '../kernels/attention.ts';
export type { EpsilonPlacement } from '../kernels/contract.ts';
export {
  type AffineOptions,
  type BatchNormOptions,
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
export { registerKernels } from '../kernels/index.ts';
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
} from './feature-normalization.ts';
export { GroupNormalization, type GroupNormalizationArgs, groupNormalization } from './group-normalization.ts';
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
  AddonsWeightNormalization,
  type AddonsWeightNormalizationArgs,
} from './tensorflow-addons.ts';
export { UnitNormalization, type UnitNormalizationArgs, unitNormalization } from './unit-normalization.ts';
export { WeightNormalization, type WeightNormalizationArgs, weightNormalization } from './weight-normalization.ts';
