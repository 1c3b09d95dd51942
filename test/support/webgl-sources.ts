/** Stock ops whose results, packed and unpacked, the WebGL kernels are tested on. */
export const SOURCE_NAMES = [
  'conv2d',
  'depthwiseConv2d',
  'matMul',
  'maxPool',
  'concat',
  'gather',
  'slice',
  'sliceOfRows',
  'reshape',
  'transpose',
  'exp',
  'sqrt',
  'where',
  'mean',
] as const;
export type SourceName = (typeof SOURCE_NAMES)[number];
