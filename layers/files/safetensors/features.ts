/**
 * Where PyTorch has the features of a layer in another order. Channels come last here and first there, so that flattened images are
 * the same features in another order. The weights of layers that take them, up to the next dense layer, lie in the file in PyTorch's
 * order; so do those of a dense layer whose outputs are reshaped to images.
 */
import type { LayersModel, layers, Sequential, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { fail } from '../../../kernels/core/errors.ts';
import { flatOrder, type Order } from './layout.ts';

type Layer = layers.Layer;

/** A tensor between two layers. */
export interface Features {
  /** Without the batch. */
  readonly shape: readonly (number | null)[];
  /** The axes as PyTorch has them. */
  axes: readonly number[];
  /** Of a vector: the order in which PyTorch has it. */
  order: Order;
  /** Of a vector: the order in which a layer further on asks for it. */
  wanted: Order;
}

/** What goes into a layer and comes out of it. */
export interface Call {
  readonly layer: Layer;
  readonly inputs: readonly Features[];
  readonly outputs: readonly Features[];
  /** What comes out of a model that the layer calls for each step of a sequence. */
  readonly ofSteps: readonly Features[];
}

/** Members that TensorFlow.js does not declare. */
interface Node {
  readonly outboundLayer: Layer;
  readonly inputTensors: readonly SymbolicTensor[];
  readonly outputTensors: readonly SymbolicTensor[];
}
interface Graph {
  readonly inputs: readonly SymbolicTensor[];
  readonly outputs: readonly SymbolicTensor[];
  readonly nodesByDepth: Readonly<Record<string, readonly Node[]>>;
}
interface Described {
  readonly layer?: Layer;
  readonly axis?: number;
  readonly dataFormat?: string;
}

/** The calls of the layers of a model and of the models within. `channelsLast`: PyTorch's model has channels last, too. */
export function callsOf(who: string, model: LayersModel, channelsLast: boolean): Call[] {
  const usual = (shape: Features['shape']) => features(shape, channelsLast ? ascending(shape.length) : axesOf(shape));
  const calls: Call[] = [];
  expand(model, usual, calls);
  for (const call of [...calls].reverse()) askForOrder(call);
  for (const call of calls) arrange(who, call, channelsLast);
  return calls;
}

const features = (shape: Features['shape'], axes: readonly number[]): Features => ({
  shape,
  axes,
  order: undefined,
  wanted: undefined,
});
const ascending = (rank: number): number[] => Array.from({ length: rank }, (_, axis) => axis);
const channelsToFront = (rank: number): number[] => [rank - 1, ...ascending(rank - 1)];

/** Images and volumes are [channels, ...] in PyTorch; sequences [time, features], as here. */
const axesOf = ({ length: rank }: Features['shape']): number[] => (rank >= 3 ? channelsToFront(rank) : ascending(rank));

type Usual = (shape: Features['shape']) => Features;
const withoutBatch = ({ shape }: SymbolicTensor) => shape.slice(1);

/** Adds the calls of a model to `calls`, in the order of a run; what comes out of it. */
function expand(model: Layer, usual: Usual, calls: Call[], given?: readonly Features[]): Features[] {
  // A Sequential model has its graph once it is built, which does not make weights anew.
  if (model.getClassName() === 'Sequential') (model as Sequential).build();
  const { inputs, outputs, nodesByDepth } = model as unknown as Graph;
  const known = new Map(inputs.map((tensor, i) => [tensor.id, given?.[i] ?? usual(withoutBatch(tensor))]));
  const depths = Object.keys(nodesByDepth).map(Number);
  for (const depth of depths.sort((a, b) => b - a)) {
    for (const { outboundLayer: layer, inputTensors, outputTensors } of nodesByDepth[depth] as readonly Node[]) {
      if (inputTensors.length === 0 || outputTensors.every(({ id }) => known.has(id))) continue;
      const from = inputTensors.map(({ id }) => known.get(id) as Features);
      const { layer: inner } = layer as Described;
      let to: Features[];
      if ('nodesByDepth' in layer) to = expand(layer, usual, calls, from);
      else {
        const ofSteps = inner && 'nodesByDepth' in inner ? expand(inner, usual, calls) : [];
        to = outputTensors.map((tensor) => usual(withoutBatch(tensor)));
        calls.push({ layer, inputs: from, outputs: to, ofSteps });
      }
      for (const [i, { id }] of outputTensors.entries()) known.set(id, to[i] as Features);
    }
  }
  return outputs.map(({ id }) => known.get(id) as Features);
}

/** What a layer is given of each step of a sequence. */
export const stepOf = ({ shape, axes }: Features): Features =>
  features(
    shape.slice(1),
    axes.filter((axis) => axis > 0).map((axis) => axis - 1),
  );

/** The layer that does the work, below the wrappers of this package. */
export const innermost = (layer: Layer): Layer =>
  'effectiveKernels' in layer && 'layer' in layer ? (layer.layer as Layer) : layer;
export const classOf = (layer: Layer): string => innermost(layer).getClassName();

/** Whether the layer leaves the features where they are, such as an activation or a normalization. */
const keepsFeatures = ({ layer, inputs, outputs }: Call): boolean =>
  !['Dense', 'Permute'].includes(classOf(layer)) &&
  !('cell' in layer || 'forwardLayer' in layer) &&
  inputs.every(({ shape }) => String(shape) === String(outputs[0]?.shape));

/** The order that a vector must have in PyTorch to be reshaped to images there, if the call does that. */
export function orderForImages({ layer, inputs, outputs }: Call): Order {
  const [x, y] = [inputs[0] as Features, outputs[0] as Features];
  if (classOf(layer) !== 'Reshape' || x.shape.length !== 1 || y.shape.length === 1) return undefined;
  return flatOrder(y.shape as number[], ascending(y.shape.length), y.axes);
}

/** A Reshape to images asks for a vector in PyTorch's order, and layers that keep the features pass it on. */
function askForOrder(call: Call): void {
  const wanted = keepsFeatures(call) ? call.outputs[0]?.wanted : orderForImages(call);
  for (const input of call.inputs) input.wanted ??= wanted;
}

function arrange(who: string, call: Call, channelsLast: boolean): void {
  const { layer, inputs, outputs, ofSteps } = call;
  const [x, y] = [inputs[0] as Features, outputs[0] as Features];
  const name = classOf(layer);
  const { dataFormat, layer: inner } = layer as Described;
  const refuse = (what: string) =>
    fail(
      who,
      `the layer '${layer.name}' (${layer.getClassName()}) ${what}, which PyTorch has in another order; flatten last, or ` +
        'let the PyTorch model have channels last, too, with channelsLast: true',
    );
  const isFlattening = inner && ['Flatten', 'Reshape'].includes(classOf(inner)) && !channelsLast;
  if ((name === 'TimeDistributed' && isFlattening) || ofSteps.some(({ order }) => order)) {
    refuse('flattens or reshapes each step of a sequence');
  } else if (['Flatten', 'Reshape'].includes(name) && y.shape.length === 1 && x.shape.length > 1) {
    const rank = x.shape.length;
    const channelsFirst = name === 'Flatten' && dataFormat === 'channelsFirst';
    const ours = channelsFirst ? [...ascending(rank).slice(1), 0] : ascending(rank);
    y.order = flatOrder(x.shape as number[], ours, x.axes);
  } else if (name === 'Dense') {
    if (y.shape.length === 1) y.order = y.wanted;
    else y.axes = x.axes;
  } else if (dataFormat || /^(Max|Average)Pooling1D$/.test(name)) {
    const rank = y.shape.length;
    if (!channelsLast) y.axes = dataFormat === 'channelsFirst' ? ascending(rank) : channelsToFront(rank);
  } else if (name === 'Concatenate' && y.shape.length === 1) {
    y.order = joined(inputs);
  } else if (name === 'Concatenate' || keepsFeatures(call)) {
    if (inputs.some(({ order }) => !isSame(order, x.order))) refuse('joins features');
    Object.assign(y, { axes: x.axes, order: x.order });
  } else if (inputs.some(({ order }) => order) && !isSame(x.order, orderForImages(call))) {
    refuse('takes flattened features');
  }
}

export const isSame = (a: Order, b: Order): boolean =>
  a === b || (a !== undefined && a.length === b?.length && a.every((index, i) => index === b[i]));

/** The orders of vectors one after the other. */
function joined(inputs: readonly Features[]): Order {
  if (inputs.every(({ order }) => order === undefined)) return undefined;
  let start = 0;
  return Int32Array.from(
    inputs.flatMap(({ shape: [size], order }) => {
      const indices = Array.from({ length: size as number }, (_, i) => start + (order ? (order[i] as number) : i));
      start += size as number;
      return indices;
    }),
  );
}
