/**
 * The layers that blend statistics (Batch-Instance, Switchable, Batch Renormalization) against float64: values, state,
 * gradients of first and second order, and what they cost; on every backend.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../layers/index.ts';
import { type Backend, describeBackends } from './support/backends.ts';
import {
  BLENDED,
  BLENDED_NAMES,
  everyAxis,
  SUBJECTS,
  settingOf,
  startOf,
  titled,
  weightsOf,
} from './support/blended-table.ts';
import { type LayerCase, layerInputs } from './support/layer-inputs.ts';
import { gradient, loss, type Point, penaltyGradient, type Weights } from './support/layer-oracle.ts';
import { type Layer, lastPart, makeLayer, variableOf } from './support/layers.ts';
import type { Tolerance } from './support/matchers.ts';

/** Shares of the largest value; `atol` where all values may be 0. */
const FORWARD: Tolerance = { ofMax: 5e-6, atol: 1e-6 }; // moments travel as float32, and roots of small variances amplify
const GRADIENT: Tolerance = { ofMax: 2e-5, atol: 2e-5 }; // sums of products, and differences of step 1e-4
const SECOND_ORDER: Tolerance = { ofMax: 2e-4, atol: 2e-4 }; // sums of sums, and mixed differences of step 1e-3

function expectClose(actual: Record<string, ArrayLike<number>>, expected: Weights, tolerance: Tolerance): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) expect(actual[name]).toBeClose(values, tolerance);
}

/** The point at which a call computes, and the formula whose differences are its gradients. */
function at(args: LayerCase) {
  const { project, formulaAt } = BLENDED[args.className]!;
  const setting = settingOf(args);
  const { x, ...weights } = startOf(args);
  const point = { ...(args.training && project ? project(weights) : weights), x } as Point;
  return { setting, point, formula: formulaAt(setting, point), ...weightsOf(setting, args.className) };
}

/** y and the state without a gradient, then y, the gradients and the state with one. */
async function checkLayer({ run }: Backend, args: LayerCase): Promise<void> {
  const { setting, point, formula, trainable, sizes } = at(args);
  const { x, ...weights } = point;
  const expected = formula(setting)(x, weights);
  const after = { ...weights, ...expected.state };

  const { value, leaked } = await run('applyLayer', args);
  expect(value.y).toBeClose(expected.y, FORWARD);
  expectClose(value.weights, after, FORWARD);
  expect(leaked).toEqual({ tensors: 0, data: 0 });
  expect(value).toMatchObject({ outputShape: args.shape, yShape: args.shape, dtype: 'float32', trainable });
  expect(value.count).toBe(Object.values(sizes).reduce((a, b) => a + b, 0));
  const shapes = Object.entries(sizes).map(([name, size]) => [name, name === 'step' ? [] : [size]]);
  expect(Object.entries(value.weightShapes)).toEqual(shapes);

  const gradients = gradient(loss(formula, setting, layerInputs(args).dy), point, ['x', ...trainable]);
  const differentiated = await run('differentiateLayer', args);
  expect(differentiated.value.y).toBeClose(expected.y, FORWARD);
  expectClose(differentiated.value.gradients, gradients, GRADIENT);
  expectClose(differentiated.value.weights, after, FORWARD);
  expect(differentiated.leaked).toEqual({ tensors: 0, data: 0 });
}

describeBackends('layers that blend statistics', (backend) => {
  test.each(titled(SUBJECTS))('%s: values, weights and gradients', async (_, subject) => {
    await checkLayer(backend, { ...subject, training: true });
    await checkLayer(backend, { ...subject, training: false });
  });

  test.each(titled(SUBJECTS))('%s: a gradient penalty', async (_, subject) => {
    for (const training of [true, false]) {
      const args = { ...subject, training };
      const { setting, point, formula, trainable } = at(args);
      const f = loss(formula, setting, layerInputs(args).dy);
      const { value, leaked } = await backend.run('penalizeLayer', args);
      // A weight that has no part in dx, as beta, gets no gradient or zeros.
      const zeros = Object.fromEntries(trainable.map((name) => [name, new Float32Array(point[name]!.length)]));
      const expected = penaltyGradient(f, point, ['x', ...trainable]);
      expectClose({ ...zeros, ...value.gradients }, expected, SECOND_ORDER);
      expect(leaked).toEqual({ tensors: 0, data: 0 });
    }
  });

  test.each(titled(SUBJECTS))('%s: a gradient of the gradient of gamma alone', async (_, subject) => {
    // It leaves the inner gradient of x untaken: nothing of that pass may reach the outer one.
    const args = { ...subject, training: true };
    const { setting, point, formula, trainable } = at(args);
    if (!trainable.includes('gamma')) return;
    const f = loss(formula, setting, layerInputs(args).dy);
    const squares = (p: Point) => gradient(f, p, ['gamma']).gamma!.reduce((sum, d) => sum + d * d, 0);
    const { value, leaked } = await backend.run('penalizeGamma', args);
    expectClose(value.gradients, gradient(squares, point, ['x']), SECOND_ORDER);
    expect(leaked).toEqual({ tensors: 0, data: 0 });
  });

  test.each(BLENDED_NAMES)('%s: the same in every kind of model, and in fit', async (className) => {
    const args = { className, options: {}, shape: [4, 3, 2, 3], training: true };
    const { value, leaked } = await backend.run('layerInModels', args);
    for (const result of Object.values(value.results)) expect(result).toBeClose(value.own, FORWARD);
    expect(Object.keys(value.results)).toHaveLength(6);
    expect(value.parameters).toEqual(value.parameters.map(() => value.count));
    expect(leaked).toEqual({ tensors: 0, data: 0 });
    const fit = await backend.run('fitLayer', args);
    const { losses, grown } = fit.value;
    expect(losses[5]! / losses[0]!).toBeLessThan(0.9);
    expect(grown).toBe(0);
    expect(fit.leaked).toEqual({ tensors: 0, data: 0 });
  });
});

describeBackends(
  'layers that blend statistics everywhere',
  (backend) => {
    test.each(BLENDED_NAMES)('%s: every rank and axis, and one value for each statistic', async (className) => {
      for (const subject of everyAxis(className)) await checkLayer(backend, { ...subject, training: true });
      for (const shape of [
        [1, 4],
        [1, 1, 4],
        [3, 1, 1, 4],
        [1, 3, 2, 4],
        [5, 1],
        [3, 4, 1],
      ]) {
        for (const training of [true, false]) {
          await checkLayer(backend, { className, options: { epsilon: 0.1 }, shape, training });
        }
      }
    });
  },
  { only: ['cpu'] },
);

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
    for (const [i, values] of expected.entries()) expect(actual[i]).toBeClose(values, GRADIENT);
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
        else if (tensors.some((t) => t?.size === x.size)) large.push(name.replace('tfjs-normalizations/', ''));
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

    test('rho is projected in training, and only read as projected in inference and by gates', () => {
      const layer = built('BatchInstanceNormalization') as ours.BatchInstanceNormalization;
      const x = random(1);
      give(layer, 'rho', [-2, 0.25, 3]);
      const inference = call(layer, x, false);
      expect(layer.gates()).toEqual({ rho: [0, 0.25, 1] });
      expect(state(layer).rho).toEqual([-2, 0.25, 3]);
      layer.trainable = false;
      expect(call(layer, x, true)).toEqual(inference);
      expect(state(layer).rho).toEqual([-2, 0.25, 3]);
      layer.trainable = true;
      call(layer, x, true);
      expect(state(layer).rho).toEqual([0, 0.25, 1]);
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
    const OPTIONS: Record<string, object> = {
      BatchInstanceNormalization: { rhoInitializer: { className: 'Constant', config: { value: 0.5 } } },
      SwitchableNormalization: { useBatchStatistics: false },
      BatchRenormalization: {
        renormClipping: { rmax: 2, dmax: 1, rmin: 0.25 },
        rampSteps: { rmax: [1, 2], dmax: [3, 4] },
      },
    };
    const all = {
      axis: 2,
      epsilon: 0.5,
      momentum: 0.25,
      center: false,
      scale: false,
      trainable: false,
      ...OPTIONS[className],
    };

    test('the config names every option, is equal before and after build, and makes the same layer', async () => {
      const { defaults } = BLENDED[className]!;
      const json = (layer: Layer) => JSON.parse(JSON.stringify(layer.getConfig()));
      expect(json(makeLayer({ className, options: {} }))).toMatchObject(defaults);
      const layer = makeLayer({ className, options: all });
      const before = json(layer);
      expect(before).toMatchObject(all);
      layer.build([2, 3, 4]);
      expect(json(layer)).toEqual(before);
      const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
      expect(json(fromConfig(cls, before) as Layer)).toEqual(before);
      const model = tf.sequential({
        layers: [makeLayer({ className, options: { ...all, inputShape: [3, 4], name: 'a' } })],
      });
      expect(json((await reloaded(model)).layers[0]!)).toEqual(json(model.layers[0]!));
    });

    test('frozen by the layer or by all its trainable weights: as in inference, and no weight moves', () => {
      const layer = built(className, className === 'BatchRenormalization' ? { rampSteps: null } : {});
      const x = random(1);
      call(layer, x);
      const inference = call(layer, x, false);
      const before = state(layer);
      const trainable = [...layer.trainableWeights];
      layer.trainable = false;
      expect(call(layer, x)).toEqual(inference);
      layer.trainable = true;
      for (const weight of trainable) weight.trainable = false;
      expect(call(layer, x)).toEqual(inference);
      expect(state(layer)).toEqual(before);
      trainable.at(-1)!.trainable = true;
      expect(call(layer, x)).not.toEqual(inference);
    });

    test('in inference an example does not depend on the others, nor on what is not a number in them', () => {
      const layer = built(className);
      const x = random(1);
      call(layer, x);
      const y = call(layer, x, false);
      const spoilt = tf.concat([tf.fill([1, ...SHAPE.slice(1)], Number.NaN), tf.slice(x, 1, 2)]);
      expect(call(layer, spoilt, false).slice(24)).toEqual(y.slice(24));
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
    [{ rampSteps: { steps: [1, 2] } }, 'rampSteps must be an object of rmax, dmax; received steps'],
  ])('BatchRenormalization %j', (options, message) => {
    const before = tf.memory().numTensors;
    expect(() => makeLayer({ className: 'BatchRenormalization', options })).toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('gates before there are weights', () => {
    expect(() => ours.batchInstanceNormalization().gates()).toThrow('BatchInstanceNormalization: gates has no weights');
    expect(() => ours.switchableNormalization().gates()).toThrow('SwitchableNormalization: gates has no weights');
  });
});
