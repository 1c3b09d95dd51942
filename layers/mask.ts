/**
 * Which mask of a call is meant for the layer. TensorFlow.js hands every layer after a masked one the same mask object, also
 * where the mask has ended: it counts only where the layers before carry one, and only in the shape that the input asks for.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { fail } from '../kernels/checks.ts';
import type { Kwargs } from './options.ts';

/** The mask of the shape of x without `axis`, or undefined. */
export function usableMask(layer: layers.Layer, x: Tensor, axis: number, kwargs: Kwargs): Tensor | undefined {
  const given = kwargs?.mask as Tensor | Tensor[] | undefined;
  const mask = Array.isArray(given) ? given[0] : given;
  if (!mask) return undefined;
  const inModel = layer.inboundNodes.length > 0;
  if (inModel && !carriesMask(layer)) return undefined;
  const expected = x.shape.filter((_, i) => i !== axis);
  // Another rank is a mask of what is around the layer, as in timeDistributed.
  if (mask.rank !== expected.length) return undefined;
  if (expected.every((size, i) => mask.shape[i] === size)) return mask;
  if (inModel) return undefined;
  return fail(
    layer.getClassName(),
    `the mask must have the shape of the input without channels, [${expected}]; received [${mask.shape}]`,
  );
}

/** Whether some layer before `layer` makes a mask and all in between pass it on. */
export function carriesMask(layer: layers.Layer): boolean {
  return layer.inboundNodes.some((node) =>
    node.inboundLayers.some((before) => before.supportsMasking && (makesMask(before) || carriesMask(before))),
  );
}

function makesMask(layer: layers.Layer): boolean {
  const { maskZero } = layer as unknown as { maskZero?: boolean };
  return layer.getClassName() === 'Masking' || maskZero === true;
}
