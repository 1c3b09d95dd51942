/** One colour for each normalization on every page, and a few for what else is compared. Readable on light and dark. */
export const colors = {
  none: '#8a8f98',
  BatchNormalization: '#e4572e',
  InstanceNormalization: '#17a398',
  LayerNormalization: '#3f7de0',
  RMSNormalization: '#8e5bd6',
  GroupNormalization: '#2e9e4f',
  WeightNormalization: '#c7519c',
  SpectralNormalization: '#b08a00',
  BatchInstanceNormalization: '#d9822b',
  SwitchableNormalization: '#0f8bb3',
  BatchRenormalization: '#b83bc4',
  MeanOnlyBatchNormalization: '#6b8e23',
  QKNormalization: '#5860c9',
  ScaleNormalization: '#7a6a58',
  PixelNormalization: '#c2185b',
  GlobalResponseNormalization: '#00897b',
  FilterResponseNormalization: '#a0522d',
  WeightStandardization: '#5d8a1f',
  DynamicTanh: '#9c4dcc',
  DynamicErf: '#3d7ea6',
} as const;

export type Named = keyof typeof colors;

/** As in headings: `BatchInstanceNormalization` is 'Batch-Instance'. */
export const shortNames: Readonly<Record<Named, string>> = {
  none: 'None',
  BatchNormalization: 'Batch',
  InstanceNormalization: 'Instance',
  LayerNormalization: 'Layer',
  RMSNormalization: 'RMS',
  GroupNormalization: 'Group',
  WeightNormalization: 'Weight',
  SpectralNormalization: 'Spectral',
  BatchInstanceNormalization: 'Batch-Instance',
  SwitchableNormalization: 'Switchable',
  BatchRenormalization: 'Batch Renormalization',
  MeanOnlyBatchNormalization: 'Mean-Only Batch',
  QKNormalization: 'Query-Key',
  ScaleNormalization: 'Scale',
  PixelNormalization: 'Pixel',
  GlobalResponseNormalization: 'Global Response',
  FilterResponseNormalization: 'Filter Response',
  WeightStandardization: 'Weight Standardization',
  DynamicTanh: 'Dynamic Tanh',
  DynamicErf: 'Dynamic Erf',
};
