/**
 * The weights of layers as PyTorch's modules have them: which module a layer is, what its tensors are called, and how they lie. A
 * layer that no module of PyTorch computes is refused.
 */
import type { LayersModel, LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../../kernels/core/errors.ts';
import { lastPartOfName } from '../../base/inner-layer.ts';
import type { Entry, Plan, Setting } from './entries.ts';
import { type Call, callsOf, type Features, isSame, stepOf } from './features.ts';
import { asItIs, type Layout, type Order, ofFeatures, transposed } from './layout.ts';

type Layer = layers.Layer;

export interface PyTorchOptions {
  /** The names of modules, by the names of layers. */
  readonly modules: Readonly<Record<string, string>>;
  readonly channelsLast: boolean;
}

/** A tensor of a module. */
type Parameter = (
  | { readonly role: 'value' | 'addend'; readonly weight: LayerVariable; readonly layout: Layout }
  | { readonly role: 'constant'; readonly constant: number; readonly isWritten: boolean; readonly layout: Layout }
  | { readonly role: 'ignored' }
) & {
  /** Names after that of the module, such as `weight`; the first is written. */
  readonly names: readonly string[];
  /** Of a kernel: the axis of its output units in the file, and these axes in the view of its layout. */
  readonly units?: { readonly axis: number; readonly inView: readonly number[] };
};

/** A layer, and what comes and goes there. */
interface Context {
  readonly layer: Layer;
  readonly input: Features;
  readonly output: Features;
  /** The weight of this name, if the layer has it. */
  find(name: string): LayerVariable | undefined;
  /** The weight of this name. */
  take(name: string): LayerVariable;
  refuse(message: string): never;
  /** Adds a weight that no tensor of the file has. */
  set(...setting: Setting): void;
}

type Table = (context: Context) => Parameter[];

const stored = (name: string, weight: LayerVariable, layout: Layout): Parameter & { role: 'value' } => ({
  role: 'value',
  names: [name],
  weight,
  layout,
});
const constant = (name: string, constant: number, layout: Layout, isWritten: boolean): Parameter => ({
  role: 'constant',
  names: [name],
  constant,
  layout,
  isWritten,
});
const shapeOf = ({ shape }: LayerVariable) => shape as number[];
const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** A bias for each of the outputs, if there is one. */
function biasOf({ find }: Context, name = 'bias', order?: Order): Parameter[] {
  const bias = find('bias');
  return bias ? [stored(name, bias, ofFeatures(sizeOf(shapeOf(bias)), order))] : [];
}

/** A kernel whose axes come in another order; that of its units is the first in the file, but for transposed convolutions. */
function kernelOf(
  name: string,
  weight: LayerVariable,
  axes: readonly number[],
  { axis = 0, orders = [] as readonly Order[] } = {},
): Parameter {
  const layout = transposed(shapeOf(weight), axes, orders);
  return { ...stored(name, weight, layout), units: { axis, inView: [axes[axis] as number] } };
}

const spatial = (rank: number) => Array.from({ length: rank - 2 }, (_, axis) => axis);

const dense: Table = (context) => {
  const { input, output, take } = context;
  const kernel = kernelOf('weight', take('kernel'), [1, 0], { orders: [input.order, output.order] });
  return [kernel, ...biasOf(context, 'bias', output.order)];
};

/** [...positions, inputs, outputs] here, [outputs, inputs, ...positions] there. */
const convolution: Table = (context) => {
  const kernel = context.take('kernel');
  const rank = kernel.shape.length;
  return [kernelOf('weight', kernel, [rank - 1, rank - 2, ...spatial(rank)]), ...biasOf(context)];
};

/** [...positions, outputs, inputs] here, [inputs, outputs, ...positions] there. */
const transposedConvolution: Table = (context) => {
  const kernel = context.take('kernel');
  const rank = kernel.shape.length;
  return [kernelOf('weight', kernel, [rank - 1, rank - 2, ...spatial(rank)], { axis: 1 }), ...biasOf(context)];
};

/** [height, width, inputs, multiplier] here, [inputs multiplier, 1, height, width] there. */
function depthwiseKernel(name: string, weight: LayerVariable): Parameter {
  const view = shapeOf(weight);
  const [height, width, inputs, multiplier] = view as [number, number, number, number];
  const layout = { shape: [inputs * multiplier, 1, height, width], view, axes: [2, 3, 0, 1] };
  return { ...stored(name, weight, layout), units: { axis: 0, inView: [2, 3] } };
}

const depthwise: Table = (context) => [depthwiseKernel('weight', context.take('depthwise_kernel')), ...biasOf(context)];

const separable: Table = (context) => [
  depthwiseKernel('depthwise.weight', context.take('depthwise_kernel')),
  kernelOf('pointwise.weight', context.take('pointwise_kernel'), [3, 2, 0, 1]),
  ...biasOf(context, 'pointwise.bias'),
];

const embedding: Table = ({ take }) => [kernelOf('weight', take('embeddings'), [0, 1], { axis: 1 })];

/**
 * PyTorch's affine modules have both weight and bias, or none. What the layer lacks is written as what it computes with, ones or
 * zeros, if it has the other.
 */
function affine({ find }: Context, layout: Layout, isBiasNeeded = true): Parameter[] {
  const [gamma, beta] = [find('gamma'), find('beta')];
  return [
    gamma ? stored('weight', gamma, layout) : constant('weight', 1, layout, beta !== undefined),
    beta ? stored('bias', beta, layout) : constant('bias', 0, layout, isBiasNeeded && gamma !== undefined),
  ];
}

const batchNormalization: Table = (context) => {
  const mean = context.take('moving_mean');
  const layout = ofFeatures(sizeOf(shapeOf(mean)), context.input.order);
  return [
    ...affine(context, layout),
    stored('running_mean', mean, layout),
    stored('running_var', context.take('moving_variance'), layout),
    { role: 'ignored', names: ['num_batches_tracked'] },
  ];
};

/** The parameters of the axes that are normalized, in PyTorch's order of these. */
function layoutOfAxes({ layer, input: { shape, axes, order } }: Context): Layout {
  const rank = shape.length + 1;
  const given = [(layer as unknown as { axis: number | number[] }).axis].flat();
  const normalized = given.map((axis) => (axis < 0 ? axis + rank : axis) - 1).sort((a, b) => a - b);
  const theirs = axes.filter((axis) => normalized.includes(axis)).map((axis) => normalized.indexOf(axis));
  const view = normalized.map((axis) => shape[axis] as number);
  return transposed(view, theirs, view.length === 1 && shape.length === 1 ? [order] : []);
}

const layerNormalization: Table = (context) => {
  if ((context.layer as { rmsScaling?: boolean }).rmsScaling) context.refuse('has rmsScaling, which PyTorch has not');
  return affine(context, layoutOfAxes(context), false);
};

const rmsNormalization: Table = (context) => {
  const { find, refuse } = context;
  if (find('beta')) refuse("adds beta, which PyTorch's RMSNorm has not; make it with center: false");
  const [scale, layout] = [find('scale'), layoutOfAxes(context)];
  return [scale ? stored('weight', scale, layout) : constant('weight', 1, layout, false)];
};

/** Instance and group normalization. */
const channelNormalization: Table = (context) => {
  const { input, layer, refuse } = context;
  if (input.order) refuse('normalizes flattened features, which PyTorch has in other groups; normalize before Flatten');
  const { axis } = layer as unknown as { axis: number };
  return affine(context, asItIs([input.shape.at(axis < 0 ? axis : axis - 1) as number]));
};

const prelu: Table = ({ input, refuse, take }) => {
  const alpha = take('alpha');
  const size = sizeOf(shapeOf(alpha));
  const [channels] = input.axes;
  if (size !== 1 && size !== alpha.shape[channels as number]) {
    refuse(`has an alpha for each of [${alpha.shape}], where PyTorch's PReLU has one for each channel; use sharedAxes`);
  }
  return [stored('weight', alpha, ofFeatures(size, input.order))];
};

interface Cell {
  readonly activation: { getClassName(): string };
  readonly recurrentActivation?: { getClassName(): string };
  /** Of a GRU. */
  readonly resetAfter?: boolean;
  readonly units: number;
}

/** Where the reset gate, the update gate and the new state, which PyTorch has in this order, are in a GRU here. */
const orderOfGates = (units: number): Order =>
  Int32Array.from({ length: 3 * units }, (_, i) => (i < units ? i + units : i < 2 * units ? i - units : i));

/**
 * LSTM, GRU and SimpleRNN. PyTorch has two biases, which are added, but for GRU, which has two here, too. The gates come in the same
 * order, but for GRU, whose first two are exchanged.
 */
function recurrent({ layer, find, take, refuse }: Context): Parameter[] {
  const { activation, recurrentActivation, resetAfter, units } = (layer as unknown as { cell: Cell }).cell;
  const isGated = recurrentActivation !== undefined;
  const isGru = layer.getClassName() === 'GRU';
  if (isGru && !resetAfter) {
    refuse(
      `has the reset gate before the recurrent kernel, and PyTorch's after it; make it by gru({resetAfter: true})`,
    );
  }
  const activations = isGated ? ['tanh'] : ['tanh', 'relu'];
  const checkActivation = (option: string, known: readonly string[], received: string) => {
    if (!known.includes(received)) {
      refuse(
        `has the ${option} '${received}', and PyTorch's ${known.join(' or ')}; make it with ${option}: '${known[0]}'`,
      );
    }
  };
  checkActivation('activation', activations, activation.getClassName());
  if (isGated) checkActivation('recurrentActivation', ['sigmoid'], recurrentActivation.getClassName());
  const gates = isGru ? orderOfGates(units) : undefined;
  const orders = { orders: [undefined, gates] };
  const parameters = [
    kernelOf('weight_ih_l0', take('kernel'), [1, 0], orders),
    kernelOf('weight_hh_l0', take('recurrent_kernel'), [1, 0], orders),
  ];
  const bias = find('bias');
  if (!bias) return parameters;
  if (isGru) {
    const size = 3 * units;
    const half = (start: number) => ({ ...ofFeatures(size, gates), part: { start, of: 2 * size } });
    return [...parameters, stored('bias_ih_l0', bias, half(0)), stored('bias_hh_l0', bias, half(size))];
  }
  const ofInputs = stored('bias_ih_l0', bias, asItIs(shapeOf(bias)));
  return [...parameters, ofInputs, { ...ofInputs, role: 'addend', names: ['bias_hh_l0'] }];
}

const TABLES: Readonly<Record<string, Table>> = {
  Dense: dense,
  Conv1D: convolution,
  Conv2D: convolution,
  Conv3D: convolution,
  Conv2DTranspose: transposedConvolution,
  Conv3DTranspose: transposedConvolution,
  DepthwiseConv2D: depthwise,
  SeparableConv2D: separable,
  Embedding: embedding,
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  InstanceNormalization: channelNormalization,
  GroupNormalization: channelNormalization,
  PReLU: prelu,
  GRU: recurrent,
  LSTM: recurrent,
  SimpleRNN: recurrent,
};

/** Members that TensorFlow.js does not declare. */
interface Containing {
  readonly layer?: Layer;
  readonly layers?: readonly Layer[];
  readonly forwardLayer?: Layer;
  readonly backwardLayer?: Layer;
}

/** The tensors of the module that a layer is, also where it wraps another. */
function parametersOf(who: string, call: Call, settings: Setting[]): Parameter[] {
  const { layer } = call;
  const title = `the layer '${layer.name}' (${layer.getClassName()})`;
  const refuse = (message: string) => fail(who, `${title} ${message}`);
  const { layer: inner, forwardLayer, backwardLayer } = layer as Containing;
  const within = (one: Layer) => parametersOf(who, { ...call, layer: one }, settings);
  if (forwardLayer && backwardLayer) {
    const reverse = (name: string) => name.replace('_l0', '_l0_reverse');
    const backward = within(backwardLayer).map((one) => ({ ...one, names: one.names.map(reverse) }));
    return [...within(forwardLayer), ...backward];
  }
  const isWrapper = inner !== undefined && 'effectiveKernels' in layer;
  if (inner && !isWrapper) {
    // TimeDistributed, which PyTorch's modules for sequences need not.
    const step = { layer: inner, inputs: call.inputs.map(stepOf), outputs: call.outputs.map(stepOf), ofSteps: [] };
    return parametersOf(who, step, settings);
  }
  const inside = new Set(isWrapper ? inner.weights.map((weight) => weight.read()) : []);
  const own = layer.weights.filter((weight) => !inside.has(weight.read()));
  const open = new Map(own.map((weight) => [lastPartOfName(weight), weight]));
  const find = (name: string) => {
    const weight = open.get(name);
    open.delete(name);
    return weight;
  };
  const take = (name: string) => find(name) ?? refuse(`has no weight '${name}'; build the model with inputShape first`);
  const set = (...setting: Setting) => settings.push(setting);
  const context = { ...call, input: call.inputs[0], output: call.outputs[0], find, take, refuse, set } as Context;
  const parameters = isWrapper ? wrapped(context, within(inner)) : tableOf(context)(context);
  const [left] = open.keys();
  if (left !== undefined) refuse(`has the weight '${left}', which PyTorch has not; ${PLAIN}`);
  return parameters;
}

const PLAIN = "save it with mode: 'plain'";

function tableOf({ layer, refuse }: Context): Table {
  const name = layer.getClassName();
  return TABLES[name] ?? refuse(`is no module of PyTorch; ${PLAIN}`);
}

/** The parameters of a layer whose kernels are normalized: PyTorch keeps them, and what normalizes them, under other names. */
function wrapped(context: Context, parameters: readonly Parameter[]): Parameter[] {
  const { layer, find, take, refuse, set } = context;
  if (layer.getClassName() === 'WeightStandardization') {
    refuse('is no module of PyTorch itself; take the wrapper off with removeWeightStandardization');
  }
  const isSpectral = 'reparameterize' in layer;
  if (isSpectral && layer.reparameterize === false) {
    refuse(
      "has Keras's form, which overwrites the kernel, and PyTorch's keeps it; make it with reparameterize: true, or take the " +
        'wrapper off with removeSpectralNormalization',
    );
  }
  const initialized = find('initialized');
  if (initialized) set(initialized, 1);
  return parameters.flatMap((parameter) => {
    if (parameter.role !== 'value' || !parameter.units) return [parameter];
    const { weight, layout, units } = parameter;
    const [name] = parameter.names as [string];
    const prefix = lastPartOfName(weight).replace(/(kernel|embeddings)$/, '');
    const { axis, inView } = units;
    const size = layout.shape[axis] as number;
    const orders = inView.length === 1 ? [layout.orders?.[inView[0] as number]] : [];
    /** A tensor of the wrapper: `old` is its name in torch.nn.utils, `now` that in torch.nn.utils.parametrizations. */
    const own = (weight: LayerVariable, layout: Layout, ...names: string[]): Parameter => ({
      role: 'value',
      names,
      weight,
      layout,
    });
    const now = (last: string) => name.replace(/[^.]+$/, (tensor) => `parametrizations.${tensor}.${last}`);
    if (!isSpectral) {
      const shape = layout.shape.map((_, i) => (i === axis ? size : 1));
      const lengths = { shape, view: [size], axes: [0], orders };
      // PyTorch's parametrizations read the old names, too.
      return [
        own(take(`${prefix}g`), lengths, `${name}_g`, now('original0')),
        own(weight, layout, `${name}_v`, now('original1')),
      ];
    }
    const ofUnits = { shape: [size], view: [size], axes: [0], orders };
    return [
      own(weight, layout, now('original'), `${name}_orig`),
      own(take(`${prefix}vector_u`), ofUnits, now('0._u'), `${name}_u`),
      own(take(`${prefix}vector_v`), layoutOfRest(layout, inView), now('0._v'), `${name}_v`),
    ];
  });
}

/** The layout of a vector that has an element for each value of one unit of a kernel. */
function layoutOfRest({ view, axes, orders = [] }: Layout, units: readonly number[]): Layout {
  const rest = view.map((_, axis) => axis).filter((axis) => !units.includes(axis));
  const sizes = rest.map((axis) => view[axis] as number);
  return {
    shape: [sizeOf(sizes)],
    view: sizes,
    axes: axes.filter((axis) => rest.includes(axis)).map((axis) => rest.indexOf(axis)),
    orders: rest.map((axis) => orders[axis]),
  };
}

/** What PyTorch saves of a model of modules that are called as the layers are. */
export function pytorchPlan(who: string, model: LayersModel, options: PyTorchOptions): Plan {
  const calls = callsByLayer(who, callsOf(who, model, options.channelsLast));
  const settings: Setting[] = [];
  const entries = [...modulesOf(who, model, options.modules)].flatMap(([layer, modules]): Entry[] => {
    const parameters = parametersOf(who, calls.get(layer) as Call, settings);
    return parameters.map(({ units: _, ...one }) => ({ ...one, names: namesIn(modules, one.names) }));
  });
  return { entries, settings };
}

const namesIn = (modules: readonly string[], names: readonly string[]): string[] =>
  modules.flatMap((module) => names.map((name) => (module === '' ? name : `${module}.${name}`)));

/** The first call of each layer. Another call must have its features in the same order. */
function callsByLayer(who: string, calls: readonly Call[]): Map<Layer, Call> {
  const first = new Map<Layer, Call>();
  for (const call of calls) {
    const other = first.get(call.layer) ?? call;
    const orders = ({ inputs, outputs }: Call) => [...inputs, ...outputs].map(({ order }) => order);
    if (!orders(other).every((order, i) => isSame(order, orders(call)[i]))) {
      fail(who, `the layer '${call.layer.name}' is called on features that PyTorch has in two orders; use two layers`);
    }
    first.set(call.layer, other);
  }
  return first;
}

/** The layers that have weights, each with the names of its modules: several where a layer is in several models. */
function modulesOf(who: string, model: LayersModel, names: Readonly<Record<string, string>>): Map<Layer, string[]> {
  const found = new Map<Layer, string[]>();
  const unknown = new Set(Object.keys(names));
  const visit = (layers: readonly Layer[], path: string, module: string): void => {
    for (const layer of layers) {
      const own = path === '' ? layer.name : `${path}.${layer.name}`;
      const usual = module === '' ? layer.name : `${module}.${layer.name}`;
      unknown.delete(own);
      const name = Object.hasOwn(names, own) ? (names[own] as string) : usual;
      const { layer: inner, layers: nested = (inner as Containing | undefined)?.layers } = layer as Containing;
      if (nested) visit(nested, own, name);
      else if (layer.weights.length > 0) found.set(layer, [...(found.get(layer) ?? []), name]);
    }
  };
  visit(model.layers, '', '');
  const [wrong] = unknown;
  if (wrong !== undefined) {
    const all = [...found.keys()].map(({ name }) => name);
    fail(who, `modules names the layer '${wrong}', which the model has not; its layers with weights are ${show(all)}`);
  }
  return found;
}
