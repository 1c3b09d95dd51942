/** Moving averages. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { AverageAttrs } from '../core/contract.ts';
import { constant } from '../core/tape.ts';
import { Average, compute } from './gradients.ts';

/** `momentum * old + (1 - momentum) * moments[row]`; a constant to every gradient. */
export const average = (old: Tensor, moments: Tensor, attrs: AverageAttrs): Tensor =>
  constant(() => compute(Average, { old, moments }, attrs)[0]);
