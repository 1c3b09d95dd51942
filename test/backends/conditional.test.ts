/** Conditional and residual normalization against values and gradients in float64 from the formulas of their papers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { FormulaName, Values } from '../cases/conditional.ts';
import { describeKernels } from '../support/backends.ts';

interface Golden {
  readonly inputs: Readonly<Record<string, Values>>;
  readonly upstream: readonly Values[];
  readonly outputs: readonly Values[];
  readonly gradients: Readonly<Record<string, Values>>;
}
const read = (name: string): Golden =>
  JSON.parse(readFileSync(join(__dirname, '..', 'goldens', 'formulas', `${name}.json`), 'utf8'));

const NAMES: readonly FormulaName[] = [
  'adaptive-instance-norm',
  'adaptive-instance-norm, layer',
  'feature-wise-linear',
  'feature-wise-linear, layer',
  'conditional-batch-norm',
  'conditional-batch-norm, layer',
  'conditional-group-norm',
  'adaptive-layer-norm-zero',
  'adaptive-layer-norm-zero, layer',
  'spatially-adaptive',
  'spatially-adaptive, layer',
  'residual-layer-norm',
  'residual-rms-norm',
  'rms-norm-offset',
];
const TOLERANCE = { rtol: 1e-4, ofMax: 1e-5 };

describeKernels('conditional', ({ run }) => {
  test.each(NAMES)('%s', async (name) => {
    const { inputs, upstream, outputs, gradients } = read(name.split(',')[0]!);
    const { value, leaked } = await run('conditional', { name, inputs, upstream });
    expect(value.outputs).toBeClose(
      outputs.flatMap(({ data }) => data),
      TOLERANCE,
    );
    for (const [input, { data }] of Object.entries(gradients)) {
      expect(value.gradients[input]).toBeClose(data, { ...TOLERANCE, what: `gradient of ${input}` });
    }
    expect(leaked).toEqual({ tensors: 0, data: 0 });
  });
});
