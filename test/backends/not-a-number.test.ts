/** Values that are not numbers stay with those that share their statistics. */
import { expect, test } from '@jest/globals';
import { describeKernels } from '../support/backends.ts';
import { layerInputs } from '../support/layer-inputs.ts';
import { rowOf, SUBJECTS, settingOf, titled, weightNames } from '../support/layer-table.ts';

describeKernels('not a number', ({ run }) => {
  test.each(titled(SUBJECTS))('%s: stays with those that share its statistics', async (_, subject) => {
    for (const training of [true, false]) {
      const args = { ...subject, training };
      const { together, apart, gradientsTogether = together } = rowOf(subject.className);
      const setting = settingOf(args);
      const group = (training ? together : (apart ?? together))(setting);
      const ofGradients = (training ? gradientsTogether : (apart ?? together))(setting);
      const clean = (await run('differentiateLayer', args)).value;
      for (const first of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const { value, leaked } = await run('differentiateLayer', { ...args, first });
        const inside = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => group[i] === group[0]);
        const outside = (values: ArrayLike<number>, group: ArrayLike<number>) =>
          Array.from(values).filter((_, i) => group[i] !== group[0]);
        expect(outside(value.y!, group)).toEqual(outside(clean.y!, group));
        expect(outside(value.gradients.x!, ofGradients)).toEqual(outside(clean.gradients.x!, ofGradients));
        expect(value.y![0]).not.toBe(clean.y![0]);
        if (Number.isNaN(first)) expect(inside(value.y!).every(Number.isNaN)).toBe(true);
        for (const name of weightNames(subject).state) {
          expect(Array.from(value.weights[name]!).slice(1)).toEqual(Array.from(clean.weights[name]!).slice(1));
        }
        expect(leaked).toEqual({ tensors: 0, data: 0 });
      }
    }
  });
});

test('the inputs of these cases are what they should be', () => {
  expect(layerInputs({ shape: [2, 3], first: Number.NaN }).x[0]).toBeNaN();
});
