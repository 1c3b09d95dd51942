/**
 * Which mask of a call is meant for the layer. TensorFlow.js hands every layer after a masked one the same mask object, also
 * where the mask has ended: it counts only where the layers before carry one, and only in the shape that the input asks for.
 */
import { ones, reshape, type Tensor, tidy, zeros } from '@tensorflow/tfjs-core';
import type { layers, SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Kwargs } from './options.ts';

/** The mask of the shape of x without `axis`, or undefined. */
export function usableMask(layer: layers.Layer, x: Tensor, axis: number, kwargs: Kwargs): Tensor | undefined {
  const given = kwargs?.mask as Tensor | Tensor[] | undefined;
  const mask = Array.isArray(given) ? given[0] : given;
  // Channels at the axis of the batch have no positions to leave out.
  if (!mask || axis === 0) return undefined;
  const inModel = layer.inboundNodes.length > 0;
  if (inModel && !receivesMask(layer)) return undefined;
  const expected = x.shape.filter((_, i) => i !== axis);
  // Another shape is a mask of what is around the layer, as in timeDistributed, or of what it was before it was pooled.
  if (inModel) return maskOfShape(mask, expected);
  return String(mask.shape) === String(expected) ? mask : undefined;
}

/** A mask that TensorFlow.js brings, if it is of this shape; layers that merge tensors put axes of size 1 before it. */
export function maskOfShape(mask: Tensor, shape: readonly number[]): Tensor | undefined {
  const more = mask.rank - shape.length;
  const fits = more >= 0 && mask.shape.every((size, i) => size === (i < more ? 1 : shape[i - more]));
  return fits ? reshape(mask, [...shape]) : undefined;
}

/** Whether TensorFlow.js brings the layer a mask, which is that of its first input. */
export const receivesMask = (layer: layers.Layer): boolean =>
  layer.inboundNodes.some(({ inputTensors }) => maskOriginOf(inputTensors[0]) !== undefined);

/** Where a mask comes from: tensors of one origin have the same mask. */
type Origin = object;

const origins = new WeakMap<SymbolicTensor, Origin | null>();

/** The origin of the mask that TensorFlow.js carries with the result of a layer; undefined where it carries none. */
export function maskOriginOf(tensor: SymbolicTensor | undefined): Origin | undefined {
  if (!tensor?.sourceLayer) return undefined;
  let origin = origins.get(tensor);
  if (origin === undefined) {
    origin = findOrigin(tensor);
    origins.set(tensor, origin);
  }
  return origin ?? undefined;
}

/** Follows the mask back to where it is made; layers between are asked, since they may end it. */
function findOrigin(tensor: SymbolicTensor): Origin | null {
  const { sourceLayer: layer, inputs } = tensor;
  if (!layer.supportsMasking || inputs.length === 0) return null;
  if (makesMask(layer)) return made(layer, inputs[0] as SymbolicTensor);
  const before = inputs.map(maskOriginOf);
  if (before.every((origin) => !origin)) return null;
  const passed = passedMask(layer, inputs, before);
  if (passed === null) return null;
  if (passed !== undefined) return before[passed] as Origin;
  // Layers that add or multiply make a mask anew of those of their inputs.
  const all = new Set(before.filter((origin) => origin));
  const isMerged = inputs.length > 1 && inputs.every(({ shape }) => shape[1] === tensor.shape[1]);
  return isMerged && all.size === 1 ? ([...all][0] as Origin) : tensor;
}

/** The index of the input whose mask the layer passes on; null: it ends them; undefined: it makes another of them. */
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
    } catch {} // It calculates, and not with sizes of 1.
  });
  return passed;
}

/** Masking, a class made from it, or an embedding with `maskZero`. */
const makesMask = (layer: layers.Layer): boolean => 'maskValue' in layer || (layer as Maker).maskZero === true;

type Maker = layers.Layer & { readonly maskValue?: number; readonly maskZero?: boolean };

/** One origin for all layers that find the same mask in the same tensor. */
function made(layer: Maker, input: SymbolicTensor): Origin {
  const known = makers.get(input) ?? new Map<string, Origin>();
  makers.set(input, known);
  const kind = layer.maskZero === true ? 'tokens' : `${layer.getClassName()} ${layer.maskValue}`;
  const origin = known.get(kind) ?? {};
  known.set(kind, origin);
  return origin;
}
const makers = new WeakMap<SymbolicTensor, Map<string, Origin>>();

/** The layer at which the mask of a tensor ended that is only in other order since, if there was one. */
export function layerThatEndedMask(tensor: SymbolicTensor): layers.Layer | undefined {
  const { sourceLayer: layer, inputs } = tensor;
  const isOrdering = ORDERING.includes(layer.getClassName());
  const before = inputs[0];
  if (!before || !(layer.supportsMasking || isOrdering)) return undefined;
  return isOrdering && maskOriginOf(before) ? layer : layerThatEndedMask(before);
}
/** By which heads are split; TensorFlow.js carries no mask past them. */
const ORDERING = ['Reshape', 'Permute'];
