/**
 * The blended form: y = (x - mean) * scale + shift, where mean, scale and shift of each example and channel come from the
 * moments of x and from parameters, by arithmetic on small tensors. x is read once for its moments and once to apply them;
 * the gradient sums over it once and writes dx once. A `Blend` says what is blended, and has the gradient of the small part.
 */
import { reshape, stack, type Tensor, tidy, unstack } from '@tensorflow/tfjs-core';
import { constant, recording, withGradient } from '../core/tape.ts';
import type { View } from '../core/view.ts';
import { BlendGrad, compute } from './gradients.ts';
import { applied, type HalfBlend, inHalf, rowsOf, type Spread, spreadOf, type Tensors } from './half.ts';
import { moments } from './moments.ts';
import { scaled } from './pool.ts';
import { scaleShift, scaleShiftGrad } from './scale-shift.ts';

/** The mean that x is centred by, its scale and shift, [n, c] each; and the batch's moments [2, 1, c], if they are used. */
export type BlendValues = Tensors<'mean' | 'scale' | 'shift'> & Partial<Tensors<'batch'>>;

/** The small part of a layer with the parameters `P`; everything in it is made of differentiable ops. */
export interface Blend<P extends string, Values extends BlendValues> {
  /**
   * @param moments [2, n, c]: mean and variance of each example and channel
   * @param moving [2, 1, c]: the moments that are used in place of the batch's; absent: the batch's own
   * @returns mean, scale and shift, where mean is row 0 of the moments; and all other tensors that the gradient needs
   */
  forward(moments: Tensor, parameters: Tensors<P>, moving: Tensor | undefined): Values;
  /**
   * @param dscale [n, c], the sums of dy (x - mean)
   * @param dshift [n, c], the sums of dy
   * @param values what `forward` gave
   * @param isMoving whether `forward` had moving moments, which are constants
   * @returns the gradients of the parameters, and `dmoments` [2, n, c], the gradient in the moments, including that in the mean
   *   by which x is centred
   */
  gradient(
    dscale: Tensor,
    dshift: Tensor,
    values: Values,
    parameters: Tensors<P>,
    isMoving: boolean,
  ): Tensors<P | 'dmoments'>;
  /** The same where tensors hold 16-bit floats, from the spread of each example and channel, [n, c]. */
  readonly half: HalfOf<P>;
  readonly epsilon: number;
}

/**
 * @param epsilon that of the blend, and of the spread
 * @param s the number of positions
 * @param moving mean and variance, c values each, that are used in place of the batch's
 * @param useBatch called with the batch's own moments [2, c], if they are used
 */
export type HalfOf<P extends string, V extends string = string> = (
  epsilon: number,
  spread: Spread,
  parameters: Tensors<P>,
  s: number,
  moving: readonly Tensor[] | undefined,
  useBatch: ((moments: Tensor) => void) | undefined,
) => HalfBlend<P, V>;

/**
 * y = (x - mean) * scale + shift, differentiable to any order in x and the parameters:
 *
 *   dx = dy scale + 2 dvariance / s (x - mean) + dmean / s
 *
 * @param x the activations, of any shape that `view` describes
 * @param c the number of channels: the view may see each channel of each example as a sample of its own
 * @param given mean and variance, c values each, that are used in place of the batch's; absent: the batch's own
 * @param useBatch called once with the batch's own moments [2, c], if they are used; off the tape
 */
export function blend<P extends string, Values extends BlendValues>(
  x: Tensor,
  c: number,
  view: View,
  parameters: Tensors<P>,
  given: readonly Tensor[] | undefined,
  { forward, gradient, half, epsilon }: Blend<P, Values>,
  useBatch?: (moments: Tensor) => void,
): Tensor {
  const small = [(view.n * view.c) / c, c] as const;
  if (inHalf()) {
    return tidy(() => {
      const spread = constant(() => spreadOf(x, view, epsilon));
      const of = (parameters: Tensors<P>) => half(epsilon, rowsOf(spread, small), parameters, view.s, given, useBatch);
      return applied(x, spread, view, parameters, of);
    });
  }
  const moving = given && constant(() => reshape(stack([...given]), [2, 1, c]));
  const valuesOf = (x: Tensor, parameters: Tensors<P>, moving: Tensor | undefined) =>
    forward(reshape(moments(x, view), [2, ...small]), parameters, moving);
  const apply = (): [Tensor, Values] => {
    const values = valuesOf(x, parameters, moving);
    if (values.batch && !moving) useBatch?.(reshape(values.batch, [2, c]));
    const { mean, scale, shift } = values;
    return [scaleShift(x, { mean, scale, shift }, view), values];
  };
  if (!recording()) return tidy(() => apply()[0]);

  const names = Object.keys(parameters) as P[];
  const inputs = names.map((name) => parameters[name]);
  return withGradient([x, ...inputs], (save) => {
    const [value, values] = apply();
    // The moving moments are saved with the rest: a tensor that only a closure holds is disposed of before the gradient runs.
    const kept = { ...parameters, ...values, ...(moving ? { moving } : {}) };
    save([x, ...(Object.values(kept) as Tensor[])]);
    const gradFunc = (dy: Tensor, [x, ...saved]: Tensor[]) => {
      const all = Object.fromEntries(Object.keys(kept).map((name, i) => [name, saved[i]])) as typeof kept;
      // Saved values are constants to an outer gradient, which must see how they depend on x: compute them again.
      const values = recording() ? valuesOf(x as Tensor, all, all.moving) : all;
      const sums = scaleShiftGrad(dy, x as Tensor, values.mean, view);
      const [dscale, dshift] = sums.map((sum) => reshape(sum, [...small])) as [Tensor, Tensor];
      const grads = gradient(dscale, dshift, values, all, moving !== undefined);
      const [b, a] = unstack(scaled(grads.dmoments, 1 / view.s, 2 / view.s)) as [Tensor, Tensor];
      const { mean, scale } = values;
      const [dx] = compute(BlendGrad, { dy, x: x as Tensor, mean, scale, a, b }, { view });
      return [dx, ...names.map((name) => reshape(grads[name], parameters[name].shape))];
    };
    return { value, gradFunc };
  });
}
