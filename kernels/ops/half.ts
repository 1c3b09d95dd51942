/**
 * The blended form where tensors hold 16-bit floats, from -65504 to 65504 in steps of 1 / 2048 of a value. Variances, sums and
 * products of two gradients do not fit: small tensors here are ratios of deviations, means relative to a value of x, and means
 * instead of sums, which all are about as large as x, y or their gradients. See the kernel `Spread` in contract.ts.
 *
 * In the gradients h = mean(dy xHat) and u = mean(dy), over the positions of each example and channel.
 */
import {
  add,
  clipByValue,
  concat,
  div,
  engine,
  mean,
  mul,
  reshape,
  slice,
  sub,
  type Tensor,
  tensor,
  tidy,
  unstack,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { SMALLEST_DIVISOR } from '../core/contract.ts';
import { LARGEST, splitMean } from '../core/half-values.ts';
import { isHalf, run } from '../core/registry.ts';
import { constant, recording, withGradient } from '../core/tape.ts';
import type { View } from '../core/view.ts';

/**
 * Whether the blended form goes this way. Gradients of gradients do not: their tapes need ordinary ops, and hold what 16 bits
 * can, as everywhere in TensorFlow.js.
 */
export const inHalf = (): boolean => isHalf() && engine().state.gradientDepth < 2;

type Optional = Tensor | undefined;
export type Tensors<Name extends string = string> = Readonly<Record<Name, Tensor>>;

/** y = xHat * scale + shift, as a function of parameters and of the spread of x. */
export interface HalfBlend<P extends string, V extends string = string> {
  /** scale and shift, and all other tensors that the gradient needs: tensors in its closure are disposed of by then. */
  readonly values: Tensors<V | 'scale' | 'shift'>;
  /** The gradients of the parameters, and the coefficients of `StandardizeGrad`, [n, c], which are 0 where absent. */
  gradient(
    h: Tensor,
    u: Tensor,
    values: Tensors<V | 'scale' | 'shift'>,
    parameters: Tensors<P>,
  ): { readonly ofX: Tensors<'scale'> & Partial<Tensors<'u' | 'a' | 'b'>>; readonly parameters: Tensors<P> };
}

/**
 * Applies a blend to x.
 *
 * @param spread that of x, a constant to every gradient
 * @param mask the positions [s, 1] of which the spread was taken; absent: all
 */
export function applied<P extends string>(
  x: Tensor,
  spread: Tensor,
  view: View,
  parameters: Tensors<P>,
  blendOf: (parameters: Tensors<P>) => HalfBlend<P>,
  mask?: Tensor,
): Tensor {
  if (!recording()) {
    const { scale, shift } = blendOf(parameters).values as Tensors<'scale' | 'shift'>;
    return standardize(x, spread, scale, shift, view);
  }
  const names = Object.keys(parameters) as P[];
  return withGradient([x, ...names.map((name) => parameters[name])], (save) => {
    const { values, gradient } = blendOf(parameters) as HalfBlend<P, 'scale' | 'shift'>;
    const kept = { ...parameters, ...values };
    save([x, spread, ...(mask ? [mask] : []), ...Object.values<Tensor>(kept)]);
    const gradFunc = (dy: Tensor, [x, spread, ...saved]: Tensor[]) => {
      const positions = mask && saved.shift();
      const all = Object.fromEntries(Object.keys(kept).map((name, i) => [name, saved[i]])) as Tensors<
        P | 'scale' | 'shift'
      >;
      const { scale } = all as Tensors<'scale'>;
      const [h, u] = standardizeSums(dy, x as Tensor, spread as Tensor, view).map((t) => reshape(t, scale.shape));
      const { ofX, parameters: grads } = gradient(h as Tensor, u as Tensor, all, all);
      const none = zerosLike(scale);
      const dxOf = (coefficients: Partial<Tensors<'u' | 'a' | 'b'>>) => {
        const all = { u: none, a: none, b: none, ...coefficients, scale: ofX.scale };
        return run('StandardizeGrad', { dy, x: x as Tensor, spread: spread as Tensor, ...all }, { view })[0];
      };
      const of2 = (t: Tensor) => reshape(t, [view.s, view.c]);
      const dx = positions ? reshape(where(positions, of2(dxOf(ofX)), of2(dxOf({}))), dy.shape) : dxOf(ofX);
      return [dx, ...names.map((name) => reshape(grads[name], parameters[name].shape))];
    };
    return { value: standardize(x, spread, values.scale, values.shift, view), gradFunc };
  });
}

/** The rows of a spread: first value, mean less it, and divisor. */
export type Spread = Readonly<Record<'first' | 'offset' | 'divisor', Tensor>>;

/** The spread [3, n * c] of x. */
export const spreadOf = (x: Tensor, view: View, epsilon: number): Tensor => run('Spread', { x }, { view, epsilon })[0];

export const standardize = (x: Tensor, spread: Tensor, scale: Tensor, shift: Tensor, view: View): Tensor =>
  run('Standardize', { x, spread, scale, shift }, { view })[0];

/** The means over the positions of dy xHat and of dy, [n, c]. */
const standardizeSums = (dy: Tensor, x: Tensor, spread: Tensor, view: View) =>
  run('StandardizeSums', { dy, x, spread }, { view });

/** A spread as rows of the given shape. */
export function rowsOf(spread: Tensor, shape: readonly number[]): Spread {
  const [first, offset, divisor] = unstack(reshape(spread, [3, ...shape])) as [Tensor, Tensor, Tensor];
  return { first, offset, divisor };
}

/** How far the means of examples and channels are from a pooled one, [n, c], and the divisor of what is pooled. */
export interface Pooled {
  readonly deviation: Tensor;
  readonly divisor: Tensor;
}

/**
 * Pools a spread of [n, c] over channels. Of values with mean m and divisor f the two numbers m - f and m + f have the same
 * mean, and f as their deviation: so the statistics of all these pairs are the pooled ones.
 */
export function pooledOverChannels({ first, offset, divisor }: Spread): Pooled {
  const [n, c] = first.shape as [number, number];
  const base = slice(first, [0, 0], [n, 1]);
  const means = add(sub(first, base), offset);
  const pairs = concat([add(means, divisor), sub(means, divisor)], 1);
  const pooled = rowsOf(spreadOf(pairs, { n, s: 2 * c, c: 1, groups: 1 }, 0), [n, 1]);
  return { deviation: sub(sub(means, pooled.first), pooled.offset), divisor: pooled.divisor };
}

/** The moments [2, c] of the batch from a spread of [n, c], computed on the host: moving averages need them as float32. */
function batchMoments({ first, offset, divisor }: Spread, epsilon: number): Tensor {
  const [n, c] = first.shape as [number, number];
  const [firsts, offsets, divisors] = [first, offset, divisor].map((t) => t.dataSync() as Numbers) as [
    Numbers,
    Numbers,
    Numbers,
  ];
  const moments = new Float32Array(2 * c);
  for (let channel = 0; channel < c; channel++) {
    let [mean, m2] = [0, 0]; // of the examples up to this one, by Chan's formula
    for (let i = 0; i < n; i++) {
      const at = i * c + channel;
      const distance = (firsts[at] as number) + (offsets[at] as number) - mean;
      mean += distance / (i + 1);
      m2 += (distance * distance * i) / (i + 1) + varianceFrom(epsilon)(divisors[at] as number);
    }
    moments[channel] = mean;
    moments[c + channel] = m2 / n;
  }
  return tensor(moments, [2, c]);
}
type Numbers = ArrayLike<number>;

/** The moving moments, if they are given; else the moments of the batch, with which `useBatch` is called. */
export function batchOf(
  spread: Spread,
  epsilon: number,
  moving: readonly Tensor[] | undefined,
  useBatch: ((moments: Tensor) => void) | undefined,
): Tensor {
  if (moving) return onHost(moving[0], moving[1]);
  const moments = batchMoments(spread, epsilon);
  useBatch?.(moments);
  return moments;
}

/** How far a spread of [n, c] is from the moments [2, c] of the batch, or from those given in their place; they are on the host. */
export function pooledFrom(
  { first, offset }: Pick<Spread, 'first' | 'offset'>,
  moments: Tensor,
  epsilon: number,
): Pooled {
  const c = first.shape.at(-1) as number;
  const given = rowsOf(
    constant(() => spreadFrom(moments.dataSync() as Numbers, c, epsilon)),
    [1, c],
  );
  return { deviation: add(sub(first, given.first), sub(offset, given.offset)), divisor: given.divisor };
}

/** Means and variances, c values each, as a spread [3, c]: the mean in two parts. */
export function spreadFrom(moments: Numbers, c: number, epsilon: number): Tensor {
  const values = Float32Array.from(moments);
  const spread = new Float32Array(3 * c);
  for (const [row, part] of splitMean(values.subarray(0, c)).entries()) spread.set(part, row * c);
  spread.set(
    values.subarray(c).map((variance) => Math.max(Math.sqrt(variance + epsilon), SMALLEST_DIVISOR)),
    2 * c,
  );
  return tensor(spread, [3, c]);
}

/** Means and variances, c values each, as a tensor [2, c] on the host. An absent mean is 0, an absent variance `absent`. */
export function onHost(mean: Optional, variance: Optional, absent = 1): Tensor {
  const c = ((mean ?? variance) as Tensor).size;
  const moments = new Float32Array(2 * c).fill(absent, c);
  if (mean) moments.set(mean.dataSync());
  if (variance) moments.set(variance.dataSync(), c);
  return tensor(moments, [2, c]);
}

/** The variance that made a divisor. */
export const varianceFrom = (epsilon: number) => (divisor: number) => Math.max(divisor * divisor - epsilon, 0);

/** a / b; what is too large becomes +-65504. */
export const ratio = (a: Tensor, b: Tensor): Tensor => bounded(div(a, b));
export const bounded = (t: Tensor): Tensor => clipByValue(t, -LARGEST, LARGEST);

/** The means over the positions of dy (xHat q + e), which are h q + u e. Each part is clipped to half the range, for their sum. */
export const meanOfBoth = (h: Tensor, q: Tensor, u: Tensor, e: Tensor): Tensor => {
  const part = (a: Tensor, b: Tensor) => clipByValue(mul(a, b), -LARGEST / 2, LARGEST / 2);
  return add(part(h, q), part(u, e));
};

/**
 * A weight as input of ordinary ops. Where tensors hold 16-bit floats this is a copy: TensorFlow.js keeps only 16 bits of a
 * tensor that it uploads to the GPU, and the weight has to keep its float32 values.
 */
export const copyIfHalf = (weight: Tensor): Tensor =>
  isHalf() ? tensor(Float32Array.from(weight.dataSync()), weight.shape) : weight;

/** `f` of a weight; where tensors hold 16-bit floats, `ofNumber`, the same function, of each of its values on the host. */
export const mapWeight = (weight: Tensor, f: (t: Tensor) => Tensor, ofNumber: (value: number) => number): Tensor =>
  isHalf() ? tensor((weight.dataSync() as Float32Array).map(ofNumber), weight.shape) : f(weight);

/** The mean over axes, which stay with size 1. */
export const meanAlong = (t: Tensor, axis: number | number[]): Tensor => mean(t, axis, true);

/** Sums of `count` values from their means: means * count in three factors, two of them powers of two and one below 4. */
export function sumOf(means: Tensor, count: number): Tensor {
  return tidy(() => {
    const half = 2 ** Math.floor(Math.log2(count) / 2);
    const most = (LARGEST - 32) / count;
    return mul(mul(mul(clipByValue(means, -most, most), count / half ** 2), half), half);
  });
}
