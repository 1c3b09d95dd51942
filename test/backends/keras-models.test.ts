/** Models of Keras 2 and 3, TensorFlow Addons and keras_contrib on every backend: loaded, trained and saved again. */
import { expect, test } from '@jest/globals';
import type { GoldenRun } from '../cases/goldens.ts';
import { describeBackends, isWasm } from '../support/backends.ts';
import { type Golden, goldens, type Kind } from '../support/goldens.ts';
import { artifactsOf, folders, readJson } from '../support/keras-models.ts';

/** What a folder's model makes of its inputs. */
function expectedOf(name: string) {
  const { input, output, inputs = [input], outputs = [output], tolerance } = readJson(name, 'expected.json');
  return { inputs, outputs, tolerance };
}

describeBackends('loaded as they are', ({ name: backend, run }) => {
  // On webgpu TensorFlow.js's own recurrent layers fail with masks: its transpose of one does not compile.
  const able = folders.filter((name) => !(backend === 'webgpu' && /masked|^recurrent-(gru|addons)/.test(name)));
  test.each(able)('%s: predicts, trains, is saved and loaded again', async (name) => {
    const { inputs, outputs, tolerance } = expectedOf(name);
    const artifacts = artifactsOf(name);
    // It has no gradient of a convolution or an embedding.
    const isHard = artifacts.weightSpecs.some(({ name, shape }) => shape.length > 2 || name.endsWith('embeddings'));
    const train = !(isWasm(backend) && isHard);
    const { value, leaked } = await run('loadTrainSave', { ...artifacts, inputs, train });
    expect(value.outputs).toHaveLength(outputs.length);
    value.outputs.forEach((y, i) => {
      expect(y).toBeClose(outputs[i].data, { ...tolerance, what: `output ${i}` });
    });
    expect(value.classes).not.toContain('undefined');
    if (train) {
      expect(value.losses.every(Number.isFinite)).toBe(true);
      expect(value.losses[2]).toBeLessThan(value.losses[0]!);
      expect(value.moved).toBeGreaterThan(1);
    }
    for (const again of value.again) expect(again.map((y) => [...y])).toEqual(value.trained.map((y) => [...y]));
    expect(leaked).toEqual({ tensors: 0, data: 0 });
  });
});

describeBackends('values of other implementations', (backend) => {
  /** A golden on a class with the source's own state: each step starts from the state the source was in. */
  function raw(golden: Golden, className: string, options: Readonly<Record<string, unknown>>): GoldenRun {
    const weights = new Map(golden.weights.map(({ name, shape, data }) => [name, { name, shape, data }]));
    const copies = options.dataInit ? ['kernel', 'bias'] : [];
    const copied = copies
      .filter((name) => weights.has(name))
      .map((name) => ({ ...weights.get(name)!, name: `data_dep_init/${name}` }));
    const flat = (data: unknown) => [data].flat().map(Number);
    const steps = golden.steps.map(({ training, inputs, upstream, expect: { state } }) => {
      const start = [...weights.values(), ...copied].map((one) => ({ ...one, data: flat(one.data) }));
      for (const [name, { data }] of Object.entries(state)) weights.set(name, { ...weights.get(name)!, data });
      return {
        training,
        weights: start,
        inputs: Object.entries(inputs).map(([name, tensor]) => ({ name, ...tensor })),
        upstream,
      };
    });
    return { className, options, scores: false, steps };
  }

  const all = goldens();
  const renorm = all.filter(
    ({ layer, semantics }) => layer === 'BatchRenormalization' && semantics.variant === 'keras',
  );
  const addons = all.filter(({ id }) => /WeightNormalization\/tfa\/(data|norm)-init/.test(id));
  const runs = [
    ...renorm.map(
      (golden) => [golden.id, golden, raw(golden, 'BatchNormalization', { renorm: true, ...golden.config })] as const,
    ),
    ...addons.map((golden) => [golden.id, golden, raw(golden, 'AddonsWeightNormalization', golden.config)] as const),
  ];
  expect(renorm.length).toBeGreaterThan(3);
  expect(addons).toHaveLength(3);

  test.each(runs)('%s', async (_, golden, run) => {
    const { value: results } = await backend.run('runGolden', run);
    const { rtol, atol } = golden.tolerance.float32;
    golden.steps.forEach(({ expect: { y, inputGrads = {}, weightGrads = {}, state } }, i) => {
      const { y: actual, gradients, weights } = results![i]!;
      const close = (kind: Kind, what: string, actual: ArrayLike<number> | undefined, expected: unknown) =>
        expect(actual).toBeClose([expected].flat().map(Number), { rtol, atol: atol[kind], what: `step ${i}: ${what}` });
      close('y', 'y', actual, y.data);
      for (const [name, { data }] of Object.entries(inputGrads)) close('inputGrads', name, gradients[name], data);
      for (const [name, { data }] of Object.entries(weightGrads)) close('weightGrads', name, gradients[name], data);
      for (const [name, { data }] of Object.entries(state)) close('state', name, weights[name], data);
    });
  });
});
