/** `PowerIteration`. Each half of a step takes a product of the matrix with a vector, and the direction of the product. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type Gpu, kernel } from './backend.ts';
import { lanesOf, largest, place, total, walk } from './lanes.ts';
import { sumsOf } from './sums.ts';

const sizeOf = ({ shape }: TensorInfo) => shape.reduce((a, b) => a * b, 1);

/** The lanes of a vector, which is one unit. */
const lanesOfVector = (size: number) => lanesOf({ units: 1, length: size, run: size, areAdjacent: false });

/** v w, summed down the columns, or (w u^T)^T, summed along the rows; of the shape of `like`. */
function product(gpu: Gpu, w: TensorInfo, along: TensorInfo, isAlongRows: boolean, like: TensorInfo): TensorInfo {
  const [rest, out] = w.shape as [number, number];
  const [units, length] = isAlongRows ? [rest, out] : [out, rest];
  const terms = {
    lanes: lanesOf({ units, length, run: isAlongRows ? length : 1, areAdjacent: true }),
    walk: (body: string) =>
      walk(`let at = unit * uniforms.unitStep + k * uniforms.valueStep;
      ${body}`),
    d: 'wAt(at)',
    h: 'alongAt(k)',
    inputs: { w },
    inputsOfH: { along },
    integers: isAlongRows ? { unitStep: out, valueStep: 1 } : { unitStep: 1, valueStep: out },
  };
  return sumsOf(gpu, terms, like.shape);
}

/** The product of two vectors, a scalar. */
function dot(gpu: Gpu, a: TensorInfo, b: TensorInfo): TensorInfo {
  const terms = {
    lanes: lanesOfVector(sizeOf(a)),
    walk,
    d: 'aAt(k)',
    h: 'bAt(k)',
    inputs: { a },
    inputsOfH: { b },
    integers: {},
  };
  return sumsOf(gpu, terms, []);
}

/** WGSL: the `norm` of the values of `array`. Each lane visits some; they are brought near 1 first, since their squares may be no floats. */
const normOf = (array: string, begin: string, end: string) => `
  var greatest = vec2<f32>(0.0);
  for (var k = ${begin}; k < ${end}; k += uniforms.lanes) {
    greatest.x = select(greatest.x, abs(${array}At(k)), abs(${array}At(k)) > greatest.x);
  }
  greatest = largest(greatest, invocation);
  let scale = select(greatest.x, 1.0, greatest.x == 0.0);
  var squares = vec2<f32>(0.0);
  for (var k = ${begin}; k < ${end}; k += uniforms.lanes) {
    let near = ${array}At(k) / scale;
    squares.x += near * near;
  }
  let norm = scale * sqrt(total(squares, invocation).x);`;

/** The direction of x, or `old` where x is no longer than epsilon. */
function direction(gpu: Gpu, x: TensorInfo, old: TensorInfo, epsilon: number): TensorInfo {
  const lanes = lanesOfVector(sizeOf(x));
  const { integers, workgroups, parts } = lanes;
  const norms =
    parts > 1
      ? gpu.run({
          name: 'length of parts of a vector',
          source: `${total()} ${largest()}
fn main(index : i32) {
  ${place()} ${normOf('x', 'begin', 'end')}
  if (isFirst) { result[part] = norm; }
}`,
          inputs: { x },
          integers,
          workgroups,
          shape: [parts],
        })
      : undefined;
  return gpu.run({
    name: 'direction of a vector',
    source: `${total()} ${largest()}
fn main(index : i32) {
  ${place()} ${norms ? normOf('norms', 'lane', 'uniforms.parts') : normOf('x', 'begin', 'end')}
  ${walk('result[k] = select(xAt(k) / norm, oldAt(k), norm <= uniforms.epsilon);')}
}`,
    inputs: { x, old, norms },
    integers,
    floats: { epsilon },
    workgroups,
    shape: old.shape,
  });
}

export const PowerIteration = kernel<'PowerIteration'>((gpu, inputs, { iterations, first, epsilon }) => {
  const { w } = inputs;
  let { u, v } = inputs;
  // sigma is the dot product of the last product and of the vector that is its direction.
  let last = iterations === 0 ? product(gpu, w, u, true, v) : undefined;
  const turnU = () => {
    last = product(gpu, w, v, false, u);
    u = direction(gpu, last, u, epsilon);
  };
  const turnV = () => {
    last = product(gpu, w, u, true, v);
    v = direction(gpu, last, v, epsilon);
  };
  for (let i = 0; i < iterations; i++) {
    if (first === 'u') turnU();
    turnV();
    if (first === 'v') turnU();
  }
  const sigma = dot(gpu, last as TensorInfo, iterations > 0 && first === 'v' ? u : v);
  return [gpu.share(u), gpu.share(v), gpu.give(sigma)];
});
