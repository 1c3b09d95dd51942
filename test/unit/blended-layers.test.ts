/**
 * What the layers that blend statistics (Batch-Instance, Switchable, Batch Renormalization) have to themselves: their limits,
 * gates, ramps and costs. What they share with all layers is in `layers.test.ts` and `contract.test.ts`.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { type Layer, lastPart, makeLayer, variableOf } from '../support/layers.ts';
import type { Tolerance } from '../support/matchers.ts';

const BLENDED_NAMES = ['BatchInstanceNormalization', 'SwitchableNormalization', 'BatchRenormalization'];
const CLOSE: Tolerance = { ofMax: 2e-5, atol: 2e-5 }; // two ways to the same sums of products

describe('in this process', () => {
  beforeAll(() => tf.setBackend('cpu'));

  const numbers = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
  const SHAPE = [3, 4, 2, 3];
  const random = (seed: number, shape = SHAPE) => tf.randomNormal(shape, 0.5, 2, 'float32', seed);
  const built = (className: string, options: object = {}, shape = SHAPE) => {
    const layer = makeLayer({ className, options: options as Record<string, unknown> });
    layer.build(shape);
    return layer;
  };
  const call = (layer: Layer, x: tf.Tensor, training = true) => numbers(layer.apply(x, { training }) as tf.Tensor);
  const state = (layer: Layer) =>
    Object.fromEntries(layer.weights.map((w) => [lastPart(w.originalName), numbers(w.read())]));
  const give = (layer: Layer, name: string, values: number[]) => {
    const weight = layer.weights.find((w) => lastPart(w.originalName) === name)!;
    tf.tidy(() => void weight.write(tf.tensor(values, weight.shape as number[])));
  };
  /** y and the gradients of sum(y dy) in x, gamma and beta. */
  const differentiate = (layer: Layer, x: tf.Tensor, dy: tf.Tensor) => {
    const variables = ['gamma', 'beta'].map((name) =>
      variableOf(layer.weights.find((w) => lastPart(w.originalName) === name)!),
    );
    const f = (x: tf.Tensor) => layer.apply(x, { training: true }) as tf.Tensor;
    const { value, grads } = tf.valueAndGrads(f)([x, ...variables], dy);
    return [value, ...grads].map(numbers);
  };
  const expectAllClose = (actual: number[][], expected: number[][]) => {
    for (const [i, values] of expected.entries()) expect(actual[i]).toBeClose(values, CLOSE);
  };

  describe('what a training step costs', () => {
    /** Kernels of forward and gradient. Clones and reshapes touch no value. */
    function kernelsOf(layer: Layer, shape: number[]): { large: string[]; small: number; free: number } {
      const [x, dy] = [random(1, shape), random(2, shape)];
      const large: string[] = [];
      let [small, free] = [0, 0];
      const it = tf.engine();
      const { runKernel } = it;
      it.runKernel = function (this: typeof it, ...[name, inputs, attrs]: Parameters<typeof runKernel>) {
        const result = runKernel.call(this, name, inputs, attrs);
        const tensors = [...Object.values(inputs), ...[result].flat()] as tf.Tensor[];
        if (['Identity', 'Reshape'].includes(name)) free++;
        else if (tensors.some((t) => t?.size === x.size)) large.push(name.replace('tfjs-normalizations/2/', ''));
        else small++;
        return result;
      } as typeof runKernel;
      try {
        differentiate(layer, x, dy);
      } finally {
        it.runKernel = runKernel;
      }
      return { large, small, free };
    }

    const blended = ['Moments', 'ScaleShift', 'ScaleShiftGrad', 'BlendGrad'];
    test.each([
      ['BatchInstanceNormalization', {}, blended, 47],
      ['SwitchableNormalization', {}, blended, 60],
      ['SwitchableNormalization', { useBatchStatistics: false }, blended, 45],
      ['BatchRenormalization', {}, ['Moments', 'ScaleShift', 'NormalizeGrad'], 33],
      ['BatchRenormalization', { rampSteps: null }, ['Moments', 'ScaleShift', 'NormalizeGrad'], 24],
    ])('%s %j reads x twice each way, and computes little else', (className, options, large, small) => {
      const shape = [4, 8, 8, 3];
      const counted = kernelsOf(built(className, options, shape), shape);
      expect(counted.large).toEqual(large);
      expect(counted.small).toBe(small);
    });

    test('batch renormalization takes at most twice the time of batch normalization', () => {
      const shape = [8, 32, 32, 64];
      const [x, dy] = [random(1, shape), random(2, shape)];
      const layers = [built('BatchNormalization', {}, shape), built('BatchRenormalization', {}, shape)];
      const times: [number[], number[]] = [[], []];
      for (let i = 0; i < 9; i++) {
        for (const [k, layer] of layers.entries()) {
          const start = process.cpuUsage(); // of this process: others may keep the machine busy
          tf.tidy(() => void differentiate(layer, x, dy));
          times[k]!.push(process.cpuUsage(start).user);
        }
      }
      const [batch, renorm] = times.map((list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]!);
      expect(renorm! / batch!).toBeLessThan(2);
    });
  });

  test.each(BLENDED_NAMES)('%s: a gradient of the gradient in inference sees the moving statistics', (className) => {
    const layer = built(className);
    give(layer, 'moving_mean', [1, -2, 0.5]);
    give(layer, className === 'BatchRenormalization' ? 'moving_stddev' : 'moving_variance', [4, 0.5, 2]);
    const [x, weights, direction] = [1, 2, 3].map((seed) => random(seed)) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const penalty = (x: tf.Tensor): tf.Scalar => {
      const dx = tf.grad((x: tf.Tensor) => tf.mul(tf.square(layer.apply(x) as tf.Tensor), weights))(x);
      return tf.sum(tf.square(dx));
    };
    const step = 2e-3;
    const [after, before] = [step, -step].map((by) => penalty(tf.add(x, tf.mul(direction, by))).dataSync()[0]!);
    const along = tf.sum(tf.mul(tf.grad(penalty)(x), direction)).dataSync()[0]!;
    expect([along]).toBeClose([(after! - before!) / (2 * step)], { rtol: 2e-2 });
  });

  describe('batch-instance normalization', () => {
    test('rho 1 is batch normalization, rho 0 instance normalization', () => {
      const [x, dy] = [random(1), random(2)];
      const options = { epsilon: 0.01 };
      for (const [rho, other] of [
        [1, 'BatchNormalization'],
        [0, 'InstanceNormalization'],
      ] as const) {
        const layer = built('BatchInstanceNormalization', options);
        give(layer, 'rho', [rho, rho, rho]);
        expectAllClose(differentiate(layer, x, dy), differentiate(built(other, options), x, dy));
      }
    });

    test('rho lies within [0, 1] wherever it is read, whatever an optimizer wrote', () => {
      const layer = built('BatchInstanceNormalization') as ours.BatchInstanceNormalization;
      const x = random(1);
      const rho = layer.weights.find(({ originalName }) => originalName.endsWith('rho'))!;
      const readers: (() => unknown)[] = [() => state(layer).rho, () => layer.gates().rho];
      for (const read of readers) {
        variableOf(rho).assign(tf.tensor([-2, 0.25, 3])); // write() would project
        expect(read()).toEqual([0, 0.25, 1]);
      }
      for (const training of [true, false]) {
        variableOf(rho).assign(tf.tensor([-2, 0.25, 3]));
        call(layer, x, training);
        expect(state(layer).rho).toEqual([0, 0.25, 1]);
      }
    });

    test('in fit rho goes where it should: down where style is noise', async () => {
      // The label is the sign of a pattern; each image has a brightness and contrast of its own.
      const pattern = tf.randomNormal([1, 6, 6, 1], 0, 1, 'float32', 3);
      const labels = tf.tensor(
        Array.from({ length: 32 }, (_, i) => (i % 2 ? 1 : -1)),
        [32, 1, 1, 1],
      );
      const contrast = tf.randomUniform([32, 1, 1, 1], 0.2, 5, 'float32', 4);
      const brightness = tf.randomNormal([32, 1, 1, 1], 0, 5, 'float32', 5);
      const x = tf.add(tf.mul(tf.mul(pattern, labels), contrast), brightness);
      const norm = ours.batchInstanceNormalization({ inputShape: [6, 6, 1] });
      const kernelInitializer = tf.initializers.glorotUniform({ seed: 6 });
      const model = tf.sequential({
        layers: [norm, tf.layers.flatten(), tf.layers.dense({ units: 1, kernelInitializer })],
      });
      model.compile({ optimizer: tf.train.sgd(0.02), loss: 'meanSquaredError' });
      await model.fit(x, tf.reshape(labels, [32, 1]), { epochs: 40, batchSize: 32, shuffle: false, verbose: 0 });
      expect(norm.gates().rho[0]).toBeLessThan(0.9);
    });
  });

  describe('switchable normalization', () => {
    test('one source alone is that normalization', () => {
      const [x, dy] = [random(1), random(2)];
      const options = { epsilon: 0.01 };
      const layers = {
        instance: built('InstanceNormalization', options),
        layer: built('GroupNormalization', { ...options, groups: 1 }),
        batch: built('BatchNormalization', options),
      };
      for (const [source, [name, other]] of Object.entries(layers).entries()) {
        const layer = built('SwitchableNormalization', options) as ours.SwitchableNormalization;
        const logits = [0, 0, 0].map((_, k) => (k === source ? 100 : 0));
        give(layer, 'mean_weights', logits);
        give(layer, 'variance_weights', logits);
        expectAllClose(differentiate(layer, x, dy), differentiate(other, x, dy));
        expect(layer.gates().mean[name as 'layer']).toBe(1);
      }
    });

    test('gates are named by source and sum to 1', () => {
      const sources = (options: object, shape?: number[]) => {
        const { mean, variance } = (
          built('SwitchableNormalization', options, shape) as ours.SwitchableNormalization
        ).gates();
        for (const weights of [mean, variance]) {
          expect(Object.values(weights).reduce((a, b) => a + b)).toBeCloseTo(1, 6);
        }
        return Object.keys(mean);
      };
      expect(sources({})).toEqual(['instance', 'layer', 'batch']);
      expect(sources({ useBatchStatistics: false })).toEqual(['instance', 'layer']);
      expect(sources({}, [5, 4])).toEqual(['layer', 'batch']);
      expect(sources({ useBatchStatistics: false }, [5, 4])).toEqual(['layer']);
    });

    test('without batch statistics training and inference agree, and examples do not see each other', () => {
      const layer = built('SwitchableNormalization', { useBatchStatistics: false });
      const x = random(1);
      const y = call(layer, x);
      expect(call(layer, x, false)).toEqual(y);
      expect(call(layer, tf.slice(x, 1, 1))).toEqual(y.slice(24, 48));
    });
  });

  describe('batch renormalization', () => {
    const SHORT = {
      rampSteps: { rmax: [2, 6], dmax: [2, 4] },
      momentum: 0.5,
      renormClipping: { rmax: 1.5, dmax: 0.75 },
    };

    test('equal to batch normalization while rmax is 1 and dmax 0', () => {
      const [x, dy] = [random(1), random(2)];
      const batch = differentiate(built('BatchNormalization'), x, dy);
      const closed = { renormClipping: { rmax: 1, dmax: 0 }, rampSteps: null };
      expectAllClose(differentiate(built('BatchRenormalization', closed), x, dy), batch);
      const ramp = built('BatchRenormalization', SHORT);
      for (const step of [0, 1, 2]) {
        expect(state(ramp).step).toEqual([step]);
        expectAllClose(differentiate(ramp, x, dy), batch);
      }
      expect(differentiate(ramp, x, dy)[0]).not.toEqual(batch[0]);
    });

    test('the ramp: bounds by step, seen at statistics far from the moving ones', () => {
      const layer = built('BatchRenormalization', { ...SHORT, momentum: 1, center: false, scale: false }, [2, 3]);
      const x = tf.tile(tf.tensor([90, 110], [2, 1]), [1, 3]); // mean 100, stddev 10: r and d are at their bounds
      for (const [step, rmax, dmax] of [
        [0, 1, 0],
        [1, 1, 0],
        [2, 1, 0],
        [3, 1.125, 0.375],
        [4, 1.25, 0.75],
        [5, 1.375, 0.75],
      ]) {
        expect(state(layer).step).toEqual([step]);
        const y = call(layer, x);
        expect(y[0]).toBeCloseTo(-rmax! + dmax!, 4);
        expect(y[3]).toBeCloseTo(rmax! + dmax!, 4);
      }
      give(layer, 'step', [1e6]);
      expect(call(layer, x)[3]).toBeCloseTo(1.5 + 0.75, 4);
    });

    test('without a ramp, rmin is 1 / rmax', () => {
      const options = {
        renormClipping: { rmax: 4, dmax: 0 },
        rampSteps: null,
        epsilon: 1e-12,
        center: false,
        scale: false,
      };
      const layer = built('BatchRenormalization', options, [2, 3]);
      const x = tf.tile(tf.tensor([0.01, -0.01], [2, 1]), [1, 3]);
      expect(call(layer, x)[0]).toBeCloseTo(1 / 4, 4);
    });

    test('the ramp of rmin, if there is one, is that of rmax', () => {
      const options = { ...SHORT, renormClipping: { rmax: 1.5, rmin: 0.5, dmax: 0 }, momentum: 1, epsilon: 1e-12 };
      const layer = built('BatchRenormalization', { ...options, center: false, scale: false }, [2, 3]);
      const x = tf.tile(tf.tensor([0.01, -0.01], [2, 1]), [1, 3]); // stddev 0.01: r is at rmin
      for (const rmin of [1, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.5]) {
        const { step } = state(layer);
        const [y] = call(layer, x);
        expect([step, y!]).toEqual([step, expect.closeTo(rmin, 3)]);
      }
    });

    test('saved and resumed in the middle of the ramp', async () => {
      const model = () => {
        const dense = tf.layers.dense({ units: 2, kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }) });
        const norm = ours.batchRenormalization({ ...SHORT, inputShape: [3] } as ours.BatchRenormalizationArgs);
        return tf.sequential({ layers: [norm, dense] });
      };
      const batches = Array.from({ length: 8 }, (_, i) => random(10 + i, [4, 3]));
      const train = async (model: tf.LayersModel, from: number, to: number) => {
        model.compile({ optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError' });
        for (const x of batches.slice(from, to)) await model.trainOnBatch(x, tf.ones([4, 2]));
        return model.getWeights().map(numbers);
      };
      const straight = await train(model(), 0, 8);
      const first = model();
      await train(first, 0, 4);
      const resumed = await reloaded(first);
      expect(resumed.getWeights().map(numbers)).toEqual(first.getWeights().map(numbers));
      expect(state(resumed.layers[0]!).step).toEqual([4]);
      expect(await train(resumed, 4, 8)).toEqual(straight);
    });

    test('no ramp stays none when saved', async () => {
      const model = tf.sequential({ layers: [ours.batchRenormalization({ rampSteps: null, inputShape: [3] })] });
      const again = await reloaded(model);
      expect(again.layers[0]!.getConfig().rampSteps).toBe(null);
      expect(again.layers[0]!.weights).toHaveLength(4);
    });
  });

  async function reloaded(model: tf.LayersModel): Promise<tf.LayersModel> {
    let saved: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = JSON.parse(JSON.stringify({ ...artifacts, weightData: undefined }));
        saved!.weightData = artifacts.weightData!;
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }),
    );
    return tf.loadLayersModel(tf.io.fromMemory(saved!));
  }

  describe.each(BLENDED_NAMES)('%s', (className) => {
    test('in inference an example does not depend on the others, nor on what is not a number in them', () => {
      const layer = built(className);
      const x = random(1);
      call(layer, x);
      const y = call(layer, x, false);
      const spoilt = tf.concat([tf.fill([1, ...SHAPE.slice(1)], Number.NaN), tf.slice(x, 1, 2)]);
      expect(call(layer, spoilt, false).slice(24)).toEqual(y.slice(24));
    });

    test('in the form of Keras, deviations start as the roots of the variances', () => {
      const movingVarianceInitializer = tf.initializers.constant({ value: 4 });
      const layer = built('BatchNormalization', { renorm: true, movingVarianceInitializer });
      expect(state(layer)).toMatchObject({
        moving_variance: [4, 4, 4],
        moving_stddev: [2, 2, 2],
        renorm_stddev: [2, 2, 2],
      });
    });

    test('in the form of Keras, a deviation below the root of epsilon counts as that', () => {
      const layer = built('BatchNormalization', { renorm: true, epsilon: 0.01 });
      give(layer, 'renorm_mean', [0, 0, 0]);
      give(layer, 'renorm_stddev', [0, 0.05, 0.2]);
      const x = random(1);
      // xHat r + d = x / average deviation, where the average mean is 0 and nothing is clipped.
      const expected = tf.div(x, tf.tensor1d([0.1, 0.1, 0.2]));
      expect(call(layer, x)).toBeClose(numbers(expected), CLOSE);
    });

    test('large means', () => {
      const at = (mean: number) => {
        const layer = built(className, className === 'BatchRenormalization' ? { rampSteps: null } : {});
        give(layer, 'moving_mean', [mean, mean, mean]);
        return call(layer, tf.add(random(1), mean));
      };
      expect(at(1024)).toBeClose(at(0), { atol: 3e-4 }); // x itself is rounded to 6e-5
    });

    test.each([
      ['renormClipping', 3],
      ['rampSteps', []],
      ['useBatchStatistics', 1],
      ['rhoInitializer', 'nothing'],
      ['other', 1],
    ])('a wrong option %s is an error that names class and option', (option, value) => {
      expect(() => makeLayer({ className, options: { [option]: value } })).toThrow(
        new RegExp(`^${className}: .*${option}`),
      );
    });
  });

  test.each([
    [{ renormClipping: { rmax: 0.9 } }, 'renormClipping.rmax must be a finite number of at least 1; received 0.9'],
    [{ renormClipping: { rmax: Number.POSITIVE_INFINITY } }, 'renormClipping.rmax must be a finite number'],
    [{ renormClipping: { dmax: -1 } }, 'renormClipping.dmax must be a finite number of at least 0; received -1'],
    [{ renormClipping: { rmin: 1.5 } }, 'renormClipping.rmin must be at most 1; received 1.5'],
    [{ renormClipping: { rmin: -0.5 } }, 'renormClipping.rmin must be a finite number of at least 0; received -0.5'],
    [{ renormClipping: { rMax: 2 } }, 'renormClipping must be an object of rmax, rmin, dmax; received rMax'],
    [{ rampSteps: { rmax: [-1, 5] } }, 'rampSteps.rmax must be two ascending counts'],
    [{ rampSteps: { rmax: [5, 5] } }, 'received [5,5]'],
    [{ rampSteps: { dmax: [9, 5] } }, 'rampSteps.dmax must be two ascending counts'],
    [{ rampSteps: { dmax: [1, 2, 3] } }, 'received [1,2,3]'],
    [{ rampSteps: { dmax: [0.5, 2] } }, 'received [0.5,2]'],
    [{ rampSteps: { dmax: 7 } }, 'received 7'],
    [{ rampSteps: { rmax: [] } }, 'received []'],
    [{ rampSteps: { rmax: [0] } }, 'received [0]'],
    [{ rampSteps: { rmax: [0, 2 ** 24 + 1] } }, 'received [0,16777217]'],
    [{ rampSteps: { steps: [1, 2] } }, 'rampSteps must be an object of rmax, dmax; received steps'],
  ])('BatchRenormalization %j', (options, message) => {
    const before = tf.memory().numTensors;
    expect(() => makeLayer({ className: 'BatchRenormalization', options })).toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });

  test.each([
    { rampSteps: { rmax: [0, 2 ** 24] } },
    { renormClipping: { rmin: 1 } },
    { renormClipping: { rmin: null } },
  ])('BatchRenormalization takes %j', (options) => {
    expect(() => makeLayer({ className: 'BatchRenormalization', options })).not.toThrow();
  });

  test('gates before there are weights', () => {
    expect(() => ours.batchInstanceNormalization().gates()).toThrow('BatchInstanceNormalization: gates has no weights');
    expect(() => ours.switchableNormalization().gates()).toThrow('SwitchableNormalization: gates has no weights');
  });
});
