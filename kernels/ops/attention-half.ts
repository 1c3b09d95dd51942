/** Attention where tensors hold half floats, of at most 65504 and eleven bits: on GPUs that cannot draw float32. */
import { add, div, mean, mul, pow, reshape, scalar, sub, type Tensor } from '@tensorflow/tfjs-core';
import { constant, recording, withGradient } from '../core/tape.ts';
import { largestExponent } from './range.ts';

/** What is less is 0. */
export const SMALLEST_HALF = 2 ** -24;

/**
 * `attend(q, k, g, v)`, linear in v [..., keys, any], with numbers of about 1 throughout:
 *
 *     y = c attend(q / a, k / b, g, (v - shift) / c) + shift
 *
 * In the gradient values meet dy, and the products may be too large for half floats, though the gradients of q and k are not.
 * So c comes in where the gradient ends, dq = c / a dq', and not where it begins, in y. The factors are powers of two: dividing
 * by them rounds nothing.
 *
 * @param isScaleFree whether `attend` knows only the directions of q and k; else a and b are 1
 * @param sumsToOne whether the weights of a query do, so that a shift of all values is one of y
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

/** The power of two below the largest value. */
const magnitude = (x: Tensor): Tensor => reshape(pow(2, largestExponent(x)), []);

/**
 * x times `by`, with a gradient of dy times `back`: that of several such steps together is right. If an outer gradient records
 * it, each has its own, dy times `by`, since then the steps are differentiated one by one.
 */
function scaled(x: Tensor, by: Tensor, back: Tensor): Tensor {
  return withGradient([x], (save) => {
    save([by, back]);
    const gradFunc = (dy: Tensor, [by, back]: Tensor[]) => mul(dy, (recording() ? by : back) as Tensor);
    return { value: mul(x, by), gradFunc };
  });
}
