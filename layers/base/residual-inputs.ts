/** Functions for layers that normalize the sum of two inputs of one shape: [x, residual] go in, [y, sum] come out. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { InputSpec, layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import { checkSameShape } from '../../kernels/functions/checks.ts';
import { listOfShapes, type Shape } from './options.ts';
import { pairOf } from './repeated-inputs.ts';

const NAMES = '[x, residual]';

/** The shape of both inputs; fails if they differ. */
export function sharedShape(layer: layers.Layer, inputShape: Shape | Shape[]): Shape {
  const [x, residual] = pairOf(layer, listOfShapes(inputShape), NAMES);
  const isSame =
    x.length === residual.length && x.every((size, i) => size == null || residual[i] == null || size === residual[i]);
  if (isSame) return x;
  const rule = 'the residual must have the shape of x';
  return fail(
    layer.getClassName(),
    `${rule}, [${x}]; received [${residual}]; nothing is broadcast: reshape or project it`,
  );
}

/** x and the residual of a call. */
export function summands(layer: layers.Layer, inputs: Tensor | Tensor[]): [x: Tensor, residual: Tensor] {
  const [x, residual] = pairOf(layer, [inputs].flat(), NAMES);
  return [x, checkSameShape(layer.getClassName(), 'the residual', residual, x)];
}

/** The input specification of a layer with two equal inputs, from that of one. */
export const twice = (spec: InputSpec[] | undefined): InputSpec[] => [...(spec ?? []), ...(spec ?? [])];
