/** GLSL of the divisor f of `NormalizeAttrs`, and of its part in the gradient, from the standard deviation. */
import type { NormalizeAttrs } from '../contract.ts';

const IS_SMALL = 'lessThanEqual(deviation, vec2(epsilon))';

const PLACEMENTS = {
  inside: { reciprocal: 'inversesqrt(deviation * deviation + epsilon)', slope: 'rstd', direct: 'rstd' },
  outside: {
    reciprocal: '1. / (deviation + epsilon)',
    slope: 'mix(vec2(0.), 1. / deviation, notEqual(deviation, vec2(0.)))',
    direct: 'rstd',
  },
  // Not max(): it may turn NaN into epsilon.
  floor: {
    reciprocal: `1. / mix(deviation, vec2(epsilon), ${IS_SMALL})`,
    slope: `mix(rstd, vec2(0.), ${IS_SMALL})`,
    direct: `mix(rstd, vec2(0.), ${IS_SMALL})`,
  },
  none: { reciprocal: 'vec2(1.)', slope: 'vec2(0.)', direct: 'rstd' },
};
const placement = ({ rescale, epsilonPlacement }: NormalizeAttrs) => PLACEMENTS[rescale ? epsilonPlacement : 'none'];

/** `reciprocal(deviation)`: 1 / f, called rstd. */
export const reciprocal = (attrs: NormalizeAttrs): string => `
vec2 reciprocal(vec2 deviation) { return ${placement(attrs).reciprocal}; }`;

/** `direct`: 1 / f where dx is not 0. `slope`: k / f, by which x - mean turns up in dx f. */
export const slopes = (attrs: NormalizeAttrs): string => `
vec2 direct(vec2 deviation, vec2 rstd) { return ${placement(attrs).direct}; }
vec2 slope(vec2 deviation, vec2 rstd) { return ${placement(attrs).slope}; }`;
