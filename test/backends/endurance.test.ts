/**
 * Layers in long and disorderly lives: a thousand training steps, predictions at the same time, backends that change, scopes
 * of the user's, and owners that let go in any order; on every backend.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Lasting } from '../cases/endurance.ts';
import { describeBackends } from '../support/backends.ts';

// Cases ask for it where they measure memory; browsers are started with it.
setFlagsFromString('--expose-gc');
globalThis.gc = runInNewContext('gc') as NodeJS.GCFunction;

const NO_LEAK = { tensors: 0, data: 0 };
const dense = { className: 'Dense', config: { units: 4 } };
const row = (className: string, options: Lasting['options'] = {}, more: Partial<Lasting> = {}): Lasting => ({
  className,
  options,
  shape: [4, 3, 4],
  ...more,
});

/** Every layer that has weights to train, moments to follow, or vectors to turn. */
const LASTING: readonly Lasting[] = [
  row('BatchNormalization'),
  row('BatchNormalization', { renorm: true, renormClipping: { rmax: 2, dmax: 1 } }),
  row('InstanceNormalization', { axis: 1 }),
  row('LayerNormalization', { gammaConstraint: 'nonNeg' }),
  row('RMSNormalization', { axis: [1, 2] }),
  row('GroupNormalization', { groups: 2 }),
  row('WeightNormalization', { layer: dense, dataInit: true }),
  row('SpectralNormalization', { layer: dense }),
  row('SpectralNormalization', { layer: dense, reparameterize: false }),
  row('BatchInstanceNormalization'),
  row('SwitchableNormalization'),
  row('BatchRenormalization', { rampSteps: { rmax: [1, 20], dmax: [1, 20] } }),
  row('MeanOnlyBatchNormalization'),
  row('QKNormalization', { sequenceLength: 8 }, { inputs: 2 }),
  row('QKNormAttention', { sequenceLength: 8, causal: true, dropout: 0.1 }, { inputs: 3 }),
  row('UnitNormalization'),
  row('WeightStandardization', { layer: dense }),
  row('ScaleNormalization'),
  row('PixelNormalization'),
  row('GlobalResponseNormalization', { axis: 1 }),
  row('FilterResponseNormalization', { learnedEpsilon: true }),
  row('DynamicTanh'),
  row('DynamicErf'),
  row('AddLayerNormalization', {}, { inputs: 2 }),
  row('AddRMSNormalization', {}, { inputs: 2 }),
  row('AdaptiveInstanceNormalization', {}, { inputs: 2 }),
  row('AdaptiveLayerNormalization', {}, { inputs: 2 }),
  row('AdaptiveLayerNormalizationZero', {}, { inputs: 2 }),
  row('ConditionalBatchNormalization', {}, { inputs: 2 }),
  row('FeaturewiseLinearModulation', {}, { inputs: 2 }),
  row('SpatiallyAdaptiveNormalization', {}, { inputs: 3 }),
  row('MultiHeadAttention', { numHeads: 2, keyDim: 2, queryKeyNorm: 'rms' }, { inputs: 2 }),
  row('GRU', { units: 4, returnSequences: true }),
];
/** Those that a model can have one after the other. */
const STACK = LASTING.filter(({ inputs }) => !inputs);
/** How often one model goes through `fit`, a gradient and a prediction: `npm run endurance` does so a thousand times. */
const STEPS = Number(process.env.STEPS ?? 4);
const titled = LASTING.map((layer) => [`${layer.className} ${JSON.stringify(layer.options)}`, layer] as const);
/** Without random numbers. */
const STEADY = titled.filter(([, { options }]) => !options.dropout);

describeBackends('endurance', ({ name, run }) => {
  // A thousand in all, and few where a step takes long.
  const steps = name === 'webgpu' ? 12 : Math.ceil(1000 / LASTING.length);
  test(`${steps * LASTING.length} training steps`, async () => {
    for (const layer of LASTING) {
      const { value, leaked } = await run('trainLong', { ...layer, steps });
      expect(value.isFinite).toBe(true);
      expect(value.after).toEqual(value.before);
      expect(leaked).toEqual(NO_LEAK);
    }
  });

  test(
    `${STEPS} times fit, a gradient and a prediction of a model of all layers`,
    async () => {
      const { value, leaked } = await run('liveLong', { layers: LASTING, steps: STEPS });
      const { half, all } = value;
      expect(value.isFinite).toBe(true);
      expect(all.held).toEqual(half.held);
      // V8 keeps less than one for code that it compiles. Two hundred bytes of each layer in each step are three in five hundred steps.
      expect(all.megabytes - half.megabytes).toBeLessThan(3);
      expect(leaked).toEqual(NO_LEAK);
    },
    Math.max(500_000, STEPS * 15_000),
  );

  test('predictions at the same time, and while fit runs', async () => {
    const { value, leaked } = await run('atTheSameTime', { layers: STACK });
    expect(value.together).toEqual(value.alone);
    expect(value.isFinite).toBe(true);
    expect(leaked).toEqual(NO_LEAK);
  });

  test('disposed in any order', async () => {
    const orders = fc.sample(fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }), { numRuns: 5, seed: 3 });
    for (const order of orders) {
      const { value, leaked } = await run('disposed', { layers: STACK, order });
      expect(Array.from(value.predicted).every(Number.isFinite)).toBe(true);
      expect(leaked).toEqual(NO_LEAK);
    }
  });

  test.each(titled)('%s in scopes of the user', async (_, layer) => {
    const { value, leaked } = await run('inScopes', layer);
    expect(value).toEqual({ kept: 0, isFinite: true });
    expect(leaked).toEqual(NO_LEAK);
  });
});

const SAME = { ofMax: 1e-5, atol: 1e-5 }; // two backends, each of which rounds in its own way
describeBackends(
  'backends that change',
  ({ run }) => {
    test.each(STEADY)('%s: built on cpu, and back there in the end', async (_, layer) => {
      const { value, leaked } = await run('acrossBackends', { ...layer, other: 'cpu' });
      expect(value.actual).toHaveLength(value.expected.length);
      for (const [i, expected] of value.expected.entries()) expect(value.actual[i]).toBeClose(expected, SAME);
      expect(leaked).toEqual(NO_LEAK);
    });

    test.each(STEADY)('%s: a value computed here, and its gradient on cpu', async (_, layer) => {
      const { value, leaked } = await run('backendWithinGradient', { ...layer, other: 'cpu' });
      expect(value.actual).toBeClose(value.expected, SAME);
      expect(leaked).toEqual(NO_LEAK);
    });
  },
  { only: ['wasm', 'tensorflow', 'webgl', 'webgpu'] },
);
