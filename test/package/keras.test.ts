/** Files of Keras 3: what saveKeras writes opens in Keras with the same predictions, and trains there as here. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { loadModel, saveKeras } from '../../layers/files/index.ts';
import { batchNormalization, switchableNormalization } from '../../layers/index.ts';
import { subjects } from '../support/keras/models.ts';
import {
  type Answer,
  askKeras,
  EXAMPLE,
  findKeras,
  freePort,
  npz,
  type Question,
  questionOf,
  runPython,
  tensorOf,
} from '../support/keras/python.ts';
import { normals } from '../support/random.ts';

const keras = findKeras();
const describeKeras = keras.absent === undefined ? describe : describe.skip;
const GRAPHS = 30;

const SUBJECTS = subjects(GRAPHS);
const TRAINED = ['layers that learn'];

describeKeras(`Keras${keras.absent === undefined ? '' : ` (absent: ${keras.absent})`}`, () => {
  const python = keras.python as string;
  const folder = mkdtempSync(join(tmpdir(), 'keras-files-'));
  const outputs: Record<string, readonly string[]> = {};
  const questions: Record<string, Question> = {};
  let answers: Record<string, Answer>;

  beforeAll(async () => {
    await tf.setBackend('cpu');
    for (const [i, [name, make]] of Object.entries(SUBJECTS).entries()) {
      const subject = make();
      const file = `${i}.keras`;
      outputs[name] = subject.outputs;
      await saveKeras(subject.model, join(folder, file));
      questions[name] = await questionOf(name, file, subject, TRAINED.includes(name));
    }
    answers = await askKeras(python, folder, Object.values(questions));
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  /** Fails with the names of the outputs that are too far off. */
  const expectClose = (name: string, deviations: readonly number[] | undefined, tolerance: number) => {
    expect(answers[name]?.error).toBeUndefined();
    const far = deviations!.flatMap((deviation, i) =>
      deviation <= tolerance ? [] : [`${outputs[name]![i]}: ${deviation}`],
    );
    expect([deviations!.length, far]).toEqual([outputs[name]!.length, []]);
  };

  test.each(Object.keys(SUBJECTS))('opens with the same predictions: %s', (name) => {
    expectClose(name, answers[name]?.prediction, 1e-5);
  });

  test.each(Object.keys(SUBJECTS))('comes back with the same predictions: %s', async (name) => {
    const { file, outputs: expected, inputs } = questions[name]!;
    for (const path of [file, file.replace('.keras', '.back.keras')]) {
      const model = await loadModel(join(folder, path));
      const x = inputs.map(tensorOf);
      const y = [model.predict(x.length > 1 ? x : x[0]!)].flat();
      for (const [i, output] of y.entries())
        expect(await output.data()).toBeClose(expected[i]!.values, {
          ofMax: 1e-5,
          what: `${outputs[name]![i]} of ${path}:`,
        });
      model.dispose();
      tf.dispose([x, y]);
    }
  });

  test.each(TRAINED)('trains there as here: %s', (name) => {
    expectClose(name, answers[name]?.step, 1e-4);
  });

  describe('train_distributed.py', () => {
    const [start, data] = ['start.keras', 'data.npz'].map((name) => join(folder, name)) as [string, string];
    const shape = [6, 6, 2];
    /** How it is run, and the ranks of each. */
    const RUNS = { 'one device': 1, 'two devices': 1, 'two processes': 2 };
    let losses: Record<string, number[]>;

    beforeAll(async () => {
      const model = tf.sequential({
        layers: [
          tf.layers.conv2d({ filters: 4, kernelSize: 3, inputShape: shape }),
          batchNormalization(),
          tf.layers.reLU(),
          switchableNormalization(),
          tf.layers.flatten(),
          tf.layers.dense({ units: 3 }),
        ],
      });
      await saveKeras(model, start);
      // Halves of each batch have other means, so that statistics of the halves would give other losses.
      const x = normals(1, 32 * 72).map((value, i) => value + (Math.floor(i / 72) % 8 < 4 ? 3 : -3));
      writeFileSync(data, npz({ x: tf.tensor(x, [32, ...shape]), y: tf.tensor(normals(2, 96), [32, 3]) }));
      const script = join(EXAMPLE, 'train_distributed.py');
      const port = await freePort();
      const run = async (how: string, rank: number) => {
        const out = join(folder, `${how}.keras`);
        const more = how === 'two processes' ? ['--processes', '2', '--coordinator', `127.0.0.1:${port}`] : [];
        const devices = how === 'two devices' ? ['--devices', '2'] : ['--devices', '1'];
        const usual = ['--data', data, '--batch', '8', '--epochs', '2', '--time-limit', '240'];
        const args = [script, start, out, ...usual, ...more, ...devices, '--rank', String(rank)];
        const printed = await runPython(python, 'jax', 250, ...args);
        return JSON.parse(printed.slice(printed.lastIndexOf('[')));
      };
      const ranks = Object.entries(RUNS).flatMap(([how, ranks]) =>
        Array.from({ length: ranks }, (_, i) => [how, i] as const),
      );
      const all = await Promise.all(ranks.map(async ([how, rank]) => [`${how}, rank ${rank}`, await run(how, rank)]));
      losses = Object.fromEntries(all);
    });

    test('has the same losses on one device, on two, and in two processes', () => {
      const [first, ...others] = Object.values(losses) as [number[], ...number[][]];
      expect(others.length).toBe(3);
      expect(first[1]).toBeLessThan(first[0]!);
      for (const other of others) expect(other).toBeClose(first, { rtol: 1e-6 });
    });

    test('gives a model that comes back with the same predictions, and other weights', async () => {
      const x = tf.tensor(normals(3, 4 * 72), [4, ...shape]);
      const [begun, ...trained] = await Promise.all(
        ['start', ...Object.keys(RUNS)].map(async (name) => {
          const model = await loadModel(join(folder, `${name}.keras`));
          return (model.predict(x) as tf.Tensor).data();
        }),
      );
      expect(trained[0]).not.toEqual(begun);
      for (const other of trained.slice(1)) expect(other).toBeClose(trained[0]!, { ofMax: 1e-5 });
    });
  });
});
