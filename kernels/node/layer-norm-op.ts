/**
 * The forward route of whole rows by TensorFlow's internal op `_MklLayerNorm` (oneDNN), which takes statistics and applies them in
 * one op, but does not output them. Not every build of TensorFlow has it, and it may change: so it is tried once.
 */
import type { NormalizeAttrs } from '../core/contract.ts';
import { isDivisor } from '../core/numbers.ts';
import { type Binding, Call, type NodePort, type Value } from './backend.ts';
import type { Forward, Normalized } from './route.ts';
import { centre, type Layout, layoutOf, meanSquares, meansOf, needsCentring, ROUNDS, subtract } from './statistics.ts';
import { LONG } from './sums.ts';

/** The op adds up a row in float32, one value after the other. */
export const serves = (call: Call, { view, center, rescale, epsilon, epsilonPlacement }: NormalizeAttrs): boolean =>
  view.s === 1 &&
  view.groups === 1 &&
  view.c <= LONG &&
  center &&
  rescale &&
  epsilonPlacement === 'inside' &&
  isDivisor(epsilon) &&
  available(call.backend);

export function forward(call: Call, { x, gamma, beta }: Forward, attrs: NormalizeAttrs): Normalized {
  const { view, epsilon, yOnly } = attrs;
  const { c } = view;
  const layout = layoutOf(view);
  const rows = call.reshape(x, layout.shape);
  const { xc, mean, variance } = yOnly ? nearZero(call, rows, layout, epsilon) : centre(call, rows, layout, epsilon);
  const y = run(call, xc, gamma ?? call.ones([c]), beta ?? call.constant(new Float32Array(c)), epsilon);
  return { y, mean, variance };
}

/**
 * The op centres x by a float32 mean, which loses digits if the mean is many deviations from 0: then the means are subtracted
 * before. The variance here, mean(x^2) - mean(x)^2, only decides whether they are. It is wrong if the mean is thousands of
 * deviations, but even then it is small enough for the right decision.
 */
function nearZero(call: Call, x: Value, layout: Layout, epsilon: number) {
  const total = new Float64Array(x.shape[0] as number);
  let xc = x;
  for (let round = 1; ; round++) {
    const mean = meansOf(call, xc, layout);
    const variance = meanSquares(call, xc, layout).map((square, i) => square - (mean[i] as number) ** 2);
    if (round === ROUNDS || !needsCentring(mean, variance, epsilon)) return { xc, mean, variance };
    xc = subtract(call, xc, mean, total, layout);
  }
}

function run(call: Call, x: Value, gamma: Value, beta: Value, epsilon: number): Value {
  // The eager runtime labels every _Mkl op for graphs rewritten by oneDNN; an empty `_kernel` takes the label away.
  return call.run('_MklLayerNorm', [x, gamma, beta], { epsilon, _kernel: '' })[0] as Value;
}

const works = new WeakMap<Binding, boolean>();

function available(backend: NodePort): boolean {
  const { binding, isUsingGpuDevice } = backend;
  let answer = works.get(binding);
  if (answer === undefined) {
    answer = !isUsingGpuDevice && isExact(new Call(backend));
    works.set(binding, answer);
  }
  return answer;
}

/** The row [1, 2, 3, 6] has mean 3 and variance 3.5; epsilon is so large that an op that ignores it is found out. */
function isExact(call: Call): boolean {
  try {
    const x = call.constant([1, 2, 3, 6], [1, 4]);
    const y = call.read(run(call, x, call.constant([1, 1, 2, 2]), call.constant([0, 0, 0, 1]), 0.5));
    return [-1, -0.5, 0, 4].every((expected, i) => Math.abs((y[i] as number) - expected) < 1e-6);
  } catch {
    return false;
  } finally {
    call.end();
  }
}
