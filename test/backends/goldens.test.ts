/**
 * Every layer against the values of other implementations (PyTorch, Keras, TensorFlow Addons, the papers' authors): output,
 * gradients of inputs and weights, and state, each within the tolerance that its file gives for float32.
 */
import { describe, expect, test } from '@jest/globals';
import * as library from '../../layers/index.ts';
import { type Backend, describeEverywhere } from '../support/backends.ts';
import { expectedState, type Golden, goldens, impossible, type Kind, LEFT_OUT, runOf } from '../support/goldens.ts';

const all = goldens();

/** Why a golden is not run. */
const reason = (golden: Golden, backend: Backend): string | undefined =>
  LEFT_OUT[golden.id] ??
  impossible(golden, backend.name) ??
  (runOf(golden).className in library ? undefined : `there is no ${runOf(golden).className} yet`);

async function checkGolden(backend: Backend, golden: Golden): Promise<void> {
  const { value: results, leaked } = await backend.run('runGolden', runOf(golden));
  const { rtol, atol } = golden.tolerance.float32;
  const close = (kind: Kind, what: string, actual: ArrayLike<number> | undefined, expected: number[]) => {
    if (!actual) throw new Error(`${what} is missing`);
    expect(actual).toBeClose(expected, { rtol, atol: atol[kind], what });
  };
  expect(results).toHaveLength(golden.steps.length);
  golden.steps.forEach(({ expect: { y, inputGrads = {}, weightGrads = {} } }, i) => {
    const result = results![i]!;
    const at = `step ${i}:`;
    close('y', `${at} y`, result.y, y.data);
    for (const [name, { data }] of Object.entries(inputGrads)) {
      close('inputGrads', `${at} gradient of ${name}`, result.gradients[name], data);
    }
    for (const [name, { data }] of Object.entries(weightGrads)) {
      close('weightGrads', `${at} gradient of ${name}`, result.gradients[name], [data].flat());
    }
    for (const [name, data] of Object.entries(expectedState(golden, i))) {
      close('state', `${at} ${name}`, result.weights[name], data);
    }
  });
  expect(leaked).toEqual({ tensors: 0, data: 0 });
}

describeEverywhere('goldens', (backend) => {
  describe.each([...new Set(all.map(({ layer }) => layer))])('%s', (layer) => {
    for (const golden of all.filter((golden) => golden.layer === layer)) {
      const left = reason(golden, backend);
      if (left) test.skip(`${golden.id} (left out: ${left})`, () => {});
      else test(golden.id, () => checkGolden(backend, golden));
    }
  });
});

test('what is left out is in the files', () => {
  const ids = all.map(({ id }) => id);
  expect(Object.keys(LEFT_OUT).filter((id) => !ids.includes(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});
