/** Mean and biased variance of each channel. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { constant } from '../core/tape.ts';
import type { View } from '../core/view.ts';
import { apply, compute, Moments } from './gradients.ts';
import { ofNothing } from './nothing.ts';

/** Moments [2, n * c], zeros if x is empty; `view.groups` must be `view.c`. */
export const moments = (x: Tensor, view: View): Tensor =>
  x.size === 0 ? ofNothing([2, view.n * view.c], x) : apply(Moments, { x }, { view });

/** The statistics [2, k] that the kernel `Normalize` would output: a constant to every gradient. */
export const statisticsOf = (x: Tensor, view: View): Tensor =>
  constant(() => compute(Moments, { x }, { view, asStatistics: true })[0]);
