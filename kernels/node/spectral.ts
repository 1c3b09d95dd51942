/** `PowerIteration`: TensorFlow takes the products with the matrix; norms of vectors, which are short, are taken in JavaScript. */
import { kernel } from './backend.ts';
import { sumAlongRows, weightedSumOfRows } from './sums.ts';

type Numbers = ArrayLike<number>;

export const PowerIteration = kernel<'PowerIteration'>((call, inputs, attrs) => {
  const { iterations, first, epsilon } = attrs;
  const w = call.input(inputs.w);
  let u: Float32Array = Float32Array.from(call.read(call.input(inputs.u)));
  let v: Float32Array = Float32Array.from(call.read(call.input(inputs.v)));
  const vw = () => weightedSumOfRows(call, v, w);
  const uwT = () => call.take(sumAlongRows(call, w, u));
  let sigma = 0;
  // u is the direction of v w, and v that of u w^T: so the dot product of either vector with its product is sigma.
  const turnU = () => {
    const product = vw();
    u = direction(product, u, epsilon);
    sigma = dot(product, u);
  };
  const turnV = () => {
    const product = uwT();
    v = direction(product, v, epsilon);
    sigma = dot(product, v);
  };
  for (let i = 0; i < iterations; i++) {
    if (first === 'u') turnU();
    turnV();
    if (first === 'v') turnU();
  }
  if (iterations === 0) sigma = dot(uwT(), v);
  return [call.small(u, inputs.u.shape), call.small(v, inputs.v.shape), call.small(Float32Array.of(sigma), [])];
});

function dot(a: Numbers, b: Numbers): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** x / ||x||, or `old` if ||x|| <= epsilon. A norm of NaN gives NaN. */
function direction(x: Numbers, old: Float32Array, epsilon: number): Float32Array {
  const norm = Math.sqrt(dot(x, x));
  return norm <= epsilon ? old : Float32Array.from(x, (value) => value / norm);
}
