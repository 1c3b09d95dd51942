/**
 * Batch renormalization in both forms, that of its paper (`BatchRenormalization`) and that of Keras (`BatchNormalization` with
 * `renorm`), and the options in which they differ.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { fail } from '../../kernels/core/errors.ts';
import { checkAtLeast, checkKeys } from '../../kernels/functions/checks.ts';
import type { AffineOptions } from '../../kernels/functions/normalization.ts';
import { type Averages, type CorrectionBounds, correction } from '../../kernels/ops/correction.ts';
import { renormalizePerChannel } from '../../kernels/ops/per-channel.ts';

/** Keras's bounds of renormalization. */
export interface KerasClipping {
  /** The largest r. Default: none. */
  rmax?: number;
  /** The smallest r. Default: none. */
  rmin?: number;
  /** The largest |d|. Default: none. */
  dmax?: number;
}

/** Bounds of the correction. */
export interface RenormClipping {
  /** The largest r, at least 1. Default: 3. */
  rmax?: number;
  /** The smallest r, from 0 to 1. Default: 1 / rmax. */
  rmin?: number;
  /** The largest |d|, at least 0. Default: 5. */
  dmax?: number;
}

/** How a normalization by batch statistics is corrected. */
export interface Correction {
  /** Added to the variance of the batch under the root. */
  readonly epsilon: number;
  /** The averages towards which it is corrected. */
  readonly averages: Averages;
  /** The bounds of the correction. */
  readonly bounds: () => CorrectionBounds;
  /** Called after the correction with mean and deviation of the batch, [2, channels], to move averages for the next call. */
  readonly follow: (batch: Tensor) => void;
}

/** Normalizes by the batch's statistics, corrected towards averages: a training call. */
export function renormalize(
  x: Tensor,
  axis: number,
  parameters: AffineOptions,
  { epsilon, averages, bounds, follow }: Correction,
): Tensor {
  return renormalizePerChannel(x, axis, parameters, epsilon, (batch) => {
    const corrected = correction(batch, averages, bounds(), epsilon);
    follow(batch.both);
    return corrected;
  });
}

const NAMES = ['rmax', 'rmin', 'dmax'];

/** Checks Keras's bounds, and returns those that are given. */
export function checkKerasClipping(who: string, given: KerasClipping): Readonly<KerasClipping> {
  checkKeys(who, 'renormClipping', given, NAMES);
  const usual = 'rmax 3, rmin 1 / 3 and dmax 5 are usual';
  const bounds = Object.entries(given).filter(([, bound]) => bound !== null && bound !== undefined);
  for (const [name, bound] of bounds) checkAtLeast(who, `renormClipping.${name}`, bound, 0, usual);
  const { rmin = 0, rmax = rmin } = given;
  if (rmin > rmax) fail(who, `renormClipping.rmin (${rmin}) must not be above rmax (${rmax}); ${usual}`);
  return Object.fromEntries(bounds);
}

/** The paper's bounds; an absent rmin is 1 / rmax. */
export type CheckedClipping = Readonly<RenormClipping & Required<Pick<RenormClipping, 'rmax' | 'dmax'>>>;

/** Checks the paper's bounds, and returns them with defaults. */
export function checkClipping(who: string, given: RenormClipping): CheckedClipping {
  checkKeys(who, 'renormClipping', given, NAMES);
  const { rmin } = given;
  const rmax = checkAtLeast(who, 'renormClipping.rmax', given.rmax ?? 3, 1, '3 is usual');
  const dmax = checkAtLeast(who, 'renormClipping.dmax', given.dmax ?? 5, 0, '5 is usual');
  if (rmin === undefined || rmin === null) return { rmax, dmax };
  checkAtLeast(who, 'renormClipping.rmin', rmin, 0, '1 / rmax is usual');
  if (rmin > 1) fail(who, `renormClipping.rmin must be at most 1; received ${rmin}; 1 / rmax is usual`);
  return { rmax, dmax, rmin };
}
