/** Textures, and how large to make them. */
import type { TensorInfo } from '@tensorflow/tfjs-core';

/** A packed tensor, and the size of its texture in texels. */
export interface Texture {
  readonly info: TensorInfo;
  readonly height: number;
  readonly width: number;
  /** Of textures that were made 2^shift wide. */
  readonly shift?: number | undefined;
}
export type Size = Omit<Texture, 'info'>;

/** A texture for so many texels: nearly square, since fragments are shaded in blocks of 2 x 2, and 2^k wide. */
export function sizeFor(texels: number): Size {
  const shift = Math.max(1, Math.ceil(Math.log2(texels) / 2));
  return { width: 2 ** shift, height: Math.ceil(texels / 2 ** shift), shift };
}

/** Texels that every WebGL 2 allows in a row or column. */
const LIMIT = 2048;

/** The same for `rows` x `columns` texels, in rows if that surely fits: they are read fastest by a column's own fragments. */
export const sizeOfRows = (rows: number, columns: number): Size =>
  rows <= LIMIT && columns <= LIMIT ? { width: columns, height: rows } : sizeFor(rows * columns);
