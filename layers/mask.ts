/**
 * Which mask of a call is meant for the layer. TensorFlow.js hands every layer after a masked one the same mask object, also
 * where the mask has ended: it counts only where the layers before carry one, and only in the shape that the input asks for.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import type { Kwargs } from './options.ts';

/** The mask of the shape of x without `axis`, or undefined. */
export function usableMask(layer: layers.Layer, x: Tensor, axis: number, kwargs: Kwargs): Tensor | undefined {
  const given = kwargs?.mask as Tensor | Tensor[] | undefined;
  const mask = Array.isArray(given) ? given[0] : given;
  // Channels at the axis of the batch have no positions to leave out.
  if (!mask || axis === 0) return undefined;
  if (layer.inboundNodes.length > 0 && !carriesMask(layer)) return undefined;
  const expected = x.shape.filter((_, i) => i !== axis);
  // Another shape is a mask of what is around the layer, as in timeDistributed, or of what it was before it was pooled.
  const fits = mask.rank === expected.length && expected.every((size, i) => mask.shape[i] === size);
  return fits ? mask : undefined;
}

/** Whether some layer before `layer` makes a mask and all in between pass it on. */
export const carriesMask = (layer: layers.Layer): boolean => follows(layer, makesMask);

/** Whether a source is before the layer, with layers between that pass masks on; `seen` are those that were asked. */
function follows(
  layer: layers.Layer,
  isSource: (layer: layers.Layer) => boolean,
  seen = new Set<layers.Layer>(),
): boolean {
  if (seen.has(layer)) return false;
  seen.add(layer);
  return layer.inboundNodes.some(({ inboundLayers }) =>
    inboundLayers.some((before) => before.supportsMasking && (isSource(before) || follows(before, isSource, seen))),
  );
}

/** Masking, a class made from it, or an embedding with `maskZero`. */
const makesMask = (layer: layers.Layer): boolean =>
  'maskValue' in layer || (layer as unknown as { maskZero?: boolean }).maskZero === true;
