/**
 * `PowerIteration`. Each half of a step takes a product of the matrix with a vector, the squares of its length, and the vector
 * that it turns: three draws, or four where the sums of the product are so long that they are taken in parts.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type Gpu, kernel, sizeFor, type Texture } from './backend.ts';
import { CELL, saturate } from './glsl.ts';

/** Texels that a fragment sums up. */
const CHUNK = 256;

interface Vector {
  readonly texture: Texture;
  /** In values. */
  readonly size: number;
}

const texels = (size: number) => Math.ceil(size / 2);
const isOdd = (size: number) => size % 2;

/** Two values of a vector, whose last texel may hold one value and padding. */
const write = () => `
  if (cell % cells == cells - 1 && odd == 1) value.y = 0.;
  setOutput(${saturate('vec4(value, 0., 0.)')});`;

/** v w, summed down the columns, or (w u^T)^T, summed along the rows. */
function product(gpu: Gpu, w: Texture, along: Vector, result: number, isAlongRows: boolean): Vector {
  const [length, cells] = [texels(along.size), texels(result)];
  const parts = Math.ceil(length / CHUNK);
  const texture = gpu.draw({
    name: 'product with a vector',
    source: `
void main() {
  ${CELL}
  int part = cell / cells, i = cell - part * cells;
  vec2 value = vec2(0.);
  int end = min((part + 1) * chunk, length);
  for (int k = part * chunk; k < end; k++) {
    vec4 m = ${isAlongRows ? 'wAt(i, k)' : 'wAt(k, i).xzyw'};
    vec2 v = vTexel(k).xy;
    bool isHalf = k == length - 1 && oddLength == 1;
    value += m.xz * v.x;
    if (!isHalf) value += m.yw * v.y;
  }
  ${write()}
}`,
    textures: { w, v: along.texture },
    integers: {
      columns: texels(isAlongRows ? along.size : result),
      ...{ cells, length, chunk: CHUNK, oddLength: isOdd(along.size), odd: isOdd(result) },
    },
    size: sizeFor(parts * cells),
  });
  return { texture: parts === 1 ? texture : sumOfParts(gpu, texture, parts, result), size: result };
}

function sumOfParts(gpu: Gpu, partials: Texture, parts: number, size: number): Texture {
  const cells = texels(size);
  return gpu.draw({
    name: 'sum of parts of a product',
    source: `
void main() {
  ${CELL}
  vec2 value = vec2(0.);
  for (int part = 0; part < parts; part++) value += partialsTexel(part * cells + min(cell, cells - 1)).xy;
  ${write()}
}`,
    textures: { partials },
    integers: { parts, cells, odd: isOdd(size) },
    size: sizeFor(cells),
  });
}

/** Parts of the sum of products of two vectors, `CHUNK` texels each. */
function dots(gpu: Gpu, a: Vector, b: Vector): { texture: Texture; count: number } {
  const length = texels(a.size);
  const count = Math.ceil(length / CHUNK);
  const texture = gpu.draw({
    name: 'product of vectors',
    source: `
void main() {
  ${CELL}
  float sum = 0.;
  int end = min((cell + 1) * chunk, length);
  for (int k = cell * chunk; k < end; k++) {
    vec4 a = aTexel(k), b = bTexel(k);
    sum += a.x * b.x;
    if (k < length - 1 || odd == 0) sum += a.y * b.y;
  }
  setOutput(${saturate('vec4(sum, 0., 0., 0.)')});
}`,
    textures: { a: a.texture, b: b.texture },
    integers: { chunk: CHUNK, length, odd: isOdd(a.size) },
    size: sizeFor(count),
  });
  return { texture, count };
}

const SUM = `
float sumOfDots() {
  float sum = 0.;
  for (int i = 0; i < count; i++) sum += dotsTexel(i).x;
  return sum;
}`;

/** The direction of x, or `old` where x is no longer than epsilon; and the parts of the square of its length. */
function turn(gpu: Gpu, x: Vector, old: Vector, epsilon: number) {
  const squares = dots(gpu, x, x);
  const cells = texels(x.size);
  const texture = gpu.draw({
    name: 'direction of a vector',
    source: `${SUM}
void main() {
  ${CELL}
  float norm = sqrt(sumOfDots());
  int i = min(cell, cells - 1);
  vec2 value = norm <= epsilon ? oldTexel(i).xy : xTexel(i).xy / norm;
  ${write()}
}`,
    textures: { x: x.texture, old: old.texture, dots: squares.texture },
    integers: { cells, count: squares.count, odd: isOdd(x.size) },
    floats: { epsilon },
    size: sizeFor(cells),
  });
  return { vector: { texture, size: x.size }, squares };
}

export const powerIteration = kernel<'PowerIteration'>((gpu, inputs, { iterations, first, epsilon }) => {
  const { w: matrix, u: givenU, v: givenV } = inputs;
  const [rest, out] = matrix.shape as [number, number];
  const w = gpu.texture(matrix, [1, rest, out]);
  let u: Vector = { texture: gpu.texture(givenU, [1, 1, out]), size: out };
  let v: Vector = { texture: gpu.texture(givenV, [1, 1, rest]), size: rest };
  // The length of the last product is what its vector makes sigma of.
  let last: ReturnType<typeof dots> | undefined;
  const turnU = () => {
    ({ vector: u, squares: last } = turn(gpu, product(gpu, w, v, out, false), u, epsilon));
  };
  const turnV = () => {
    ({ vector: v, squares: last } = turn(gpu, product(gpu, w, u, rest, true), v, epsilon));
  };
  for (let i = 0; i < iterations; i++) {
    if (first === 'u') turnU();
    turnV();
    if (first === 'v') turnU();
  }
  const { texture, count } = last ?? dots(gpu, product(gpu, w, u, rest, true), v);
  const sigma = gpu.draw({
    name: 'sigma',
    source: `${SUM} void main() { setOutput(vec4(${last ? 'sqrt(sumOfDots())' : 'sumOfDots()'}, 0., 0., 0.)); }`,
    textures: { dots: texture },
    integers: { count },
    size: sizeFor(1),
  });
  return [copyOf(gpu, u, givenU), copyOf(gpu, v, givenV), gpu.give(sigma, [])];
});

/** A vector as an output, which must not be an input. */
function copyOf(gpu: Gpu, { texture, size }: Vector, given: TensorInfo): TensorInfo {
  const packed = [1, 1, size];
  if (texture.info.dataId !== given.dataId) return gpu.give(texture, given.shape, packed);
  const cells = texels(size);
  const copy = gpu.draw({
    name: 'copy of a vector',
    source: `
void main() {
  ${CELL}
  vec2 value = givenTexel(min(cell, cells - 1)).xy;
  ${write()}
}`,
    textures: { given: texture },
    integers: { cells, odd: isOdd(size) },
    size: sizeFor(cells),
  });
  return gpu.give(copy, given.shape, packed);
}
