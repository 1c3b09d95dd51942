/**
 * One colour for each normalization on every page. Nothing else on any page has one of these: what is compared beside them
 * is drawn in ink, strong or pale, or in dashes.
 */
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
  AdaptiveInstanceNormalization: '#00796b',
  ConditionalBatchNormalization: '#c0392b',
  FeaturewiseLinearModulation: '#8d6e00',
  AdaptiveLayerNormalization: '#2952a3',
  SpatiallyAdaptiveNormalization: '#ad5c00',
} as const;

/** Ink, from strong to pale, for what is no normalization. They follow the theme. */
export const inks = ['var(--ink)', 'var(--ink-2)', 'var(--ink-3)', 'var(--ink-4)'] as const;

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
  AdaptiveInstanceNormalization: 'Adaptive Instance',
  ConditionalBatchNormalization: 'Conditional Batch',
  FeaturewiseLinearModulation: 'Feature-wise Modulation',
  AdaptiveLayerNormalization: 'Adaptive Layer',
  SpatiallyAdaptiveNormalization: 'Spatially Adaptive',
};

const PAPERS = { light: [251, 251, 253], dark: [34, 38, 48] } as const;
const CONTRAST = 4.7;

/** The colour for text: darker on light paper, lighter on dark, until it can be read. */
export function textColor(color: string): string {
  const rgb = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  const readable = (paper: readonly number[], towards: number) => {
    for (let share = 0; share < 1; share += 0.02) {
      const mixed = rgb.map((part) => Math.round(part + share * (towards - part)));
      if (contrast(mixed, paper) >= CONTRAST) return `rgb(${mixed.join(' ')})`;
    }
    return `rgb(${towards} ${towards} ${towards})`;
  };
  return `light-dark(${readable(PAPERS.light, 0)}, ${readable(PAPERS.dark, 255)})`;
}

/** As the Web Content Accessibility Guidelines define it, from 1 to 21. */
function contrast(a: readonly number[], b: readonly number[]): number {
  const [low, high] = [luminance(a), luminance(b)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function luminance(rgb: readonly number[]): number {
  const [red, green, blue] = rgb.map((part) => {
    const share = part / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
