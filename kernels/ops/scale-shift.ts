/** Multiplication and addition per example and channel. Nothing is checked here. */
import { add, mul, type Tensor, zeros } from '@tensorflow/tfjs-core';
import type { Inputs } from '../core/contract.ts';
import { recording } from '../core/tape.ts';
import type { View } from '../core/view.ts';
import { apply, compute, ScaleShift, ScaleShiftGrad } from './gradients.ts';
import { inHalf } from './half.ts';
import { affineOfGiven } from './half-batch.ts';
import { ofNothing } from './nothing.ts';
import { reciprocalRoot } from './quotient.ts';

/** What `scaleShift` applies: n * c values each; what is absent is 0 (mean, shift) or 1 (variance, scale). */
export type Affine = Omit<Inputs<'ScaleShift', Tensor>, 'x'>;

/**
 * y = (x - mean) / sqrt(variance + epsilon) * scale + shift, differentiable in every argument. On a tape the kernel is given
 * scale / sqrt(variance + epsilon) as its scale, a small tensor that the tape differentiates by itself.
 */
export function scaleShift(x: Tensor, affine: Affine, view: View, epsilon = 0): Tensor {
  const { mean, variance, shift } = affine;
  if (x.size === 0) return ofNothing(x.shape, x, mean, variance, affine.scale, shift);
  if (!recording()) return compute(ScaleShift, { x, ...affine }, { view, epsilon })[0];
  if ((mean || variance) && view.n === 1 && inHalf()) return affineOfGiven(x, affine, view, epsilon);
  const rstd = variance && reciprocalRoot(add(variance, epsilon), epsilon);
  const scale = affine.scale && rstd ? mul(affine.scale, rstd) : (affine.scale ?? rstd);
  return apply(ScaleShift, { x, mean, scale, shift }, { view, epsilon });
}

/** [n, c] each: the sums over the positions of dy (x - mean) and of dy. */
export const scaleShiftGrad = (dy: Tensor, x: Tensor, mean: Tensor | undefined, view: View) =>
  compute(ScaleShiftGrad, { dy, x, mean: mean ?? zeros([view.n * view.c]) }, { view });
