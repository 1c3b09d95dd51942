/** Textures, and how large to make them. */
import type { TensorInfo } from '@tensorflow/tfjs-core';

/** A packed tensor, and the size of its texture in texels. */
export interface Texture {
  readonly info: TensorInfo;
  readonly height: number;
  readonly width: number;
  /** The width is 2^shift; only of textures that are made here. */
  readonly shift?: number | undefined;
}
export type Size = Omit<Texture, 'info'>;

/** A texture for this many texels: nearly square, since fragments are shaded in blocks of 2 x 2, and 2^k wide. */
export function sizeFor(texels: number): Size {
  const shift = Math.max(1, Math.ceil(Math.log2(texels) / 2));
  return { width: 2 ** shift, height: Math.ceil(texels / 2 ** shift), shift };
}

/** The texels in a row or column that every WebGL 2 allows. */
const LIMIT = 2048;

/** A texture for rows x columns texels, with these rows if they surely fit: then fragments of a column read them without an index. */
export const sizeOfRows = (rows: number, columns: number): Size =>
  rows <= LIMIT && columns <= LIMIT ? { width: columns, height: rows } : sizeFor(rows * columns);
