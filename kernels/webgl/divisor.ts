/** GLSL functions of the standard deviation: 1 / f, with the divisor f of `NormalizeAttrs`, and the factors of the gradient. */
import type { NormalizeAttrs } from '../core/contract.ts';

const IS_SMALL = 'lessThanEqual(deviation, vec2(epsilon))';

/** GLSL: `quotient`, or 0 where the divisor is at most `least`. mix() with bools selects, so that an infinite quotient does no harm. */
const unless = (quotient: string, divisor: string, least: string) =>
  `mix(${quotient}, vec2(0.), lessThanEqual(${divisor}, vec2(${least})))`;
/** The smallest normal float32, below which many GPUs compute 0, and its root, the smallest divisor. */
const SMALLEST = '1.1754944e-38';
const SMALLEST_ROOT = '1.0842022e-19';
/** GLSL: 1 / sqrt(sum), or 0 where the root is too small to divide by. */
export const reciprocalRoot = (sum: string): string => unless(`inversesqrt(${sum})`, sum, SMALLEST);
const reciprocalOf = (divisor: string) => unless(`1. / (${divisor})`, divisor, SMALLEST_ROOT);

const PLACEMENTS = {
  inside: { reciprocal: reciprocalRoot('deviation * deviation + epsilon'), slope: 'rstd', direct: 'rstd' },
  outside: {
    reciprocal: reciprocalOf('deviation + epsilon'),
    slope: 'mix(vec2(0.), 1. / deviation, notEqual(deviation, vec2(0.)))',
    direct: 'rstd',
  },
  // Not max(): it may turn NaN into epsilon.
  floor: {
    reciprocal: reciprocalOf(`mix(deviation, vec2(epsilon), ${IS_SMALL})`),
    slope: `mix(rstd, vec2(0.), ${IS_SMALL})`,
    direct: `mix(rstd, vec2(0.), ${IS_SMALL})`,
  },
  none: { reciprocal: 'vec2(1.)', slope: 'vec2(0.)', direct: 'rstd' },
};
const placement = ({ rescale, epsilonPlacement }: NormalizeAttrs) => PLACEMENTS[rescale ? epsilonPlacement : 'none'];

/** `reciprocal(deviation)`: 1 / f, called rstd. */
export const reciprocal = (attrs: NormalizeAttrs): string => `
vec2 reciprocal(vec2 deviation) { return ${placement(attrs).reciprocal}; }`;

/** `direct`: the factor 1 / f of dx, or 0 where dx is 0. `slope`: k / f, the factor of x - mean in dx f. */
export const slopes = (attrs: NormalizeAttrs): string => `
vec2 direct(vec2 deviation, vec2 rstd) { return ${placement(attrs).direct}; }
vec2 slope(vec2 deviation, vec2 rstd) { return ${placement(attrs).slope}; }`;
