/** Statistics that are given as numbers: the options `mean` and `variance` of FeatureNormalization, their checks and tensors. */
import { type Tensor, tensor } from '@tensorflow/tfjs-core';
import { fail, show } from '../../kernels/core/errors.ts';
import type { Shape } from './options.ts';

/** A number for all indices, or numbers nested as the axes, or as the last of them. */
export type Statistic = number | Statistic[];

type Statistics<T> = Readonly<Record<'mean' | 'variance', T | undefined>>;

/** Checks that both statistics are given, or neither. */
export function checkTogether(
  who: string,
  mean: Statistic | undefined,
  variance: Statistic | undefined,
): Statistics<Statistic> {
  if ((mean === undefined) !== (variance === undefined)) {
    fail(who, `mean and variance go together; received only ${mean === undefined ? 'variance' : 'mean'}; give both`);
  }
  if (mean === undefined || variance === undefined) return { mean: undefined, variance: undefined };
  return { mean: checkNumbers(who, 'mean', mean), variance: checkNumbers(who, 'variance', variance, 0) };
}

function checkNumbers(who: string, name: string, given: Statistic, least = Number.NEGATIVE_INFINITY): Statistic {
  const values = valuesOf(given);
  if (values.length !== shapeOf(given).reduce((a, b) => a * b, 1)) {
    fail(who, `${name} must be a number or nested lists of one length at each depth; received ${show(given)}`);
  }
  const wrong = values.find((value) => !(Number.isFinite(value) && value >= least));
  if (values.length > 0 && wrong === undefined) return given;
  const rule = `${name} must hold finite numbers${least === 0 ? ' of at least 0' : ''}`;
  return fail(who, `${rule}; received ${show(wrong ?? given)}; give one for each index of axis`);
}

/** Fails if a statistic does not have the sizes of the axes, or of the last of them; null is a size that is not known yet. */
export function checkFits(who: string, name: string, statistic: Statistic | undefined, sizes: Shape): void {
  if (statistic === undefined || sizes.includes(null)) return;
  const own = shapeOf(statistic);
  const isOne = own.every((size) => size === 1);
  const fits = (size: number, i: number) => size === 1 || size === sizes.at(i - own.length);
  if (isOne || (own.length <= sizes.length && own.every(fits))) return;
  const rule = `${name} must be one number, or have the shape [${sizes}] of the axes, or of the last of them, or 1 there`;
  fail(who, `${rule}; received the shape [${own}]; see the option axis`);
}

/** A statistic as a tensor; one number, however nested, has no axes. */
export function tensorOf(statistic: Statistic | undefined): Tensor {
  const values = valuesOf(statistic as Statistic);
  return tensor(values, values.length === 1 ? [] : shapeOf(statistic as Statistic));
}

const valuesOf = (statistic: Statistic): number[] =>
  Array.isArray(statistic) ? statistic.flatMap(valuesOf) : [statistic];

/** The lengths of nested lists, by the first at each depth. */
const shapeOf = (statistic: Statistic): number[] =>
  Array.isArray(statistic)
    ? [statistic.length, ...(statistic.length > 0 ? shapeOf(statistic[0] as Statistic) : [])]
    : [];
