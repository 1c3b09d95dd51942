/** How a group is normalized: options of functions, and the attributes of kernels that are made of them. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { EpsilonPlacement, NormalizeAttrs } from '../core/contract.ts';
import type { View } from '../core/view.ts';

export const EPSILON_PLACEMENTS = ['inside', 'outside', 'floor'] as const satisfies readonly EpsilonPlacement[];

/** How a group is normalized: everything of `NormalizeAttrs` but the view. */
export type Form = Omit<NormalizeAttrs, 'view'>;
/** The usual form. */
export const centred = (epsilon: number): Form => ({
  epsilon,
  epsilonPlacement: 'inside',
  center: true,
  rescale: true,
});

/** The attributes of a form on a view. Spelled out: object spread is slow enough to be measured on small tensors. */
export const onView = (view: View, { epsilon, epsilonPlacement, center, rescale }: Form): NormalizeAttrs => ({
  view,
  epsilon,
  epsilonPlacement,
  center,
  rescale,
});

/**
 * Parameters that every function takes; gamma defaults to ones and beta to zeros. Each has one value per channel, in any shape of that
 * size; or, for conditional normalization, a row of them per example, [batch, channels], or per position, of the shape of x, where the
 * axes of positions may be of size 1 from some axis on: [batch, 1, 1, channels] is [batch, channels].
 */
export interface AffineOptions {
  /** Scale. Default: none. */
  readonly gamma?: Tensor | undefined;
  /** Shift. Default: none. */
  readonly beta?: Tensor | undefined;
}
