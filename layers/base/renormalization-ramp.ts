/** How the bounds of batch renormalization move from those of batch normalization to their own, over many training calls. */
import { add, clipByValue, div, mul, reciprocal, slice, sub, type Tensor, unstack } from '@tensorflow/tfjs-core';
import { fail, show } from '../../kernels/core/errors.ts';
import { checkKeys } from '../../kernels/functions/checks.ts';
import type { CorrectionBounds } from '../../kernels/ops/correction.ts';
import type { CheckedClipping } from './renormalization.ts';

/** The training calls between which a bound moves from that of batch normalization (r = 1, d = 0) to its value. */
export interface RampSteps {
  /** The calls during which rmax goes from 1 to its value. Default: [5000, 40000]. */
  rmax?: [from: number, to: number];
  /** The calls during which dmax goes from 0 to its value. Default: [5000, 25000]. */
  dmax?: [from: number, to: number];
}

/** The weight that counts training calls is a float32, which cannot count further. */
const MOST_STEPS = 2 ** 24;

/** The ramps of both bounds, with the defaults of those that are absent. */
export function checkRamp(who: string, given: RampSteps): Readonly<Required<RampSteps>> {
  checkKeys(who, 'rampSteps', given, ['rmax', 'dmax']);
  const pair = (name: 'rmax' | 'dmax', usual: [number, number]): [number, number] => {
    const steps: readonly number[] = given[name] ?? usual;
    const [from = -1, to = -1, ...more] = Array.isArray(steps) ? steps : [];
    const counts = Number.isInteger(from) && Number.isInteger(to) && more.length === 0;
    if (counts && from >= 0 && to > from && to <= MOST_STEPS) return [from, to];
    return fail(
      who,
      `rampSteps.${name} must be two ascending counts of training calls up to 2^24, [from, to]; received ` +
        `${show(steps)}; [${usual}] is usual, and rampSteps: null is no ramp`,
    );
  };
  return { rmax: pair('rmax', [5000, 40000]), dmax: pair('dmax', [5000, 25000]) };
}

/** The bounds after `step` training calls: with a ramp, on their way from those of batch normalization to their own. */
export function boundsAt(
  step: Tensor | undefined,
  { rmax, rmin, dmax }: CheckedClipping,
  ramp: Readonly<Required<RampSteps>> | null,
): CorrectionBounds {
  if (!step || !ramp) return { rmin: rmin ?? 1 / rmax, rmax, dmax };
  const ramps = [ramp.rmax, ramp.dmax];
  const starts = ramps.map(([from]) => from);
  const lengths = ramps.map(([from, to]) => to - from);
  const shares = clipByValue(div(sub(step, starts), lengths), 0, 1);
  const [rmaxNow, dmaxNow] = unstack(add(mul(shares, [rmax - 1, dmax]), [1, 0])) as [Tensor, Tensor];
  const rminNow = rmin === undefined ? reciprocal(rmaxNow) : add(mul(slice(shares, 0, 1), rmin - 1), 1);
  return { rmin: rminNow, rmax: rmaxNow, dmax: dmaxNow };
}
