/**
 * Phones and other GPUs that render 16-bit floats only: every public function and layer gives what float32 gives for the same
 * inputs, within what such floats resolve; and no weight becomes what is no number.
 */
import { expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { runCase } from '../cases/index.ts';
import { describeBackends } from '../support/backends.ts';
import { FUNCTIONS, type HalfCase, LARGEST, LAYERS } from '../support/half-subjects.ts';

const SUBJECTS = [...Object.keys(FUNCTIONS), ...Object.keys(LAYERS)];

const CASES: Omit<HalfCase, 'subject'>[] = [1e-2, 1, 300, 1000].flatMap((std) => [
  { std, mean: 0, upstream: std },
  { std, mean: 10, upstream: std },
  { std, mean: 1, dead: true, upstream: Math.min(std, 1) },
  { std, mean: 10, single: true, upstream: Math.min(std, 1) },
  { std, mean: 3, upstream: 1 },
]);

async function expected(args: HalfCase) {
  await tf.setBackend('cpu');
  return (await runCase('halfFloats', args)).value;
}

/** What 16-bit floats resolve of the largest value; and of gradients of parameters, sums whose terms cancel. */
const CLOSE = 2e-3;
const CLOSE_SUMS = 5e-3;
const PARAMETERS = /^d(gamma|beta|scale|rho|variance|mean|mean_weights|variance_weights|g)\b/;
/** So are all gradients of attention, through products and a softmax. */
const isSum = (name: string, subject: string) =>
  PARAMETERS.test(name) || (name.startsWith('d') && isAttention(subject));
const isAttention = (subject: string) => /attention/i.test(subject);
const largest = (values: ArrayLike<number>) => Math.max(...Array.from(values, Math.abs));

/** Moving averages are float32 on the host; what else a weight or a result is, is a 16-bit float. */
const isExact = (name: string) => /^(moving|renorm)_/.test(name);

/**
 * What errors are compared with: the largest value. Where that is nothing but rounding, the gradient that arrived counts. A mean
 * is as exact as the values are, and gradients of what mixes statistics are differences of sums as large as that of gamma.
 */
function scaleOf(name: string, right: Results, { subject, std, upstream }: HalfCase): number {
  const own = largest(right[name]!);
  if (name.endsWith('_mean')) return Math.max(own, std);
  const mixing = /^d(rho|mean_weights|variance_weights)/.exec(name);
  if (mixing) return Math.max(own, largest(right[name.replace(mixing[1]!, 'gamma')]!));
  // A sum over all queries of what is about as large as what arrived.
  if (/^dg\b/.test(name)) return Math.max(own, 3 * upstream);
  // Of queries and keys that all point the same way, differences are left.
  if (/^d[qkx]/.test(name) && isAttention(subject)) return Math.max(own, (0.1 * upstream) / std);
  const isRounding = name.startsWith('d') && own < 1e-3 * upstream;
  return isRounding ? 3e-2 * upstream : isExact(name) ? own : Math.min(own, LARGEST);
}

/** The names of what is not close, with the largest error of each. */
function wrongOf(value: Results, right: Results, args: HalfCase): string[] {
  const wrong: string[] = [];
  for (const [name, values] of Object.entries(right)) {
    const scale = scaleOf(name, right, args);
    let worst = 0;
    for (let i = 0; i < values.length; i++) {
      const [actual, expected] = [value[name]![i]!, values[i]!];
      // What is too large is cut off; of gradients by TensorFlow.js, which makes it infinite.
      const isCut = !isExact(name) && Math.abs(expected) > LARGEST;
      const error = isCut
        ? (name.startsWith('d') ? Number.isNaN(actual) : !Number.isFinite(actual))
          ? 1
          : 0
        : Math.abs(actual - expected) / (scale || 1);
      if (!(error <= worst)) worst = error;
    }
    if (!(worst <= (isSum(name, args.subject) ? CLOSE_SUMS : CLOSE)))
      wrong.push(`${name}: ${worst.toExponential(1)} of ${scale.toPrecision(3)}`);
  }
  return wrong;
}
type Results = Readonly<Record<string, ArrayLike<number>>>;

const casesOf = (subject: string) => {
  const { least = 0, isOrdinary = false } = LAYERS[subject] ?? {};
  return CASES.filter(({ std, mean }) => (isOrdinary ? std === 1 && mean === 0 : std >= least));
};

describeBackends(
  'with 16-bit textures',
  (backend) => {
    test.each(SUBJECTS)('%s', async (subject) => {
      const wrong: Record<string, string[]> = {};
      for (const given of casesOf(subject)) {
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

    const moving = Object.keys(LAYERS).filter((name) => /Batch|Switchable|MeanOnly/.test(name));
    test.each(moving)('inputs beyond 65504 leave the weights of %s as they were', async (subject) => {
      const { value } = await backend.run('halfOverflow', { subject });
      expect(value.length).toBeGreaterThan(0);
      expect(value.every(Number.isFinite)).toBe(true);
    });
  },
  { only: ['webgl'], flags: { WEBGL_FORCE_F16_TEXTURES: true } },
);
