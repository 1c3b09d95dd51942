/** `PowerIteration`: one matrix product for each vector of a step. The vectors are short: their lengths are taken here. */
import { type Call, kernel, type Value } from './backend.ts';

type Numbers = ArrayLike<number>;

export const powerIteration = kernel<'PowerIteration'>((call, inputs, attrs) => {
  const { iterations, first, epsilon } = attrs;
  const w = call.input(inputs.w);
  let u: Numbers = call.read(call.input(inputs.u));
  let v: Numbers = call.read(call.input(inputs.v));
  let sigma = 0;
  // The product that turns a vector is also what that vector makes sigma of.
  const turnU = () => {
    const product = times(call, v, w, false);
    u = direction(product, u, epsilon);
    sigma = dot(product, u);
  };
  const turnV = () => {
    const product = times(call, u, w, true);
    v = direction(product, v, epsilon);
    sigma = dot(product, v);
  };
  for (let i = 0; i < iterations; i++) {
    if (first === 'u') turnU();
    turnV();
    if (first === 'v') turnU();
  }
  if (iterations === 0) sigma = dot(times(call, u, w, true), v);
  return [
    call.small(Float32Array.from(u), inputs.u.shape),
    call.small(Float32Array.from(v), inputs.v.shape),
    call.small(Float32Array.of(sigma), []),
  ];
});

/** vector w, or vector w^T. */
function times(call: Call, vector: Numbers, w: Value, transposed: boolean): Numbers {
  const row = call.constant(vector, [1, vector.length]);
  return call.take(call.run('MatMul', [row, w], { transpose_b: transposed })[0] as Value);
}

function dot(a: Numbers, b: Numbers): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** x / ||x||, or `old` where x is no longer than epsilon. A NaN is a length, too. */
function direction(x: Numbers, old: Numbers, epsilon: number): Numbers {
  const norm = Math.sqrt(dot(x, x));
  return norm <= epsilon ? old : Float32Array.from(x, (value) => value / norm);
}
