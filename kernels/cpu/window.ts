/**
 * The part of the tensors that is in the kernels' memory: a block of x, of dy where there is one, and of the output, which
 * takes the place of the last input.
 */
import type { View } from '../core/view.ts';
import type { Host } from './host.ts';

/** Values that are worked on at a time, of all inputs together: 128 KB. */
const BLOCK = 32768;
/** Values of the largest sample that is worked on whole, though it is read twice, of all inputs together: 512 KB. */
const WHOLE = 131072;
/** Rows from which sums per column are worth their overhead, however long the rows are. */
const ROWS = 32;

/** Values between two inputs: half a page and a line, lest the same places of both compete for the same lines of the cache. */
const STAGGER = 528;

export class Window {
  /** The addresses of the inputs. */
  readonly x: number;
  readonly dy: number;
  /** Where the kernels put their output; 0 if there is none. */
  readonly out: number;
  readonly #host: Host;
  readonly #length: number;
  readonly #xValues: Float32Array;
  readonly #dyValues: Float32Array | undefined;
  readonly #output: Float32Array | undefined;
  #held = -1;

  constructor(
    host: Host,
    length: number,
    x: Float32Array,
    dy: Float32Array | undefined,
    output: Float32Array | undefined,
  ) {
    this.#host = host;
    this.#length = length;
    this.#xValues = x;
    this.#dyValues = dy;
    this.#output = output;
    this.x = host.take(length + STAGGER);
    this.dy = dy ? host.take(length) : this.x;
    this.out = output ? this.dy : 0;
  }

  /** Brings `size` values of the inputs in, unless they are there. */
  load(from: number, size: number): void {
    if (from === this.#held) return;
    this.#host.load(this.x, this.#xValues, from, size);
    if (this.#dyValues) this.#host.load(this.dy, this.#dyValues, from, size);
    this.#held = from;
  }

  /** Brings `size` values of the output out, if one is wanted. */
  store(from: number, size: number): void {
    if (this.#output === undefined) return;
    this.#host.store(this.out, this.#output, from, size);
    this.#held = -1;
  }

  /** Visits the pieces of a sample, each with the number of values above it. */
  read(start: number, size: number, visit: (size: number, above: number) => void): void {
    for (let above = 0; above < size; above += this.#length) {
      const length = Math.min(this.#length, size - above);
      this.load(start + above, length);
      visit(length, above);
    }
  }

  /** Visits the pieces of a sample, and brings them out; backwards, because after `read` the last one is still there. */
  rewrite(start: number, size: number, visit: (size: number) => void): void {
    for (let above = Math.floor((size - 1) / this.#length) * this.#length; above >= 0; above -= this.#length) {
      const length = Math.min(this.#length, size - above);
      this.load(start + above, length);
      visit(length);
      this.store(start + above, length);
    }
  }
}

/** How many samples go through a window at a time; 0 if one is too large to be worked on whole. */
export function samplesTogether({ n, s, c }: View, inputs: 1 | 2): number {
  const size = s * c;
  if (s > 1 && size * inputs > WHOLE) return 0;
  return Math.min(n, Math.max(1, Math.floor(BLOCK / inputs / size)));
}

/** The size of the pieces in which a sample goes through: rows of `wide` values, at most the sample itself. */
export function pieceOf(size: number, wide: number, inputs: 1 | 2): number {
  return Math.min(size, Math.max(ROWS, Math.floor(BLOCK / inputs / wide)) * wide);
}
