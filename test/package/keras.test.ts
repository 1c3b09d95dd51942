/** Files of Keras 3: what saveKeras writes opens in Keras with the same predictions, and trains there as here. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { loadModel, saveKeras } from '../../layers/files/index.ts';
import { masked, predicted, trained } from '../support/keras/branches.ts';
import { modelOfBranches, randomGraph, type Subject, sequentials } from '../support/keras/models.ts';
import { type Answer, askKeras, findKeras, type Question, questionOf, tensorOf } from '../support/keras/python.ts';

const keras = findKeras();
const describeKeras = keras.absent === undefined ? describe : describe.skip;
const GRAPHS = 30;

/** Models by name, each made when it is needed. */
const SUBJECTS: Record<string, () => Subject> = {
  'layers that learn': () => modelOfBranches(trained(), true),
  'other layers': () => modelOfBranches(predicted()),
  ...Object.fromEntries(
    Object.entries(masked()).map(([name, branch]) => [name, () => modelOfBranches({ [name]: branch })]),
  ),
  ...Object.fromEntries(Object.entries(sequentials()).map(([name, subject]) => [name, () => subject])),
  ...Object.fromEntries(Array.from({ length: GRAPHS }, (_, i) => [`random graph ${i}`, () => randomGraph(i + 1)])),
};
const TRAINED = ['layers that learn'];

describeKeras(`Keras${keras.absent === undefined ? '' : ` (absent: ${keras.absent})`}`, () => {
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
    answers = await askKeras((keras as { python: string }).python, folder, Object.values(questions));
  }, 500_000);

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
});
