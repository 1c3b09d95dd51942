/**
 * The WebAssembly module: its exports, typed, and its instantiation on a memory. It does all arithmetic of the backends cpu and
 * wasm, which place values in that memory. What each function computes is said in assembly/.
 */
import type { View } from '../core/view.ts';
import { binary } from './module.ts';

/**
 * An address in bytes; sizes are in values. WebAssembly takes addresses above 2 GB as they are, but returns them as negative
 * numbers, which `>>> 0` turns back into addresses.
 */
export type Address = number;

export interface SimdKernels {
  formSize(c: number, wide: number, affine: boolean): number;
  describe(
    form: Address,
    s: number,
    c: number,
    groups: number,
    wide: number,
    gamma: Address,
    beta: Address,
    center: boolean,
    placement: number,
    epsilon: number,
    affine: boolean,
  ): void;

  condition(form: Address, share: number, dgamma: Address, dbeta: Address): void;
  advance(form: Address, rows: number): void;
  seek(form: Address, row: number): void;

  rowsForward(
    form: Address,
    x: Address,
    residual: Address,
    sum: Address,
    y: Address,
    mean: Address,
    variance: Address,
    rows: number,
  ): void;
  rowsBackward(
    form: Address,
    x: Address,
    dy: Address,
    dsum: Address,
    dx: Address,
    mean: Address,
    variance: Address,
    rows: number,
  ): void;
  columnsForward(form: Address, x: Address, y: Address, mean: Address, variance: Address, n: number): void;
  columnsBackward(
    form: Address,
    x: Address,
    dy: Address,
    dx: Address,
    mean: Address,
    variance: Address,
    n: number,
  ): void;
  parameterGradients(form: Address, dgamma: Address, dbeta: Address): void;

  clearSums(form: Address): void;
  columnMoments(form: Address, x: Address, size: number, rows: number): void;
  columnCoefficients(form: Address, mean: Address, variance: Address): void;
  columnMeans(form: Address, mean: Address): void;
  columnGradCoefficients(form: Address, variance: Address): void;

  conditionCoefficients(form: Address, mean: Address, variance: Address): void;
  conditionAffine(form: Address, x: Address, y: Address, size: number): void;
  clearConditions(form: Address): void;
  conditionGradSums(form: Address, x: Address, dy: Address, size: number): void;
  conditionGradCoefficients(form: Address, variance: Address): void;
  conditionGradAffine(form: Address, x: Address, dy: Address, dx: Address, size: number): void;

  addArrays(a: Address, b: Address, sum: Address, size: number): void;

  columnAffine(form: Address, x: Address, y: Address, size: number): void;
  columnGradSums(form: Address, x: Address, dy: Address, size: number): void;
  columnGradAffine(form: Address, x: Address, dy: Address, dx: Address, size: number): void;
  coefficientsOf(form: Address): Address;
  sumsOf(form: Address): Address;

  powerIteration(
    w: Address,
    u: Address,
    v: Address,
    product: Address,
    sums: Address,
    rest: number,
    out: number,
    iterations: number,
    uFirst: boolean,
    epsilon: number,
  ): number;

  swapAxes(x: Address, y: Address, n: number, a: number, b: number): void;
}

/** The numbers by which the kernels know where epsilon stands; 'none': nothing is divided. */
export const PLACEMENTS = { inside: 0, outside: 1, floor: 2, none: 3 } as const;

/** The bytes that build.mjs wrote as text: `}` and `~` add 93 and 186 to the character after them. */
function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  let added = 0;
  for (let i = 0; i < text.length; i++) {
    const value = text.charCodeAt(i) - 32;
    if (value > 92) added = 93 * (value - 92);
    else {
      bytes.push(added + value);
      added = 0;
    }
  }
  return Uint8Array.from(bytes);
}

/** The bytes of the import before its flags: the name of the memory, and 2, the kind of imports that are memories. */
const IMPORT = [...'memory'].map((character) => character.charCodeAt(0)).concat(2);
/** The flags of a memory with a maximum size that threads do not share, and do. */
const UNSHARED = 1;
const SHARED = 3;

/** Changes the flags of the module's import, so that it takes a memory that threads share. */
function share(bytes: Uint8Array): void {
  const start = bytes.findIndex((_, i) => IMPORT.every((byte, k) => bytes[i + k] === byte));
  const flags = start + IMPORT.length;
  if (start === -1 || bytes[flags] !== UNSHARED) throw new Error('no memory is imported');
  bytes[flags] = SHARED;
}

/** The kernels on `memory`. Throws where WebAssembly, its SIMD or its compilation is refused. */
export function instantiate(memory: WebAssembly.Memory): SimdKernels {
  const bytes = bytesOf(binary);
  // Not by `instanceof`: pages without cross-origin isolation have no class SharedArrayBuffer.
  if (Object.prototype.toString.call(memory.buffer) === '[object SharedArrayBuffer]') share(bytes);
  const module = new WebAssembly.Module(bytes);
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as SimdKernels;
}

/** The size of an array with a value per column, padded to whole vectors. */
export const padded = (columns: number) => Math.ceil(columns / 4) * 4;

/** The number of columns as which kernels read a sample [s, c]: a multiple of c that fills the lanes, but at most s * c. */
export function wideOf({ s, c }: Pick<View, 's' | 'c'>): number {
  if (c === 0) return 0;
  let copies = c % 4 === 0 ? 1 : c % 2 === 0 ? 2 : 4;
  while (copies * c < 16) copies *= 2;
  return Math.min(copies, s) * c;
}
