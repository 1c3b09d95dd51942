/**
 * TensorFlow's internal op `_MklLayerNorm` (oneDNN): layer normalization in one pass, without its statistics, and so for
 * inference only. Builds of TensorFlow need not have it, and nobody promises that it stays: it is tried once.
 */
import type { NormalizeAttrs } from '../contract.ts';
import { type Binding, Call, type NodeBackend, type Value } from './backend.ts';
import type { Forward } from './route.ts';
import { layoutOf, meanSquares, means, needsCentring, ROUNDS, subtract, sums } from './statistics.ts';

const works = new WeakMap<Binding, boolean>();

/** y, or nothing where the op is not to be had. */
export function layerNorm(call: Call, { x, gamma, beta }: Forward, attrs: NormalizeAttrs): Value | undefined {
  const { view, epsilon } = attrs;
  const { c } = view;
  if (!serves(attrs) || !available(call.backend)) return undefined;
  const layout = layoutOf(view);
  let xc = call.reshape(x, layout.shape);
  const total = new Float64Array(view.n);
  // The op centres by a float32 mean. This variance serves to decide whether that is enough, and for nothing else: it is
  // wrong only where the mean is so far out that the answer is no anyway.
  for (let round = 1; round < ROUNDS; round++) {
    const mean = means(sums(call, xc, layout), layout);
    const roughly = meanSquares(call, xc, layout).map((square, i) => square - (mean[i] as number) ** 2);
    if (!needsCentring(mean, roughly, epsilon)) break;
    xc = subtract(call, xc, mean, total, layout);
  }
  return run(call, xc, gamma ?? call.ones([c]), beta ?? call.constant(new Float32Array(c)), epsilon);
}

const serves = ({ yOnly, view, center, rescale, epsilonPlacement }: NormalizeAttrs) =>
  yOnly === true && view.s === 1 && view.groups === 1 && center && rescale && epsilonPlacement === 'inside';

function run(call: Call, x: Value, gamma: Value, beta: Value, epsilon: number): Value {
  // The eager runtime labels every _Mkl op for graphs rewritten by oneDNN; an empty `_kernel` takes the label away.
  return call.run('_MklLayerNorm', [x, gamma, beta], { epsilon, _kernel: '' })[0] as Value;
}

function available(backend: NodeBackend): boolean {
  const { binding, isUsingGpuDevice } = backend;
  let answer = works.get(binding);
  if (answer === undefined) {
    answer = !isUsingGpuDevice && isExact(new Call(backend));
    works.set(binding, answer);
  }
  return answer;
}

/** The row [1, 2, 3, 6] has mean 3 and variance 3.5; so much for epsilon that nobody can leave it out. */
function isExact(call: Call): boolean {
  try {
    const x = call.constant([1, 2, 3, 6], [1, 4]);
    const y = call.read(run(call, x, call.constant([1, 1, 2, 2]), call.constant([0, 0, 0, 1]), 0.5));
    return [-1, -0.5, 0, 4].every((expected, i) => Math.abs((y[i] as number) - expected) < 1e-6);
  } catch {
    return false;
  } finally {
    call.freeAll();
  }
}
