/**
 * Phones and other GPUs that render 16-bit floats only: every public function and layer gives what float32 gives for the same
 * inputs, within what such floats resolve; and no weight becomes what is no number.
 */
import { expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { runCase } from './cases/index.ts';
import { describeBackends } from './support/backends.ts';
import { FUNCTIONS, type HalfCase, LARGEST, LAYERS } from './support/half-subjects.ts';

const SUBJECTS = [...Object.keys(FUNCTIONS), ...Object.keys(LAYERS)];

const CASES: Omit<HalfCase, 'subject'>[] = [1e-2, 1, 300, 1000].flatMap((std) => [
  { std, mean: 0, upstream: std },
  { std, mean: 10, upstream: std },
  { std, mean: 1, dead: true, upstream: std },
  { std, mean: 10, single: true, upstream: std },
  { std, mean: 3, upstream: 1 },
]);

async function expected(args: HalfCase) {
  await tf.setBackend('cpu');
  return (await runCase('halfFloats', args)).value;
}

/** What 16-bit floats resolve of the largest value. */
const CLOSE = 2e-3;
const largest = (values: ArrayLike<number>) => Math.max(...Array.from(values, Math.abs));

/** Moving averages are float32 on the host; what else a weight or a result is, is a 16-bit float. */
const isExact = (name: string) => /^(moving|renorm)_/.test(name);

/**
 * How large a value must be to count: where float32 gives its own rounding errors, none has a digit that is right; a mean is as
 * exact as values are, and the gradient of rho is the difference of two sums as large as that of gamma.
 */
function scaleOf(name: string, right: Record<string, ArrayLike<number>>, { std, upstream }: HalfCase): number {
  const own = largest(right[name]!);
  if (name.endsWith('_mean')) return Math.max(own, std);
  if (name.startsWith('drho')) return Math.max(own, largest(right[name.replace('rho', 'gamma')]!));
  return Math.max(own, 1e-4 * (name.startsWith('d') ? upstream : 1));
}

/** The names of what is not close, with the largest error of each. */
function wrongOf(value: Record<string, ArrayLike<number>>, right: Record<string, ArrayLike<number>>, args: HalfCase) {
  const wrong: string[] = [];
  for (const [name, values] of Object.entries(right)) {
    const scale = Math.min(scaleOf(name, right, args), isExact(name) ? Number.POSITIVE_INFINITY : LARGEST);
    let worst = 0;
    for (let i = 0; i < values.length; i++) {
      const [actual, expected] = [value[name]![i]!, values[i]!];
      // Of sums that are too large, parts have been cut off before.
      const isCut = !isExact(name) && Math.abs(expected) > LARGEST && Math.sign(actual) === Math.sign(expected);
      const error = isCut ? (Math.abs(actual) > LARGEST / 4 ? 0 : 1) : Math.abs(actual - expected) / scale;
      if (!(error <= worst)) worst = error;
    }
    if (!(worst <= CLOSE)) wrong.push(`${name}: ${worst.toExponential(1)} of ${scale.toPrecision(3)}`);
  }
  return wrong;
}

describeBackends(
  'with 16-bit textures',
  (backend) => {
    test.each(SUBJECTS)('%s', async (subject) => {
      const wrong: Record<string, string[]> = {};
      for (const given of CASES) {
        const args = { ...given, subject };
        const right = await expected(args);
        const { value, leaked } = await backend.run('halfFloats', args);
        expect(Object.keys(value)).toEqual(Object.keys(right));
        const names = wrongOf(value, right, args);
        if (names.length > 0) wrong[JSON.stringify(given)] = names;
        expect(leaked).toEqual({ tensors: 0, data: 0 });
      }
      expect(wrong).toEqual({});
    });
  },
  { only: ['webgl'], flags: { WEBGL_FORCE_F16_TEXTURES: true } },
);
