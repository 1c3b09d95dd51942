/** In float64, from their definitions: layers that are not one normalization with gamma and beta, each a formula of its own. */
import { type Formula, indexAlong, perExampleAndChannel, perRow, type Weights } from './layer-oracle.ts';

/** Sums of `value` over elements of equal `key`, or their means. */
function totals(key: Int32Array, value: (i: number) => number, isMean = false): Float64Array {
  const length = key.reduce((most, k) => Math.max(most, k), 0) + 1;
  const [sums, counts] = [new Float64Array(length), new Float64Array(length)];
  for (let i = 0; i < key.length; i++) {
    sums[key[i]!]! += value(i);
    counts[key[i]!]!++;
  }
  return isMean ? sums.map((sum, k) => sum / counts[k]!) : sums;
}

/** A value of a weight, or what it is where there is none. */
const at = (weights: Weights, name: string, index: number, none: number) => weights[name]?.[index] ?? none;

/** g x / max(||x||, epsilon) + beta, with one g and one beta. */
export const scaled: Formula = (setting) => {
  const key = perRow(setting);
  const epsilon = setting.options.epsilon as number;
  return (x, weights) => {
    const squares = totals(key, (i) => x[i]! ** 2);
    const y = x.map((value, i) => {
      const length = Math.max(Math.sqrt(squares[key[i]!]!), epsilon);
      return (at(weights, 'gamma', 0, 1) * value) / length + at(weights, 'beta', 0, 0);
    });
    return { y, state: {} };
  };
};

/** gamma x n + beta + x, with n = g / (mean of g + epsilon) and g the lengths of the channels of one example. */
export const globalResponse: Formula = (setting) => {
  const key = perExampleAndChannel(setting);
  const channel = indexAlong(setting.shape, setting.axes);
  const channels = setting.shape[setting.axes[0]!]!;
  const epsilon = setting.options.epsilon as number;
  return (x, weights) => {
    const lengths = totals(key, (i) => x[i]! ** 2).map(Math.sqrt);
    const examples = Int32Array.from(lengths, (_, k) => Math.floor(k / channels));
    const average = totals(examples, (k) => lengths[k]!, true);
    const y = x.map((value, i) => {
      const k = key[i]!;
      const n = lengths[k]! / (average[examples[k]!]! + epsilon);
      return at(weights, 'gamma', channel[i]!, 1) * value * n + at(weights, 'beta', channel[i]!, 0) + value;
    });
    return { y, state: {} };
  };
};

/** max(gamma x / sqrt(mean of x^2 + epsilon + |learned_epsilon|) + beta, tau). */
export const filterResponse: Formula = (setting) => {
  const key = perExampleAndChannel(setting);
  const channel = indexAlong(setting.shape, setting.axes);
  const epsilon = setting.options.epsilon as number;
  return (x, weights) => {
    const squares = totals(key, (i) => x[i]! ** 2, true);
    const learned = Math.abs(at(weights, 'learned_epsilon', 0, 0));
    const y = x.map((value, i) => {
      const c = channel[i]!;
      const normalized = value / Math.sqrt(squares[key[i]!]! + epsilon + learned);
      const affine = at(weights, 'gamma', c, 1) * normalized + at(weights, 'beta', c, 0);
      return Math.max(affine, at(weights, 'tau', c, Number.NEGATIVE_INFINITY));
    });
    return { y, state: {} };
  };
};

/** gamma f(alpha x + shift) + beta. */
export const curve =
  (f: (x: number) => number): Formula =>
  (setting) => {
    const channel = indexAlong(setting.shape, setting.axes);
    return (x, weights) => {
      const y = x.map((value, i) => {
        const z = f(at(weights, 'alpha', 0, 1) * value + at(weights, 'shift', 0, 0));
        return at(weights, 'gamma', channel[i]!, 1) * z + at(weights, 'beta', channel[i]!, 0);
      });
      return { y, state: {} };
    };
  };

/** The error function, by its series; exact in float64 for what is not far from 0. */
export function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x);
  let [sum, term] = [x, x];
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
