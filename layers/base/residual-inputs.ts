/** What the layers share that normalize the sum of two inputs: [x, residual] of one shape go in, [y, sum] of that shape come out. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { InputSpec, layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import { checkSameShape } from '../../kernels/functions/checks.ts';
import type { Shape } from './options.ts';
import { listOfShapes } from './query-key-layer.ts';
import { pairOf } from './repeated-inputs.ts';

const NAMES = '[x, residual]';

/** The one shape of both inputs. */
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

/** Both inputs are as the one that the layer was built for. */
export const twice = (spec: InputSpec[] | undefined): InputSpec[] => [...(spec ?? []), ...(spec ?? [])];
