/** Attention where tensors hold half floats, of at most 65504 and eleven bits: on GPUs that cannot draw float32. */
import { add, div, mean, mul, pow, reshape, scalar, sub, type Tensor } from '@tensorflow/tfjs-core';
import { constant, recording, withGradient } from '../core/tape.ts';
import { largestExponent } from './range.ts';

/** The smallest positive half float. */
export const SMALLEST_HALF = 2 ** -24;

/**
 * `attend(q, k, g, v)`, linear in v [..., keys, any], with numbers of about 1 throughout:
 *
 *     y = c attend(q / a, k / b, g, (v - shift) / c) + shift
 *
 * The gradients of q and k contain products of v and dy, which may be too large for half floats although the gradients are not.
 * So the gradient is multiplied by c at its end, dq = c / a dq', instead of at its start, dy. The factors are powers of two:
 * multiplying by them rounds nothing.
 *
 * @param isScaleFree whether `attend` depends only on the directions of q and k; else a and b are 1
 * @param sumsToOne whether the weights of each query sum to 1: then a shift of all values shifts y as much
 */
export function attendWithinHalf(
  attend: (q: Tensor, k: Tensor, g: Tensor, v: Tensor) => Tensor,
  [q, k, g, v]: readonly [Tensor, Tensor, Tensor, Tensor],
  { isScaleFree, sumsToOne }: { readonly isScaleFree: boolean; readonly sumsToOne: boolean },
): Tensor {
  const shift = sumsToOne ? constant(() => mean(v, -2, true)) : undefined;
  const centred = shift ? sub(v, shift) : v;
  const c = constant(() => magnitude(centred));
  const one = scalar(1);
  const [a, b] = [q, k].map((x) => (isScaleFree ? constant(() => magnitude(x)) : one)) as [Tensor, Tensor];
  const over = (a: Tensor) => constant(() => div(1, a));
  const ratio = (a: Tensor) => constant(() => div(c, a));
  const y = attend(
    scaled(q, over(a), ratio(a)),
    scaled(k, over(b), ratio(b)),
    scaled(g, one, c),
    scaled(centred, over(c), one),
  );
  const whole = scaled(y, c, one);
  return shift ? add(whole, shift) : whole;
}

/** The largest power of two up to max(|x|). */
const magnitude = (x: Tensor): Tensor => reshape(pow(2, largestExponent(x)), []);

/**
 * x * by, with dy * back as its gradient: not the gradient of this step, but all steps of `attendWithinHalf` together have the
 * right one. If an outer tape records the gradient, it is dy * by, since then the steps are differentiated one by one.
 */
function scaled(x: Tensor, by: Tensor, back: Tensor): Tensor {
  return withGradient([x], (save) => {
    save([by, back]);
    const gradFunc = (dy: Tensor, [by, back]: Tensor[]) => mul(dy, (recording() ? by : back) as Tensor);
    return { value: mul(x, by), gradFunc };
  });
}
