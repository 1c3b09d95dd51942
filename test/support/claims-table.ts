/** The claims that the project set out from, word by word: of each normalization its advantages and disadvantages. */
export const claimsTable: Readonly<
  Record<string, { advantages: readonly string[]; disadvantages: readonly string[] }>
> = {
  BatchNormalization: {
    advantages: ['Accelerates convergence', 'Provides regularization', 'Effective for large batches'],
    disadvantages: ['Ineffective with small batches', 'Not ideal for RNNs or variable-length sequences'],
  },
  InstanceNormalization: {
    advantages: ['Effective for tasks requiring instance-level statistics', 'Good for style transfer'],
    disadvantages: ['Ignores global batch statistics', 'Less effective for tasks requiring batch-wide consistency'],
  },
  LayerNormalization: {
    advantages: ['Independent of batch size', 'Works well with RNNs and transformers', 'Effective for sequential data'],
    disadvantages: ['Computationally more intensive than BatchNorm', 'Not as effective for convolutional layers'],
  },
  RMSNormalization: {
    advantages: [
      'Efficient variant of LayerNorm',
      'Reduces computation by skipping mean subtraction',
      'Suitable for large-scale models',
    ],
    disadvantages: ['Lack of mean subtraction can cause instability in certain tasks'],
  },
  GroupNormalization: {
    advantages: [
      'Works well with small mini-batches',
      'Effective for visual recognition tasks',
      'Less sensitive to batch size',
    ],
    disadvantages: ['Needs manual tuning of the number of groups', 'Not as effective as BatchNorm with large batches'],
  },
  WeightNormalization: {
    advantages: ['Simplifies optimization', 'Improves training speed', 'Less sensitive to batch size'],
    disadvantages: ['Needs to be combined with other methods for optimal performance'],
  },
  SpectralNormalization: {
    advantages: ['Ensures a bounded Lipschitz constant', 'Stabilizes GAN training', 'Reduces exploding gradients'],
    disadvantages: ['Can increase computational overhead', 'Specialized for GANs, less generalizable'],
  },
  BatchInstanceNormalization: {
    advantages: ['Flexibility in balancing global and instance-level statistics', 'Adaptable to various vision tasks'],
    disadvantages: ['Additional complexity with two normalizations', 'Needs fine-tuning for optimal balance'],
  },
  SwitchableNormalization: {
    advantages: [
      'Adapts to the specific needs of each layer',
      'Can combine strengths of BatchNorm, InstanceNorm, and LayerNorm',
    ],
    disadvantages: ['Computationally expensive', 'Requires extra parameters for weighting'],
  },
  BatchRenormalization: {
    advantages: ['Works with small mini-batches', 'More stable for online learning or non-i.i.d. data'],
    disadvantages: ['Additional complexity', 'Slightly slower than standard BatchNorm'],
  },
  MeanOnlyBatchNormalization: {
    advantages: ['Computationally efficient', 'Prevents mean-shift', 'Simplifies training'],
    disadvantages: ['Skips variance normalization, less robust for complex data'],
  },
};
