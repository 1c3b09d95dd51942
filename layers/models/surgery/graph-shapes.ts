/**
 * What is known of the shape of a node before the graph runs, from those of its inputs. Of an operation that is not here nothing is
 * known; a size that depends on the input of the graph is undefined.
 */
import type { Attribute, GraphNode } from './graph-node.ts';

/** Sizes of axes; undefined where one is not known. */
export type StaticShape = readonly (number | undefined)[];

/** What is known of the inputs of a node, by their places. */
export interface Known {
  readonly count: number;
  /** The shape of an input; undefined if not even the number of its axes is known. */
  shape(input: number): StaticShape | undefined;
  /** The values of an input that is a small constant; -1 is the last. */
  values(input: number): readonly number[] | undefined;
  /** The values of an input that holds sizes, each as far as it is known. */
  sizes(input: number): StaticShape | undefined;
}

type Rule = (known: Known, node: GraphNode, output: number) => StaticShape | undefined;

/** The shape of an output of a node. */
export function inferShape(node: GraphNode, known: Known, output: number): StaticShape | undefined {
  return RULES[node.op]?.(known, node, output);
}

const of = (ops: string, rule: Rule): Record<string, Rule> =>
  Object.fromEntries(ops.split(' ').map((op) => [op, rule]));

const fromFront = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis);
const listIn = (attribute: Attribute | undefined): number[] => (attribute?.list?.i ?? []).map(Number);
const isSet = (node: GraphNode, mask: string, i: number) => Boolean((Number(node.attr?.[mask]?.i ?? 0) >> i) & 1);
const isChannelsLast = ({ attr }: GraphNode): boolean => atob(attr?.data_format?.s ?? btoa('NHWC')) === 'NHWC';

const elementwise: Rule = ({ count, shape }) =>
  Array.from({ length: count }, (_, i) => shape(i)).reduce((a, b) => broadcast(a, b));

function broadcast(a: StaticShape | undefined, b: StaticShape | undefined): StaticShape | undefined {
  if (!a || !b) return undefined;
  const rank = Math.max(a.length, b.length);
  const at = (shape: StaticShape, i: number) => (i < rank - shape.length ? 1 : shape[i - rank + shape.length]);
  return Array.from({ length: rank }, (_, i) => {
    const [own, other] = [at(a, i), at(b, i)];
    if (own === 1) return other;
    return other === 1 ? own : (own ?? other);
  });
}

/** Positions that depend on padding, strides and the input, and channels. */
const convolution =
  (channels: (filter: StaticShape) => number | undefined): Rule =>
  ({ shape }, node) => {
    const filter = shape(1);
    return filter && isChannelsLast(node) ? [undefined, undefined, undefined, channels(filter)] : undefined;
  };

/** Channels are those of the input, positions others. */
const pooling: Rule = ({ shape }, node) => {
  const own = shape(0);
  return own && isChannelsLast(node)
    ? own.map((size, i) => (i === 0 || i === own.length - 1 ? size : undefined))
    : undefined;
};

const matMul: Rule = ({ shape }, { attr = {} }) => {
  const [a, b] = [shape(0), shape(1)];
  if (!a || !b) return undefined;
  const rows = (attr.transpose_a ?? attr.adj_x)?.b ? a.at(-1) : a.at(-2);
  const columns = (attr.transpose_b ?? attr.adj_y)?.b ? b.at(-2) : b.at(-1);
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2));
  return batch && [...batch, rows, columns];
};

const reduction: Rule = ({ shape, values }, { attr }) => {
  const [own, axes] = [shape(0), values(1)];
  if (!own || !axes) return undefined;
  const reduced = axes.map((axis) => fromFront(axis, own.length));
  if (attr?.keep_dims?.b) return own.map((size, i) => (reduced.includes(i) ? 1 : size));
  return own.filter((_, i) => !reduced.includes(i));
};

const concatenation: Rule = ({ count, shape, values }) => {
  const parts = Array.from({ length: count - 1 }, (_, i) => shape(i));
  const [axis] = values(-1) ?? [];
  const [first] = parts;
  if (axis === undefined || !first || parts.includes(undefined)) return undefined;
  const at = fromFront(axis, first.length);
  const sizes = parts.map((part) => part?.[at]);
  const total = sizes.includes(undefined) ? undefined : (sizes as number[]).reduce((a, b) => a + b, 0);
  return first.map((size, i) => (i === at ? total : size));
};

const stridedSlice: Rule = ({ shape, values, sizes }, node) => {
  const [own, begin, end, strides] = [shape(0), sizes(1), sizes(2), values(3)];
  const reshapes = ['new_axis_mask', 'ellipsis_mask', 'shrink_axis_mask'].some(
    (mask) => Number(node.attr?.[mask]?.i ?? 0) !== 0,
  );
  if (!own || !begin || !end || reshapes || strides?.some((stride) => stride !== 1)) return undefined;
  return own.map((size, i) => {
    if (i >= begin.length) return size;
    const from = isSet(node, 'begin_mask', i) ? 0 : begin[i];
    const to = isSet(node, 'end_mask', i) ? size : end[i];
    // Where the end lies beyond the axis, the slice ends with it.
    return size === undefined || from === undefined || to === undefined ? undefined : Math.min(to, size) - from;
  });
};

const slice: Rule = ({ shape, sizes, values }) => {
  const [begin, lengths] = [sizes(1), sizes(2)];
  return shape(0)?.map((size, i) => {
    const isToEnd = values(2)?.[i] === -1;
    const from = begin?.[i];
    return isToEnd && size !== undefined && from !== undefined ? size - from : lengths?.[i];
  });
};

const split: Rule = ({ shape, values }, { attr }) => {
  const [[axis], own, parts] = [values(0) ?? [], shape(1), Number(attr?.num_split?.i)];
  if (axis === undefined || !own) return undefined;
  const at = fromFront(axis, own.length);
  return own.map((size, i) => (i === at ? size && size / parts : size));
};

const splitBySizes: Rule = ({ shape, values }, _, output) => {
  const [own, parts, [axis] = []] = [shape(0), values(1), values(2)];
  if (axis === undefined || !own || !parts) return undefined;
  const size = parts[output] as number;
  return own.map((whole, i) => (i !== fromFront(axis, own.length) ? whole : size < 0 ? undefined : size));
};

const padding: Rule = ({ shape, values }) => {
  const [own, pads] = [shape(0), values(1)];
  return pads && own?.map((size, i) => size && size + (pads[2 * i] as number) + (pads[2 * i + 1] as number));
};

const gather: Rule = ({ count, shape, values }) => {
  const [own, indices, axis] = [shape(0), shape(1), count > 2 ? values(2)?.[0] : 0];
  return own && indices && axis === 0 ? [...indices, ...own.slice(1)] : undefined;
};

const einsum: Rule = ({ count, shape }, { attr }) => {
  const [before = '', after] = atob(attr?.equation?.s ?? '')
    .replaceAll(' ', '')
    .split('->');
  if (after === undefined || before.includes('.')) return undefined;
  const sizes = new Map<string, number>();
  for (const [i, letters] of before.split(',').slice(0, count).entries()) {
    for (const [j, letter] of [...letters].entries()) {
      const size = shape(i)?.[j];
      if (size !== undefined) sizes.set(letter, size);
    }
  }
  return [...after].map((letter) => sizes.get(letter));
};

const expandDims: Rule = ({ shape, values }) => {
  const [own, [axis] = []] = [shape(0), values(1)];
  if (!own || axis === undefined) return undefined;
  const at = fromFront(axis, own.length + 1);
  return [...own.slice(0, at), 1, ...own.slice(at)];
};

const squeeze: Rule = ({ shape }, { attr }) => {
  const own = shape(0);
  const axes = listIn(attr?.squeeze_dims ?? attr?.axis).map((axis) => fromFront(axis, own?.length ?? 0));
  return axes.length > 0 ? own?.filter((_, i) => !axes.includes(i)) : undefined;
};

const placeholder: Rule = (_, { attr }) => {
  const { dim, unknownRank } = attr?.shape?.shape ?? {};
  if (!dim || unknownRank) return undefined;
  return dim.map(({ size }) => (size === undefined || Number(size) < 0 ? undefined : Number(size)));
};

const RULES: Readonly<Record<string, Rule>> = {
  ...of('Placeholder PlaceholderWithDefault', placeholder),
  ...of(
    'Add AddV2 AddN Sub Mul RealDiv Div FloorDiv FloorMod Maximum Minimum SquaredDifference Pow Select SelectV2',
    elementwise,
  ),
  ...of(
    'Identity StopGradient Relu Relu6 Elu Selu LeakyRelu Prelu Sigmoid Tanh Erf Exp Log Neg Abs Square',
    ({ shape }) => shape(0),
  ),
  ...of('Sqrt Rsqrt Reciprocal Softplus Softmax Sign Floor Cast BiasAdd ZerosLike OnesLike ClipByValue', ({ shape }) =>
    shape(0),
  ),
  ...of('FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3', ({ shape }) => shape(0)),
  ...of(
    'Conv2D _FusedConv2D',
    convolution((filter) => filter[3]),
  ),
  ...of(
    'DepthwiseConv2dNative FusedDepthwiseConv2dNative',
    convolution(([, , inputs, each]) => inputs && each && inputs * each),
  ),
  ...of(
    'Conv2DBackpropInput',
    convolution((filter) => filter[2]),
  ),
  ...of('MaxPool AvgPool ResizeBilinear ResizeNearestNeighbor', pooling),
  ...of('MatMul _FusedMatMul BatchMatMul BatchMatMulV2', matMul),
  ...of('Sum Mean Max Min Prod', reduction),
  ...of('Reshape BroadcastTo', ({ sizes }) => sizes(1)),
  ...of('Pad PadV2 MirrorPad', padding),
  ...of('GatherV2 Gather', gather),
  Transpose: ({ shape, values }) => values(1)?.map((axis) => shape(0)?.[axis]),
  ConcatV2: concatenation,
  StridedSlice: stridedSlice,
  Slice: slice,
  Split: split,
  SplitV: splitBySizes,
  Einsum: einsum,
  ExpandDims: expandDims,
  Squeeze: squeeze,
};
