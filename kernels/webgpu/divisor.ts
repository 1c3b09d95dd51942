/** WGSL of the divisor f of `NormalizeAttrs`, and of its part in the gradient, from the variance. */
import type { NormalizeAttrs } from '../core/contract.ts';

/** The smallest normal float32, and its root: less is no divisor. Smaller numbers count as 0 on many GPUs. */
const SMALLEST = '1.1754944e-38';
const SMALLEST_ROOT = '1.0842022e-19';

/**
 * WGSL: `quotient`, or 0 where the divisor is no more than `least`. Compilers may assume that there is no NaN, and then choose either;
 * `isnan`, which TensorFlow.js declares, looks at the bits.
 */
const unless = (quotient: string, divisor: string, least: string) =>
  `let quotient = select(${quotient}, 0.0, ${divisor} <= ${least}); return select(quotient, ${divisor}, isnan(${divisor}));`;

/** `reciprocalRoot(sum)`: 1 / sqrt(sum), or 0. */
export const RECIPROCAL_ROOT = `
fn reciprocalRoot(sum : f32) -> f32 { ${unless('inverseSqrt(sum)', 'sum', SMALLEST)} }`;

const reciprocalOf = (divisor: string) =>
  `let divisor = ${divisor}; ${unless('1.0 / divisor', 'divisor', SMALLEST_ROOT)}`;

const PLACEMENTS = {
  inside: {
    reciprocal: `let sum = variance + uniforms.epsilon; ${unless('inverseSqrt(sum)', 'sum', SMALLEST)}`,
    factor: 'return 1.0;',
  },
  outside: {
    reciprocal: reciprocalOf('sqrt(variance) + uniforms.epsilon'),
    factor: 'return select((sqrt(variance) + uniforms.epsilon) / sqrt(variance), 0.0, variance == 0.0);',
  },
  floor: {
    // Not max(): it may turn NaN into epsilon.
    reciprocal: reciprocalOf('select(sqrt(variance), uniforms.epsilon, sqrt(variance) <= uniforms.epsilon)'),
    factor: 'return select(1.0, 0.0, sqrt(variance) <= uniforms.epsilon);',
  },
  none: { reciprocal: 'return 1.0;', factor: 'return 0.0;' },
};

const placementOf = ({ rescale, epsilonPlacement }: NormalizeAttrs) => (rescale ? epsilonPlacement : 'none');

/** `reciprocal(variance)`: 1 / f. */
export const reciprocal = (attrs: NormalizeAttrs): string => `
fn reciprocal(variance : f32) -> f32 { ${PLACEMENTS[placementOf(attrs)].reciprocal} }`;

/** `factor(variance)`: k, of `NormalizeGradAttrs`. `slope(variance)`: 1 / f, or 0 where dx is. */
export const slopes = (attrs: NormalizeAttrs): string => `
fn factor(variance : f32) -> f32 { ${PLACEMENTS[placementOf(attrs)].factor} }
fn slope(variance : f32) -> f32 { return reciprocal(variance)${placementOf(attrs) === 'floor' ? ' * factor(variance)' : ''}; }`;
