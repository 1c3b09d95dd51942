/**
 * Public functions that normalize not activations but the kernel of a layer: `weightNorm` and `spectralNorm`, and what the
 * wrapper layers need to start from. A kernel is seen as a matrix [rest, units], whatever its axes.
 */
import {
  abs,
  add,
  div,
  fill,
  lessEqual,
  logicalNot,
  matMul,
  maximum,
  mean,
  moments,
  mul,
  neg,
  onesLike,
  reciprocal,
  reshape,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tidy,
  where,
  zeros,
} from '@tensorflow/tfjs-core';
import { fail, show } from '../core/errors.ts';
import { isHalf } from '../core/registry.ts';
import { constant, recording, withGradient } from '../core/tape.ts';
import { unitView } from '../core/view.ts';
import { withLast } from '../ops/axes.ts';
import { centred, onView } from '../ops/form.ts';
import { normalizeLength } from '../ops/length.ts';
import { normalize } from '../ops/normalize.ts';
import { powerIteration } from '../ops/power-iteration.ts';
import { largestExponent, near, opposite, shifted, shiftedFar } from '../ops/range.ts';
import { checkCall, checkKernel, checkParameter, checkUnitAxes, optionNames } from './checks.ts';

/** The norm below which a column of a kernel counts as zero; TensorFlow Addons has its square, 1e-12. */
const SMALLEST_NORM = 1e-6;
/** Added to the variance in data-dependent initialization: OpenAI's and TensorFlow Addons' value. */
const SMALLEST_VARIANCE = 1e-10;

const WEIGHT_OPTIONS = optionNames('g', 'axis');
const SPECTRAL_OPTIONS = optionNames('u', 'v', 'powerIterations', 'axis');

/**
 * Weight normalization: the weights of each output unit as a length g times a direction.
 *
 *     w = g v / ||v||
 *
 * with the norm over all axes but those of the output units. A unit whose ||v|| is at most 1e-6 gets g v / 1e-6, and no
 * gradient in v. Differentiable to any order in v and g; the fused kernels of normalization run.
 *
 * @param v the kernel, 2 to 6 axes, float32
 * @param options `g`, one value per output unit (default: ones); `axis` of the output units (default -1; a list such as
 *   [2, 3] for a depthwise kernel)
 * @returns a tensor of the shape of v
 * @throws if v is no float32 kernel, the axis is out of range, g has another size, or an option is unknown
 * @example
 * ```js
 * weightNorm(tf.tensor([[3, 0], [4, 2]]), {g: tf.tensor([10, 1])}); // [[6, 0], [8, 1]]
 * ```
 * @see Salimans, Kingma: Weight Normalization. 2016, https://arxiv.org/abs/1602.07868
 */
export function weightNorm(v: Tensor, options?: WeightNormOptions): Tensor;
export function weightNorm(v: Tensor, options: WeightNormOptions = {}, ...more: unknown[]): Tensor {
  const who = 'weightNorm';
  checkCall(who, options, WEIGHT_OPTIONS, more);
  return tidy(() => {
    const axes = checkUnitAxes(who, options.axis ?? -1, checkKernel(who, v).rank);
    return withLast(v, axes, (v) => {
      const view = unitView(v.shape, axes.length);
      const g = checkParameter(who, 'g', options.g, view.c, 'output unit');
      return normalizeLength(v, view, SMALLEST_NORM, g);
    });
  });
}
/** Options of {@link weightNorm}. */
export interface WeightNormOptions {
  /** The lengths, one per output unit. Default: ones. */
  readonly g?: Tensor | undefined;
  /** The axis or axes of the output units. Default: -1. */
  readonly axis?: number | readonly number[];
}

/**
 * For layers: the weights of each output unit with mean 0 and variance 1,
 *
 *     w = (v - mean) / sqrt(variance + epsilon)
 *
 * with the moments over all axes but those of the output units. Differentiable to any order.
 */
export function standardizedKernel(kernel: Tensor, axes: readonly number[], epsilon: number): Tensor {
  return tidy(() =>
    withLast(kernel, axes, (v) =>
      normalize(v, undefined, undefined, onView(unitView(v.shape, axes.length), centred(epsilon))),
    ),
  );
}

/** For layers: the norm of the weights of each output unit, [units]; right also where squares of weights are no floats. */
export function unitNorms(kernel: Tensor, axes: readonly number[]): Tensor {
  return tidy(() => {
    const others = otherAxes(kernel, axes);
    const root = Math.sqrt(others.reduce((size, axis) => size * (kernel.shape[axis] as number), 1));
    const exponent = largestExponent(kernel, others);
    const norms = mul(sqrt(mean(square(near(kernel, exponent)), others)), root);
    return shifted(reshape(norms, [-1]), reshape(exponent, [-1]));
  });
}

/**
 * For layers: the data-dependent start of weight normalization, from t = v x / ||v||, whose channels are at `axis`:
 * with g = 1 / sqrt(variance(t) + 1e-10) and bias = -mean(t) g, the first output has mean 0 and variance 1.
 */
export function standardizing(t: Tensor, axis: number): { g: Tensor; bias: Tensor } {
  return tidy(() => {
    const others = otherAxes(t, [axis]);
    // t is brought near 1, and 1e-10 with it: neither 1e-10 nor the variance of a deviation of 300 is a 16-bit float.
    const exponent = largestExponent(t, others, -14);
    const { mean, variance } = moments(near(t, exponent), others);
    const ofUnits = reshape(exponent, mean.shape);
    const smallest = near(fill(mean.shape, Math.sqrt(SMALLEST_VARIANCE)), ofUnits);
    const deviation = sqrt(add(variance, square(smallest)));
    // In 16-bit floats a smaller deviation is rounding error, and its reciprocal would magnify it.
    const rstd = reciprocal(isHalf() ? maximum(deviation, 2 ** -11) : deviation);
    return { g: shifted(rstd, opposite(ofUnits)), bias: neg(mul(mean, rstd)) };
  });
}

const otherAxes = ({ shape }: Tensor, axes: readonly number[]) =>
  shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));

/**
 * Spectral normalization: the kernel, as a matrix W [rest, units], divided by its largest singular value.
 *
 *     w = W / sigma     sigma = v W u^T
 *
 * u and v come from `powerIterations` steps of power iteration, started from those given: the results of the call before,
 * or random numbers at first. They are constants to every gradient; sigma is differentiated, to any order in W:
 *
 *     dW = (dw - sum(dw w) v^T u) / sigma
 *
 * With v given, each step is that of PyTorch: u = n(v W), then v = n(u W^T), where n divides by the norm; with u alone that of
 * Keras: v = n(u W^T), then u = n(v W). A kernel of zeros is returned as it is, and keeps u and v.
 *
 * @param kernel 2 to 6 axes, float32
 * @param options `u` [1, units] and `v` [1, rest], or one of them; `powerIterations` (default 1; 0: with the u and v given, as
 *   in inference); `axis` of the output units (default -1, or a list)
 * @returns `kernel`, of the shape of the kernel; `sigma` []; the new `u` [1, units] and `v` [1, rest]
 * @throws if the kernel is no float32 kernel, neither u nor v is given (both, for 0 iterations), one has another size, the
 *   axis is out of range, powerIterations is no whole number, or an option is unknown
 * @example
 * ```js
 * const W = tf.tensor([[3, 0], [0, 1]]);
 * const {kernel, sigma} = spectralNorm(W, {u: tf.tensor([[1, 1]]), powerIterations: 10});
 * sigma; // 3
 * kernel; // [[1, 0], [0, 0.333]]
 * ```
 * @see Miyato, Kataoka, Koyama, Yoshida: Spectral Normalization for Generative Adversarial Networks. 2018,
 *   https://arxiv.org/abs/1802.05957
 */
export function spectralNorm(kernel: Tensor, options?: SpectralNormOptions): SpectralNormResult;
export function spectralNorm(
  kernel: Tensor,
  options: SpectralNormOptions = {},
  ...more: unknown[]
): SpectralNormResult {
  const who = 'spectralNorm';
  checkCall(who, options, SPECTRAL_OPTIONS, more);
  const { powerIterations: iterations = 1, axis = -1 } = options;
  if (!(Number.isInteger(iterations) && iterations >= 0)) {
    fail(who, `powerIterations must be a whole number; received ${show(iterations)}; 1 is usual`);
  }
  if (!(options.u || options.v) || (iterations === 0 && !(options.u && options.v))) {
    fail(
      who,
      'the vector u or v to start from is missing (both are needed for 0 powerIterations); give random numbers',
    );
  }
  return tidy(() => {
    const axes = checkUnitAxes(who, axis, checkKernel(who, kernel).rank);
    let vectors: Omit<SpectralNormResult, 'kernel'> | undefined;
    const normalized = withLast(kernel, axes, (kernel) => {
      const { s: rest, c: units } = unitView(kernel.shape, axes.length);
      const vector = (name: 'u' | 'v', size: number) => {
        const given = checkParameter(who, name, options[name], size, name === 'u' ? 'output unit' : 'weight of a unit');
        return given ? reshape(given, [1, size]) : zeros([1, size]);
      };
      // In 16-bit floats the kernel is brought near 1, which does not change the quotient.
      const matrix = reshape(kernel, [rest, units]);
      const exponent = isHalf() ? largestExponent(matrix) : undefined;
      const [u, v, sigma] = powerIteration(brought(matrix, exponent), vector('u', units), vector('v', rest), {
        iterations,
        first: options.v ? 'u' : 'v',
        epsilon: 0,
      });
      vectors = { u, v, sigma: exponent ? shifted(sigma, reshape(exponent, [1])) : sigma };
      return reshape(quotient(matrix, { u, v, sigma }, exponent), kernel.shape);
    });
    return { kernel: normalized, ...(vectors as Omit<SpectralNormResult, 'kernel'>) };
  });
}
/** x 2^-exponent, where there is an exponent. */
const brought = (x: Tensor, exponent?: Tensor) => (exponent ? shifted(x, opposite(exponent)) : x);

/**
 * W 2^-exponent / sigma, where sigma = v W u^T 2^-exponent, with the gradient dW that stands at `spectralNorm`. TensorFlow.js's
 * own gradient of a quotient divides by sigma^2, which may be too large or too small for a float.
 */
function quotient(matrix: Tensor, vectors: Omit<SpectralNormResult, 'kernel'>, exponent?: Tensor): Tensor {
  return withGradient([matrix], (save) => {
    const { u, v, sigma } = vectors;
    save(exponent ? [matrix, u, v, sigma, exponent] : [matrix, u, v, sigma]);
    const gradFunc = (dw: Tensor, saved: Tensor[]) => {
      const [matrix, u, v, sigma, exponent] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor?];
      const w = quotient(matrix, { u, v, sigma }, exponent);
      const ofGradient = exponent && largestExponent(dw);
      const near = brought(dw, ofGradient);
      const across = sub(near, mul(matMul(v, u, true), sum(mul(near, w))));
      // An outer tape must see how sigma depends on the kernel.
      const none = { iterations: 0, first: 'u', epsilon: 0 } as const;
      const divisor = recording() ? powerIteration(brought(matrix, exponent), u, v, none)[2] : sigma;
      const gradient = div(across, nonzero(divisor));
      return exponent && ofGradient
        ? shiftedFar(
            gradient,
            constant(() => sub(ofGradient, exponent)),
          )
        : gradient;
    };
    return { value: div(brought(matrix, exponent), nonzero(sigma)), gradFunc };
  });
}

/** sigma, or 1 where it is too small to divide by, as that of a kernel of zeros. NaN stays NaN. */
function nonzero(sigma: Tensor): Tensor {
  const smallest = isHalf() ? 2 ** -14 : 0;
  const divides = constant(() => logicalNot(lessEqual(abs(sigma), smallest)));
  return where(divides, sigma, onesLike(sigma));
}

/** Options of {@link spectralNorm}. */
export interface SpectralNormOptions {
  /** Where u [1, units] starts. Required without v. */
  readonly u?: Tensor | undefined;
  /** Where v [1, rest] starts. Required without u. */
  readonly v?: Tensor | undefined;
  /** Steps of power iteration; 0: sigma of the u and v given. Default: 1. */
  readonly powerIterations?: number;
  /** The axis or axes of the output units. Default: -1. */
  readonly axis?: number | readonly number[];
}
/** What {@link spectralNorm} returns. */
export interface SpectralNormResult {
  /** The kernel divided by sigma. */
  readonly kernel: Tensor;
  /** The largest singular value, as far as the iteration has come; []. */
  readonly sigma: Tensor;
  /** The singular vector of the units, [1, units]. */
  readonly u: Tensor;
  /** The singular vector of the rest, [1, rest]. */
  readonly v: Tensor;
}
