/** Conditional forms: gamma and beta are no weights, but come with x, a row of them for so many cells. */
import * as tf from '@tensorflow/tfjs';
import { SIZE } from './activations.ts';
import { type Cell, cellsOf, instance, type Key, type Shape, single } from './cells.ts';

/**
 * Where the rows come from: a condition of each example, a map that says something of each position, or another image, the last one
 * of the batch, whose deviations and means they are.
 */
export type Condition = 'example' | 'position' | 'style';

/** Cells of the same key share a row's gamma and beta. */
export const ROWS: Readonly<Record<Condition, Key>> = { example: instance, position: single, style: instance };

/** A gamma of a condition, so that one sees where it is another: larger from example to example, or from left to right. */
export function gammaAt(condition: Exclude<Condition, 'style'>, { example, column }: Cell, gamma: number): number {
  return condition === 'example' ? gamma + example / 2 : gamma * (0.5 + column / (SIZE - 1));
}

export interface Given {
  readonly condition: Condition;
  readonly gamma: number;
  readonly beta: number;
  /** What the layer itself adds to a gamma that it is given. */
  readonly added: number;
}

/** What a layer takes beside x, which is not watched for gradients. */
export function givenWith({ condition, gamma, beta, added }: Given, x: tf.Tensor4D): tf.Tensor[] {
  const [examples, rows, columns, channels] = x.shape;
  if (condition === 'style') return [tf.tile(tf.slice(x, [examples - 1], [1]), [examples, 1, 1, 1])];
  const shape: Shape =
    condition === 'position' ? { examples, rows, columns, channels } : { examples, rows: 1, columns: 1, channels };
  const sizes = condition === 'position' ? x.shape : [examples, channels];
  const gammas = cellsOf(shape).map((cell) => gammaAt(condition, cell, gamma) - added);
  return [tf.tensor(gammas, sizes), tf.fill(sizes, beta)];
}
