/** Layers against values and gradients in float64 from the formulas of their papers, and recurrent ones against those of Keras. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { describeKernels } from '../support/backends.ts';
import { artifactsOf } from '../support/keras-models.ts';

const GOLDENS = join(__dirname, '..', 'goldens');
const read = (...path: string[]) => JSON.parse(readFileSync(join(GOLDENS, ...path), 'utf8'));

/** By file: the class, its options, and its weights in order, by their names in the file. */
const LAYERS: Readonly<Record<string, readonly [className: string, options: object, weights: readonly string[]]>> = {
  'scale-norm': ['ScaleNormalization', {}, ['g']],
  'pixel-norm': ['PixelNormalization', {}, []],
  'global-response-norm': ['GlobalResponseNormalization', {}, ['gamma', 'beta']],
  'filter-response-norm': ['FilterResponseNormalization', {}, ['gamma', 'beta', 'tau']],
  'dynamic-tanh': ['DynamicTanh', {}, ['gamma', 'beta', 'alpha']],
  'dynamic-erf': ['DynamicErf', {}, ['gamma', 'beta', 'alpha', 's']],
};
const TOLERANCE = { rtol: 1e-4, ofMax: 2e-5 };

describeKernels('formulas', ({ name: backend, run }) => {
  test.each(Object.entries(LAYERS))('%s', async (file, [className, options, weights]) => {
    const { inputs, upstream, outputs, gradients } = read('formulas', `${file}.json`);
    const of = (values: object) => weights.map((name) => values[name as never]);
    const args = { className, options: { ...options }, x: inputs.x, weights: of(inputs), dy: upstream[0] };
    const { value, leaked } = await run('formula', args);
    expect(value.y).toBeClose(outputs[0].data, TOLERANCE);
    for (const [i, { data }] of [gradients.x, ...of(gradients)].entries()) {
      const what = ['x', ...weights][i] as string;
      expect(value[`gradient ${i}` as 'y']).toBeClose(data, { ...TOLERANCE, what });
    }
    expect(leaked).toEqual({ tensors: 0, data: 0 });
  });

  test('weight-standardization', async () => {
    const { inputs, upstream, outputs, gradients } = read('formulas', 'weight-standardization.json');
    const args = { options: { epsilon: 1e-10 }, x: inputs.w, weights: [], dy: upstream[0] };
    const { value, leaked } = await run('formula', args);
    expect(value.y).toBeClose(outputs[0].data, TOLERANCE);
    expect(value['gradient 0' as 'y']).toBeClose(gradients.w.data, TOLERANCE);
    expect(leaked).toEqual({ tensors: 0, data: 0 });
  });

  // On webgpu TensorFlow.js's own recurrent layers fail with masks: its transpose of one does not compile.
  const models = backend === 'webgpu' ? ['frn'] : ['gru', 'addons', 'frn'];
  test.each(models)('%s, of Keras', async (name) => {
    const { x, xshape, y, yshape, upstream, gradients } = read('keras-files', '2.15', `${name}.json`);
    const { value, leaked } = await run('modelGradients', {
      model: artifactsOf(`recurrent-${name}`),
      x: { data: x, shape: xshape },
      dy: { data: upstream, shape: yshape },
    });
    expect(value.y).toBeClose(y, TOLERANCE);
    expect(value.gradients).toHaveLength(gradients.length);
    for (const [i, gradient] of value.gradients.entries())
      expect(gradient).toBeClose(gradients[i], { rtol: 1e-3, ofMax: 1e-4, what: `gradient ${i}` });
    expect(leaked).toEqual({ tensors: 0, data: 0 });
  });
});
