/**
 * Phones and other GPUs that render 16-bit floats only: every public function and layer gives what float32 gives for the same
 * inputs, within what such floats resolve; and no weight becomes what is no number.
 */
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { runCase } from './cases/index.ts';
import { describeBackends } from './support/backends.ts';
import { FUNCTIONS, type HalfCase, LAYERS, toHalf } from './support/half-subjects.ts';

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

describeBackends(
  'with 16-bit textures',
  (backend) => {
    describe.each(SUBJECTS)('%s', (subject) => {
      test.each(CASES)('%j', async (given) => {
        const args = { ...given, subject };
        const right = await expected(args);
        const { value, leaked } = await backend.run('halfFloats', args);
        expect(Object.keys(value)).toEqual(Object.keys(right));
        const wrong: string[] = [];
        for (const [name, values] of Object.entries(right)) {
          const actual = value[name]!;
          const max = Math.max(...Array.from(values, (v) => Math.abs(toHalf(v))));
          let worst = 0;
          for (let i = 0; i < values.length; i++) {
            const onHost = /^moving_|^renorm_/.test(name);
            const e = onHost ? values[i]! : toHalf(values[i]!);
            const d = Math.abs(actual[i]! - e) / (onHost ? Math.max(...Array.from(values, Math.abs)) : max);
            if (!(d <= worst)) worst = d;
          }
          if (!(worst <= 2e-3) && max > 0) wrong.push(`${name}: ${worst.toExponential(1)} of ${max.toPrecision(3)}`);
        }
        expect(wrong).toEqual([]);
        expect(leaked).toEqual({ tensors: 0, data: 0 });
      });
    });
  },
  { only: ['webgl'], flags: { WEBGL_FORCE_F16_TEXTURES: true } },
);
