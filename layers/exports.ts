/**
 * What the package exports: all layers and their factories, and the functions without layers. Importing it registers the
 * layers with TensorFlow.js, so that saved models find them. The two entries, index.ts and browser.ts, add the kernels.
 *
 * @module
 */

export type { EpsilonPlacement, KernelName, KernelSet, OptionalKernelName } from '../kernels/core/contract.ts';
export { normalizationKernels, type RunningKernels, registerKernels } from '../kernels/core/registry.ts';
export { type AdaptiveInstanceNormOptions, adaptiveInstanceNorm } from '../kernels/functions/adaptive.ts';
export { type AttentionOptions, type QkNormOptions, qkAttention, qkNorm } from '../kernels/functions/attention.ts';
export { type FilmOptions, film } from '../kernels/functions/modulation.ts';
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
export { type AddNormResult, addLayerNorm, addRmsNorm } from '../kernels/functions/residual.ts';
export {
  type SpectralNormOptions,
  type SpectralNormResult,
  spectralNorm,
  type WeightNormOptions,
  weightNorm,
} from '../kernels/functions/weights.ts';
export type { Source } from '../kernels/ops/switchable.ts';
export * from './adaptive-instance-normalization.ts';
export * from './adaptive-layer-normalization.ts';
export * from './add-layer-normalization.ts';
export * from './add-rms-normalization.ts';
export type { Constraint, Identifier, Initializer, Regularizer } from './base/identifiers.ts';
export type { WrappedLayer } from './base/inner-layer.ts';
export type { LayerArgs, Shape } from './base/options.ts';
export type { Activation } from './base/recurrent-cell.ts';
export { restoreBuiltIns } from './base/register.ts';
export * from './batch-instance-normalization.ts';
export * from './batch-normalization.ts';
export * from './batch-renormalization.ts';
export * from './conditional-batch-normalization.ts';
export * from './dynamic-erf.ts';
export * from './dynamic-tanh.ts';
export * from './feature-normalization.ts';
export * from './featurewise-linear-modulation.ts';
export * from './filter-response-normalization.ts';
export * from './global-response-normalization.ts';
export * from './group-normalization.ts';
export * from './gru.ts';
export * from './instance-normalization.ts';
export * from './layer-norm-gru-cell.ts';
export * from './layer-norm-lstm-cell.ts';
export * from './layer-normalization.ts';
export * from './mean-only-batch-normalization.ts';
export * from './models/load-model.ts';
export * from './models/remove-wrappers.ts';
export * from './models/tensorflow-addons.ts';
export * from './multi-head-attention.ts';
export * from './pixel-normalization.ts';
export * from './query-key-normalization.ts';
export * from './rms-normalization.ts';
export * from './scale-normalization.ts';
export * from './spatially-adaptive-normalization.ts';
export * from './spectral-normalization.ts';
export * from './switchable-normalization.ts';
export * from './unit-normalization.ts';
export * from './weight-normalization.ts';
export * from './weight-standardization.ts';
