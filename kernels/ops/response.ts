/**
 * Normalizations by the size of a channel's responses, the root of their mean square over the positions of one example. Nothing is
 * checked here.
 */
import {
  abs,
  add,
  div,
  lessEqual,
  logicalNot,
  mean as meanOf,
  mul,
  neg,
  onesLike,
  pow,
  reshape,
  sqrt,
  square,
  type Tensor,
  unstack,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { isHalf } from '../core/registry.ts';
import { constant } from '../core/tape.ts';
import { groupView, type View } from '../core/view.ts';
import { withLast } from './axes.ts';
import { type AffineOptions, onView } from './form.ts';
import { moments } from './moments.ts';
import { normalize } from './normalize.ts';
import { ofNothing } from './nothing.ts';
import { atLeast } from './pointwise.ts';
import { reciprocalRoot } from './quotient.ts';
import { largestExponent, opposite, shifted } from './range.ts';
import { scaleShift } from './scale-shift.ts';

/**
 * gamma x n + beta + x, with g = ||x|| over the positions of each example and channel, and n = g / (mean of g over the channels + epsilon).
 * g is sqrt(s) times a root mean square, where s is the number of positions: g and epsilon are both divided by sqrt(s), which
 * leaves n as it is.
 */
export function globalResponse(x: Tensor, axis: number, { gamma, beta }: AffineOptions, epsilon: number): Tensor {
  if (x.size === 0) return ofNothing(x.shape, x, gamma, beta);
  return withLast(x, [axis], (x) => {
    const view = groupView(x.shape, x.shape.at(-1) as number);
    const { n, s, c } = view;
    const examples = reshape(x, [n, s * c]);
    // With 16-bit floats each example is brought near 1, which, with epsilon scaled alike, does not change the relative response.
    const exponent = isHalf() ? largestExponent(examples, [1]) : undefined;
    const brought = exponent ? reshape(shifted(examples, opposite(exponent)), x.shape) : x;
    const response = rootOf(meanSquares(brought, view));
    const least = epsilon / Math.sqrt(s);
    const smallest = exponent ? constant(() => mul(pow(2, neg(exponent)), least)) : least;
    const relative = div(response, nonzero(add(meanOf(response, 1, true), smallest)));
    const scale = add(gamma ? mul(relative, gamma) : relative, 1);
    return scaleShift(x, { scale: flat(scale), shift: beta && ofExamples(beta, n) }, view);
  });
}

/**
 * max(gamma x / sqrt(m + |learned| + epsilon) + beta, tau), with m the mean of x^2 over the positions of each example and channel;
 * everything but x may be absent.
 */
export function filterResponse(
  x: Tensor,
  axis: number,
  {
    gamma,
    beta,
    tau,
    learned,
  }: AffineOptions & { readonly tau?: Tensor | undefined; readonly learned?: Tensor | undefined },
  epsilon: number,
): Tensor {
  if (x.size === 0) return ofNothing(x.shape, x, gamma, beta, tau, learned);
  return withLast(x, [axis], (x) => {
    const c = x.shape.at(-1) as number;
    const view = groupView(x.shape, c);
    const affine = { gamma: gamma && flat(gamma), beta: beta && flat(beta) };
    const y = learned
      ? byLearnedRoot(x, view, affine, add(abs(learned), epsilon), epsilon)
      : normalize(x, affine.gamma, affine.beta, onView(view, { ...FORM, epsilon }));
    return tau ? atLeast(y, reshape(tau, [...x.shape.slice(1).fill(1), c])) : y;
  });
}

/** gamma x / sqrt(m + sum) + beta, where `sum` is |learned| + `epsilon`. */
function byLearnedRoot(x: Tensor, view: View, { gamma, beta }: AffineOptions, sum: Tensor, epsilon: number): Tensor {
  const rstd = reciprocalRoot(add(meanSquares(x, view), sum), epsilon);
  const scale = flat(gamma ? mul(rstd, gamma) : rstd);
  return scaleShift(x, { scale, shift: beta && ofExamples(beta, view.n) }, view);
}

const FORM = { epsilonPlacement: 'inside', center: false, rescale: true } as const;

/** The mean of x^2 over the positions, [n, c]. */
function meanSquares(x: Tensor, view: View): Tensor {
  const [mean, variance] = unstack(reshape(moments(x, view), [2, view.n, view.c])) as [Tensor, Tensor];
  return add(square(mean), variance);
}

/** sqrt(x), with the gradient 0 where x is 0. */
function rootOf(x: Tensor): Tensor {
  const isThere = isNotZero(x);
  return where(isThere, sqrt(where(isThere, x, onesLike(x))), zerosLike(x));
}

/** A divisor, or 1 where it is 0. */
const nonzero = (x: Tensor): Tensor => where(isNotZero(x), x, onesLike(x));

/** Where x, which is not negative, is not 0. A NaN counts as not 0, and so stays NaN. */
const isNotZero = (x: Tensor): Tensor => constant(() => logicalNot(lessEqual(x, 0)));

const flat = (x: Tensor): Tensor => reshape(x, [x.size]);
/** Values per channel, repeated for each of n examples: [n * channels]. */
const ofExamples = (x: Tensor, n: number): Tensor => flat(add(zeros([n, 1]), reshape(x, [1, x.size])));
