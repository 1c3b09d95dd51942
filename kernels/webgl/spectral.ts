/**
 * `PowerIteration`. Each half of a step is three draws: the product of the matrix with one vector, its norm, and their quotient,
 * which is the other vector. There is a fourth draw if the sums of the product are so long that they are taken in parts.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type Gpu, kernel } from './backend.ts';
import { CELL, saturate } from './glsl.ts';
import { sizeFor, type Texture } from './texture.ts';

/** Texels that a fragment sums up. */
const CHUNK = 256;

interface Vector {
  readonly texture: Texture;
  /** In values. */
  readonly size: number;
}

const texels = (size: number) => Math.ceil(size / 2);
const isOdd = (size: number) => size % 2;

/** GLSL: writes two values of a vector, whose last texel may hold one value and padding. */
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

/** A number that is computed from parts of a vector, `CHUNK` texels each. */
interface Parts {
  readonly texture: Texture;
  readonly count: number;
}

/** GLSL: `value` of each part of vectors, from its texels `k` up to `end`. */
function ofParts(gpu: Gpu, { texture, size }: Vector, name: string, statements: string, b?: Texture): Parts {
  const length = texels(size);
  const count = Math.ceil(length / CHUNK);
  const parts = gpu.draw({
    name,
    source: `
vec2 values(vec4 texel, int k) { return k == length - 1 && odd == 1 ? vec2(texel.x, 0.) : texel.xy; }
void main() {
  ${CELL}
  float value = 0.;
  int start = cell * chunk, end = min(start + chunk, length);
  ${statements}
  setOutput(${saturate('vec4(value, 0., 0., 0.)')});
}`,
    textures: { a: texture, b },
    integers: { chunk: CHUNK, length, odd: isOdd(size) },
    size: sizeFor(count),
  });
  return { texture: parts, count };
}

/** Sums of products of two vectors. */
const dots = (gpu: Gpu, a: Vector, b: Vector): Parts =>
  ofParts(
    gpu,
    a,
    'product of vectors',
    'for (int k = start; k < end; k++) value += dot(values(aTexel(k), k), values(bTexel(k), k));',
    b.texture,
  );

/** Norms of parts. Values are divided by the largest first, since their squares may be no floats. */
const lengths = (gpu: Gpu, x: Vector): Parts =>
  ofParts(
    gpu,
    x,
    'length of a vector',
    `
  float largest = 0.;
  for (int k = start; k < end; k++) {
    vec2 sizes = abs(values(aTexel(k), k));
    largest = max(largest, max(sizes.x, sizes.y));
  }
  if (largest == 0.) largest = 1.;
  for (int k = start; k < end; k++) {
    vec2 near = values(aTexel(k), k) / largest;
    value += dot(near, near);
  }
  value = largest * sqrt(value);`,
  );

const SUM = `
float sumOfParts() {
  float sum = 0.;
  for (int i = 0; i < count; i++) sum += partsTexel(i).x;
  return sum;
}`;

const LENGTH = `
float lengthOfParts() {
  float largest = 0., sum = 0.;
  for (int i = 0; i < count; i++) largest = max(largest, partsTexel(i).x);
  if (largest == 0.) largest = 1.;
  for (int i = 0; i < count; i++) {
    float near = partsTexel(i).x / largest;
    sum += near * near;
  }
  return largest * sqrt(sum);
}`;

/** x / ||x||, or `old` if ||x|| <= epsilon; and the norms of the parts of x. */
function turn(gpu: Gpu, x: Vector, old: Vector, epsilon: number) {
  const parts = lengths(gpu, x);
  const cells = texels(x.size);
  const texture = gpu.draw({
    name: 'direction of a vector',
    source: `${LENGTH}
void main() {
  ${CELL}
  float norm = lengthOfParts();
  int i = min(cell, cells - 1);
  vec2 value = norm <= epsilon ? oldTexel(i).xy : xTexel(i).xy / norm;
  ${write()}
}`,
    textures: { x: x.texture, old: old.texture, parts: parts.texture },
    integers: { cells, count: parts.count, odd: isOdd(x.size) },
    floats: { epsilon },
    size: sizeFor(cells),
  });
  return { vector: { texture, size: x.size }, parts };
}

export const PowerIteration = kernel<'PowerIteration'>((gpu, inputs, { iterations, first, epsilon }) => {
  const { w: matrix, u: givenU, v: givenV } = inputs;
  const [rest, out] = matrix.shape as [number, number];
  const w = gpu.texture(matrix, [1, rest, out]);
  let u: Vector = { texture: gpu.texture(givenU, [1, 1, out]), size: out };
  let v: Vector = { texture: gpu.texture(givenV, [1, 1, rest]), size: rest };
  // sigma is the norm of the last product.
  let last: Parts | undefined;
  const turnU = () => {
    ({ vector: u, parts: last } = turn(gpu, product(gpu, w, v, out, false), u, epsilon));
  };
  const turnV = () => {
    ({ vector: v, parts: last } = turn(gpu, product(gpu, w, u, rest, true), v, epsilon));
  };
  for (let i = 0; i < iterations; i++) {
    if (first === 'u') turnU();
    turnV();
    if (first === 'v') turnU();
  }
  const { texture, count } = last ?? dots(gpu, product(gpu, w, u, rest, true), v);
  const sigma = gpu.draw({
    name: 'sigma',
    source: `${last ? LENGTH : SUM}
void main() {
  float value = ${last ? 'lengthOfParts()' : 'sumOfParts()'};
  setOutput(${saturate('vec4(value, 0., 0., 0.)')});
}`,
    textures: { parts: texture },
    integers: { count },
    size: sizeFor(1),
  });
  return [copyOf(gpu, u, givenU), copyOf(gpu, v, givenV), gpu.give(sigma, [])];
});

/** A vector as an output: a copy if it is the given one, since an output must not be an input. */
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
