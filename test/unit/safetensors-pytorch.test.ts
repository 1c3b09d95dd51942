/** Weights of PyTorch in models of layers, and back: against modules of PyTorch and what they compute. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { loadSafetensors, saveSafetensors } from '../../layers/files/index.ts';
import { fileOf, goldenOf, MODULES, NAMES } from '../support/pytorch-modules.ts';
import { contentsOf } from '../support/safetensors-files.ts';

const optionsOf = (name: string) => ({ modules: NAMES[name] ?? {} });

test('every golden has a model', () => {
  const files = readdirSync(join(__dirname, '..', 'goldens', 'pytorch'));
  const names = files.filter((file) => file.endsWith('.safetensors')).map((file) => file.replace('.safetensors', ''));
  expect(Object.keys(MODULES).sort()).toEqual(names.sort());
});

/** The names of today's parametrizations, as those of the older functions weight_norm and spectral_norm. */
const OLD: Readonly<Record<string, string>> = {
  original0: 'g',
  original1: 'v',
  original: 'orig',
  '0._u': 'u',
  '0._v': 'v',
};
const oldName = (name: string) =>
  name.replace(/parametrizations\.(\w+)\.(.*)$/, (_, tensor, last) => `${tensor}_${OLD[last]}`);

/** What counts in a file: whatever its spelling, with the two biases of recurrent modules added. */
function meaningOf(file: Uint8Array): Record<string, { shape: number[]; values: number[] }> {
  const { tensors } = contentsOf(file);
  const entries = Object.entries(tensors).flatMap(([name, { shape, values }]) => {
    if (/num_batches_tracked$|bias_hh/.test(name)) return [];
    const other = tensors[name.replace('bias_ih', 'bias_hh')]!.values;
    const summed = /bias_ih/.test(name) ? values.map((value, i) => Math.fround(value + other[i]!)) : values;
    return [[oldName(name), { shape, values: summed.map(Math.fround) }] as const];
  });
  return Object.fromEntries(entries.sort());
}

describe.each(Object.keys(MODULES))('%s', (name) => {
  test('computes what PyTorch computes', async () => {
    const model = MODULES[name]!();
    expect(await loadSafetensors(model, fileOf(name), optionsOf(name))).toEqual({ missing: [], unexpected: [] });
    const { input, output } = goldenOf(name);
    const y = model.predict(tf.tensor(input.data, input.shape)) as tf.Tensor;
    expect(y.shape).toEqual(output.shape);
    const differences = Array.from(await y.data(), (value, i) => Math.abs(value - output.data[i]!));
    expect(Math.max(...differences)).toBeLessThan(2e-6);
  });

  test('is saved as it was', async () => {
    const model = MODULES[name]!();
    await loadSafetensors(model, fileOf(name), optionsOf(name));
    const saved = await saveSafetensors(model, undefined, optionsOf(name));
    expect(meaningOf(saved)).toEqual(meaningOf(fileOf(name)));
    expect(contentsOf(saved).metadata).toEqual({ format: 'pt' });
  });
});
