/** Which layers may take over what a normalization does, and where they are: past layers that do nothing, and within wrappers. */
import { tidy } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { lastPartOfName } from '../../base/inner-layer.ts';
import type { KernelWrapper } from '../../base/kernel-wrapper.ts';
import type { Shape } from '../../base/options.ts';
import type { Saved } from '../keras/saved.ts';
import { channelAxis, hasKernel, type Kernels } from './channels.ts';
import { type Draft, innerOf, numbersOf, type Part, trainsInGraph, valuesOf } from './draft.ts';

/** Names of layers for a message. */
export const quoted = (names: readonly string[]) => names.map((name) => `'${name}'`).join(' and ');

/** The layer within as many `timeDistributed` as there are. */
export function coreOf(layer: layers.Layer, depth = 0): { layer: layers.Layer; depth: number } {
  const inner = layer.getClassName() === 'TimeDistributed' ? innerOf(layer) : undefined;
  return inner ? coreOf(inner, depth + 1) : { layer, depth };
}

/** The shape of what the layer within `timeDistributed` is called with. */
export function inputShapeOf({ layer }: Part): Shape {
  const { depth } = coreOf(layer);
  const shape = layer.inboundNodes[0]?.inputShapes[0] as Shape;
  return depth === 0 ? shape : [null, ...shape.slice(depth + 1)];
}

/** The one layer whose result a normalization takes, past layers that do nothing; that result is used nowhere else. */
export function soleSource(graph: Draft, name: string): string | { reason: string } {
  const sources = graph.sources(name);
  const [source] = sources;
  if (source === undefined) return { reason: 'there is no layer before it' };
  if (sources.length > 1) return { reason: `it is shared, and takes the results of ${quoted(sources)}` };
  if (graph.isOutput(source))
    return { reason: `the result of the layer before, '${source}', is also one of the model's` };
  const others = graph.users(source).filter((user) => user !== name);
  if (others.length > 0)
    return { reason: `the result of the layer before, '${source}', is also used by ${quoted(others)}` };
  return doesNothing(graph.part(source)) ? soleSource(graph, source) : source;
}

const REGULARIZING = ['Dropout', 'SpatialDropout1D', 'GaussianNoise', 'GaussianDropout', 'AlphaDropout'];

/** Whether a layer gives in inference what it takes. */
export function doesNothing(part: Part): boolean {
  const { class_name, config } = part.saved;
  if (class_name === 'Activation') return config.activation === 'linear';
  return REGULARIZING.includes(class_name) && !trainsInGraph(part);
}

/** A layer that may take over a normalization. */
export interface Target {
  readonly part: Part;
  /** What is saved of the layer that has the kernel, without wrappers. */
  readonly core: Saved;
  /** What is saved of it with `timeDistributed` around it. */
  readonly wrap: (core: Saved) => Saved;
  readonly depth: number;
  readonly layer: layers.Layer;
  readonly activation: string;
}

type Wrapper = layers.Layer & Pick<KernelWrapper, 'layer' | 'effectiveKernels'>;
const isKernelWrapper = (layer: layers.Layer): layer is Wrapper => 'effectiveKernels' in layer;

/** The layer of a part as a target, or the reason why it is none. */
export function targetOf(part: Part): Target | string {
  const { layer, depth } = coreOf(part.layer);
  const { core: saved, wrap } = unwrapped(part.saved, depth);
  const core = isKernelWrapper(layer) && 'layer' in saved.config ? withoutWrapper(saved) : saved;
  const title = `'${part.layer.name}' (${part.saved.class_name})`;
  if (!hasKernel(core.class_name)) return `${title}, has no kernel to fold into`;
  if (trainsInGraph(part)) return `${title}, is called with training: true in the graph`;
  return { part, core, wrap, depth, layer, activation: String(core.config.activation ?? 'linear') };
}

/** What is saved of the layer within `depth` wrappers, and what to save of them around another. */
export function unwrapped(saved: Saved, depth: number): { core: Saved; wrap: (core: Saved) => Saved } {
  if (depth === 0) return { core: saved, wrap: (core) => core };
  const { core, wrap } = unwrapped(saved.config.layer as Saved, depth - 1);
  return { core, wrap: (core) => ({ ...saved, config: { ...saved.config, layer: wrap(core) } }) };
}

/** What is saved of the layer in a wrapper of its kernel, in the wrapper's place. */
function withoutWrapper({ config, ...place }: Saved): Saved {
  const { layer, name, trainable, batch_input_shape, dtype } = config;
  const { class_name, config: own } = layer as Saved;
  const input = batch_input_shape ? { batch_input_shape, dtype } : {};
  return { ...place, class_name, config: { ...own, name, trainable, ...input } };
}

/** Whether a normalization's axis is that of the target's channels. */
export function isSameAxis(normalization: Part, { core, depth }: Target): boolean {
  const { layer, depth: depthOfNorm } = coreOf(normalization.layer);
  const rank = normalization.layer.inboundNodes[0]?.inputTensors[0]?.rank as number;
  const axis = [(layer as layers.Layer & { readonly axis: number | number[] }).axis].flat()[0] as number;
  return (axis < 0 ? axis + rank : axis + depthOfNorm) === depth + channelAxis(core, rank - depth);
}

/** The kernels and all other weights of a target, without wrappers. */
export async function kernelsIn({ part, core, layer }: Target): Promise<Kernels> {
  const className = core.class_name;
  const inner = isKernelWrapper(layer) ? layer.layer : layer;
  const values = part.values ? new Map(part.values) : await valuesOf(inner);
  if (!part.values && isKernelWrapper(layer)) {
    for (const [name, kernel] of Object.entries(tidy(() => layer.effectiveKernels()))) {
      values.set(name, await numbersOf(kernel));
      kernel.dispose();
    }
  }
  const shapes = new Map(inner.weights.map((weight) => [lastPartOfName(weight), weight.shape as number[]]));
  return { className, shapes, values };
}
