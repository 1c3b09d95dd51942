/**
 * Functions of each value by itself, whose gradients can be differentiated again. Those of TensorFlow.js cannot: they use the saved
 * output, which is a constant to an outer tape, or ops without gradient.
 */
import {
  add,
  cast,
  exp,
  greaterEqual,
  maximum,
  mul,
  neg,
  reshape,
  square,
  sub,
  sum,
  type Tensor,
  erf as tfErf,
  tanh as tfTanh,
} from '@tensorflow/tfjs-core';
import { constant, recording, withGradient } from '../core/tape.ts';
import type { AffineOptions } from './form.ts';
import { ofNothing } from './nothing.ts';
import { affinePerChannel } from './per-channel.ts';

/** tanh: dx = dy (1 - tanh(x)^2). */
export function tanh(x: Tensor): Tensor {
  if (!recording()) return tfTanh(x);
  return withGradient([x], (save) => {
    const value = tfTanh(x);
    save([x, value]);
    const gradFunc = (dy: Tensor, [x, saved]: Tensor[]) => {
      const y = recording() ? tanh(x as Tensor) : (saved as Tensor);
      return mul(dy, sub(1, square(y)));
    };
    return { value, gradFunc };
  });
}

/** The error function: dx = dy 2 / sqrt(pi) exp(-x^2). */
export function erf(x: Tensor): Tensor {
  if (!recording()) return tfErf(x);
  return withGradient([x], (save) => {
    save([x]);
    const gradFunc = (dy: Tensor, [x]: Tensor[]) => mul(dy, mul(gaussian(x as Tensor), 2 / Math.sqrt(Math.PI)));
    return { value: tfErf(x), gradFunc };
  });
}

/** exp(-x^2): dx = -2 x exp(-x^2) dy. */
function gaussian(x: Tensor): Tensor {
  const value = () => exp(neg(square(x)));
  if (!recording()) return value();
  return withGradient([x], (save) => {
    save([x]);
    const gradFunc = (dy: Tensor, [x]: Tensor[]) => mul(dy, mul(mul(x as Tensor, -2), gaussian(x as Tensor)));
    return { value: value(), gradFunc };
  });
}

/**
 * max(x, least), where `least`, of the rank of x, is broadcast along axes of size 1: dx = dy where x >= least, and 0 elsewhere;
 * dleast sums dy over the other values. The gradient of TensorFlow.js's `maximum` does not know broadcasting.
 */
export function atLeast(x: Tensor, least: Tensor): Tensor {
  return withGradient([x, least], (save) => {
    save([x, least]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [x, least] = saved as [Tensor, Tensor];
      const kept = mul(
        dy,
        constant(() => cast(greaterEqual(x, least), 'float32')),
      );
      const axes = x.shape.map((_, axis) => axis).filter((axis) => least.shape[axis] === 1);
      return [kept, reshape(sum(sub(dy, kept), axes), least.shape)];
    };
    return { value: maximum(x, least), gradFunc };
  });
}

/** gamma f(alpha x + shift) + beta, where alpha and shift are one number each; shift, gamma and beta may be absent. */
export function curve(
  x: Tensor,
  axis: number,
  f: (x: Tensor) => Tensor,
  { alpha, shift, gamma, beta }: AffineOptions & { readonly alpha: Tensor; readonly shift?: Tensor },
): Tensor {
  if (x.size === 0) return ofNothing(x.shape, x, alpha, shift, gamma, beta);
  const scaled = mul(x, alpha);
  const y = f(shift ? add(scaled, shift) : scaled);
  return affinePerChannel(y, axis, { scale: gamma, shift: beta }, 0);
}
