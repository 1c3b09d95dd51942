/**
 * Which mask a call may use. TensorFlow.js passes the mask of one layer to all layers after it, also where the mask should have
 * ended. It may be used only if the layers before pass a mask on, and its shape fits the input.
 */
import { ones, reshape, type Tensor, tidy, zeros } from '@tensorflow/tfjs-core';
import type { layers, SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Kwargs } from './options.ts';

/** The mask that `layer` may use in a call with x, of the shape of x without `axis`; undefined if there is none. */
export function usableMask(layer: layers.Layer, x: Tensor, axis: number, kwargs: Kwargs): Tensor | undefined {
  const given = kwargs?.mask as Tensor | Tensor[] | undefined;
  const mask = Array.isArray(given) ? given[0] : given;
  // A mask is for positions of examples, which there are not if the channels are along the batch.
  if (!mask || axis === 0) return undefined;
  const inModel = layer.inboundNodes.length > 0;
  if (inModel && !receivesMask(layer)) return undefined;
  const expected = x.shape.filter((_, i) => i !== axis);
  // In a model, a mask of another shape belongs to the tensor around timeDistributed, or to the tensor before pooling.
  if (inModel) return maskOfShape(mask, expected);
  return String(mask.shape) === String(expected) ? mask : undefined;
}

/** `mask` in this shape, or undefined if it has another one. Leading axes of size 1 are removed: layers that merge tensors add them. */
export function maskOfShape(mask: Tensor, shape: readonly number[]): Tensor | undefined {
  const more = mask.rank - shape.length;
  const fits = more >= 0 && mask.shape.every((size, i) => size === (i < more ? 1 : shape[i - more]));
  return fits ? reshape(mask, [...shape]) : undefined;
}

/** Whether TensorFlow.js passes a mask to the layer in a model: it passes that of the first input. */
export const receivesMask = (layer: layers.Layer): boolean =>
  layer.inboundNodes.some(({ inputTensors }) => maskOriginOf(inputTensors[0]) !== undefined);

/** Where a mask comes from: tensors of one origin have the same mask. */
type Origin = object;

const origins = new WeakMap<SymbolicTensor, Origin | null>();

/** The origin of the mask that TensorFlow.js passes on with this output of a layer; undefined where it passes none. */
export function maskOriginOf(tensor: SymbolicTensor | undefined): Origin | undefined {
  if (!tensor?.sourceLayer) return undefined;
  let origin = origins.get(tensor);
  if (origin === undefined) {
    origin = findOrigin(tensor);
    origins.set(tensor, origin);
  }
  return origin ?? undefined;
}

/** Follows the mask back to where it is made, asking each layer on the way whether it passes it on. */
function findOrigin(tensor: SymbolicTensor): Origin | null {
  const { sourceLayer: layer, inputs } = tensor;
  if (!layer.supportsMasking || inputs.length === 0) return null;
  if (makesMask(layer)) return originMadeBy(layer, inputs[0] as SymbolicTensor);
  const before = inputs.map(maskOriginOf);
  if (before.every((origin) => !origin)) return null;
  const passed = passedMask(layer, inputs, before);
  if (passed === null) return null;
  if (passed !== undefined) return before[passed] as Origin;
  // Layers that add or multiply compute a new mask from those of their inputs; if all have one origin, it is the same mask.
  const all = new Set(before.filter((origin) => origin));
  const isMerged = inputs.length > 1 && inputs.every(({ shape }) => shape[1] === tensor.shape[1]);
  return isMerged && all.size === 1 ? ([...all][0] as Origin) : tensor;
}

/** The index of the input whose mask the layer passes on; null if it passes on none, undefined if it computes a new one. */
function passedMask(
  layer: layers.Layer,
  inputs: SymbolicTensor[],
  origins: (Origin | undefined)[],
): number | null | undefined {
  let passed: number | null | undefined;
  tidy(() => {
    const standIns = inputs.map(({ shape }) => zeros(shape.map(() => 1)));
    const masks = standIns.map(({ shape }, i) => (origins[i] ? ones(shape.slice(0, -1), 'bool') : null)) as Tensor[];
    try {
      const after = [layer.computeMask(standIns, masks)].flat()[0];
      const index = masks.indexOf(after as Tensor);
      passed = !after ? null : index < 0 ? undefined : index;
    } catch {} // It computes a new mask, and cannot do so with stand-ins whose sizes are 1.
  });
  return passed;
}

/** Whether the layer makes a mask of its own: Masking, a class derived from it, or an embedding with `maskZero`. */
const makesMask = (layer: layers.Layer): boolean => 'maskValue' in layer || (layer as Maker).maskZero === true;

type Maker = layers.Layer & { readonly maskValue?: number; readonly maskZero?: boolean };

/** The origin of the mask that `layer` makes of `input`: layers that make the same mask of one tensor share it. */
function originMadeBy(layer: Maker, input: SymbolicTensor): Origin {
  const known = originsByInput.get(input) ?? new Map<string, Origin>();
  originsByInput.set(input, known);
  const kind = layer.maskZero === true ? 'tokens' : `${layer.getClassName()} ${layer.maskValue}`;
  const origin = known.get(kind) ?? {};
  known.set(kind, origin);
  return origin;
}
const originsByInput = new WeakMap<SymbolicTensor, Map<string, Origin>>();

/**
 * The layer at which the tensor lost its mask, if that layer only reorders values, as in splitting heads, so that the mask would still
 * apply; undefined otherwise.
 */
export function layerThatEndedMask(tensor: SymbolicTensor): layers.Layer | undefined {
  const { sourceLayer: layer, inputs } = tensor;
  const isOrdering = ORDERING.includes(layer.getClassName());
  const before = inputs[0];
  if (!before || !(layer.supportsMasking || isOrdering)) return undefined;
  return isOrdering && maskOriginOf(before) ? layer : layerThatEndedMask(before);
}
/** The layers that split heads. TensorFlow.js does not pass masks on through them. */
const ORDERING = ['Reshape', 'Permute'];

/** The mask of the first input, for layers whose output has that mask. */
export const maskOfFirst = (mask: Tensor | Tensor[] | undefined): Tensor =>
  ((Array.isArray(mask) ? mask[0] : mask) ?? null) as Tensor;
