/** Layers of conditional and residual normalization, beyond their values: what they refuse, keep, save, mask and learn. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { run } from '../../kernels/core/registry.ts';
import * as ours from '../../layers/index.ts';
import { normals } from '../support/random.ts';

beforeAll(() => tf.setBackend('cpu'));

const random = (seed: number, shape: number[], mean = 0) =>
  tf.tensor(
    normals(
      seed,
      shape.reduce((a, b) => a * b, 1),
      mean,
    ),
    shape,
  );
const outputsOf = (layer: tf.layers.Layer, inputs: tf.Tensor[], kwargs = {}) =>
  [layer.apply(inputs, kwargs) as tf.Tensor | tf.Tensor[]].flat();
const values = (t: tf.Tensor) => Array.from(t.dataSync());

interface Subject {
  readonly make: (options?: object) => tf.layers.Layer;
  readonly shapes: number[][];
  readonly options: Readonly<Record<string, unknown>>;
  readonly weights: readonly string[];
}

/** With a condition, x first; and every option that is not the default. */
const PROJECTED: Readonly<Record<string, Subject>> = {
  ConditionalBatchNormalization: {
    make: ours.conditionalBatchNormalization,
    shapes: [
      [4, 5, 3],
      [4, 2],
    ],
    options: { axis: 1, momentum: 0.5, epsilon: 0.1, useBias: false },
    weights: ['condition/kernel', 'condition/bias', 'moving_mean', 'moving_variance'],
  },
  FeaturewiseLinearModulation: {
    make: ours.featurewiseLinearModulation,
    shapes: [
      [4, 5, 3],
      [4, 2],
    ],
    options: { axis: 1, useBias: false },
    weights: ['condition/kernel', 'condition/bias'],
  },
  AdaptiveLayerNormalization: {
    make: ours.adaptiveLayerNormalization,
    shapes: [
      [4, 5, 3],
      [4, 2],
    ],
    options: { axis: 1, epsilon: 0.1, useBias: false },
    weights: ['condition/kernel', 'condition/bias'],
  },
  AdaptiveLayerNormalizationZero: {
    make: ours.adaptiveLayerNormalizationZero,
    shapes: [
      [4, 5, 3],
      [4, 2],
    ],
    options: { axis: 1, epsilon: 0.1, useBias: false },
    weights: ['condition/kernel', 'condition/bias'],
  },
  SpatiallyAdaptiveNormalization: {
    make: (options) => ours.spatiallyAdaptiveNormalization({ hiddenUnits: 4, ...options }),
    shapes: [
      [2, 4, 4, 3],
      [2, 8, 8, 2],
    ],
    options: { statistics: 'instance', hiddenUnits: 5, epsilon: 0.1, momentum: 0.5, useBias: false },
    weights: ['hidden/kernel', 'hidden/bias', 'condition/kernel', 'condition/bias', 'moving_mean', 'moving_variance'],
  },
};
const OTHERS: Readonly<Record<string, Subject>> = {
  AdaptiveInstanceNormalization: {
    make: ours.adaptiveInstanceNormalization,
    shapes: [
      [4, 5, 3],
      [4, 2, 3],
    ],
    options: { axis: 1, epsilon: 0.1 },
    weights: [],
  },
  AddLayerNormalization: {
    make: ours.addLayerNormalization,
    shapes: [
      [4, 5, 3],
      [4, 5, 3],
    ],
    options: { axis: [1, 2], epsilon: 0.1, center: false },
    weights: ['gamma', 'beta'],
  },
  AddRMSNormalization: {
    make: ours.addRMSNormalization,
    shapes: [
      [4, 5, 3],
      [4, 5, 3],
    ],
    options: { axis: 1, epsilon: 0.1, epsilonPlacement: 'inside', gammaOffset: 1 },
    weights: ['scale', 'beta'],
  },
};
const SUBJECTS = Object.entries({ ...PROJECTED, ...OTHERS });
const inputsOf = ({ shapes }: Subject, mean = 0) => shapes.map((shape, i) => random(i + 1, shape, mean));

/** Gives every weight values that are not those it starts with. */
function fill(layer: tf.layers.Layer): void {
  const filled = layer.getWeights().map((weight, i) => tf.add(1, tf.mul(0.25, random(i + 20, weight.shape))));
  layer.setWeights(filled);
  tf.dispose(filled);
}

/** A model of the layer whose outputs are joined in one, so that there is a loss. */
function modelOf(subject: Subject, layer: tf.layers.Layer): tf.LayersModel {
  const inputs = subject.shapes.map((shape) => tf.input({ shape: shape.slice(1) }));
  const outputs = [layer.apply(inputs) as tf.SymbolicTensor | tf.SymbolicTensor[]].flat();
  const flat = outputs.map((output) => tf.layers.flatten().apply(output) as tf.SymbolicTensor);
  const joined = flat.length > 1 ? (tf.layers.concatenate().apply(flat) as tf.SymbolicTensor) : flat[0]!;
  const kernelInitializer = tf.initializers.glorotUniform({ seed: 3 });
  return tf.model({
    inputs,
    outputs: tf.layers.dense({ units: 2, kernelInitializer }).apply(joined) as tf.SymbolicTensor,
  });
}

describe.each(SUBJECTS)('%s', (className, subject) => {
  test('weights, in order', () => {
    const layer = subject.make();
    layer.build(subject.shapes);
    expect(layer.weights.map(({ originalName }) => originalName)).toEqual(subject.weights);
    const trained = subject.weights.filter((name) => !name.startsWith('moving'));
    expect(layer.trainableWeights.map(({ originalName }) => originalName)).toEqual(trained);
    expect(layer.getClassName()).toBe(className);
  });

  test('options come back from a config, which is the same before and after build', () => {
    const layer = subject.make(subject.options);
    const before = JSON.stringify(layer.getConfig());
    layer.build(
      subject.shapes.map((shape) => (subject.options.axis === 1 ? [shape[0]!, 5, ...shape.slice(2)] : shape)),
    );
    expect(JSON.stringify(layer.getConfig())).toBe(before);
    const [cls] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    const again = (cls as unknown as { fromConfig: (cls: unknown, config: object) => tf.layers.Layer }).fromConfig(
      cls,
      JSON.parse(before),
    );
    expect(JSON.stringify(again.getConfig())).toBe(before);
    expect(again.getConfig()).toMatchObject(subject.options);
  });

  test('in a model, saved and loaded, at a mean of 1e4, too', async () => {
    for (const mean of [0, 1e4]) {
      const layer = subject.make();
      const model = modelOf(subject, layer);
      fill(layer);
      const inputs = inputsOf(subject, mean);
      let artifacts: tf.io.ModelArtifacts | undefined;
      await model.save(
        tf.io.withSaveHandler(async (saved) => {
          artifacts = saved;
          return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
        }),
      );
      const again = await tf.loadLayersModel(tf.io.fromMemory(artifacts!));
      expect(values(again.predict(inputs) as tf.Tensor)).toEqual(values(model.predict(inputs) as tf.Tensor));
      expect(values(model.predict(inputs) as tf.Tensor).every(Number.isFinite)).toBe(true);
    }
  });

  test('learns, and leaves no tensors', async () => {
    const layer = subject.make();
    const model = modelOf(subject, layer);
    model.compile({ optimizer: tf.train.adam(0.02), loss: 'meanSquaredError' });
    const [inputs, targets] = [inputsOf(subject), random(9, [subject.shapes[0]![0]!, 2])];
    // The optimizer makes its own variables in the first step.
    await model.fit(inputs, targets, { epochs: 1, verbose: 0, shuffle: false });
    const before = tf.memory().numTensors;
    const { history } = await model.fit(inputs, targets, { epochs: 30, verbose: 0, shuffle: false });
    tf.dispose(model.predict(inputs));
    expect(tf.memory().numTensors).toBe(before);
    const losses = history.loss as number[];
    expect(losses.at(-1)!).toBeLessThan(0.9 * losses[0]!);
    model.dispose();
  });

  test('takes the same input twice, also where it goes into another layer', () => {
    const [shape] = subject.shapes as [number[]];
    if (className === 'SpatiallyAdaptiveNormalization') return expect(subject.shapes[1]).not.toEqual(shape);
    const input = tf.input({ shape: shape.slice(1) });
    const x = tf.layers.activation({ activation: 'relu' }).apply(input) as tf.SymbolicTensor;
    const layer = subject.make();
    const output = [layer.apply([x, x]) as tf.SymbolicTensor | tf.SymbolicTensor[]].flat()[0]!;
    const model = tf.model({ inputs: input, outputs: tf.layers.add().apply([x, output]) as tf.SymbolicTensor });
    fill(layer);
    const given = random(1, shape);
    const relu = tf.relu(given);
    const expected = tf.add(relu, outputsOf(layer, [relu, relu])[0]!);
    expect(values(model.predict(given) as tf.Tensor)).toEqual(values(expected));
  });

  test('the mask of x goes on', () => {
    const layer = subject.make();
    const mask = tf.ones([4, 5], 'bool');
    const masks = [layer.computeMask(inputsOf(subject), [mask, null as unknown as tf.Tensor])].flat();
    expect(masks[0]).toBe(mask);
    expect(layer.supportsMasking).toBe(true);
  });

  test('has the shape that it says', () => {
    const layer = subject.make();
    const outputs = outputsOf(layer, inputsOf(subject));
    const shapes = layer.computeOutputShape(subject.shapes) as number[] | number[][];
    expect(outputs.map(({ shape }) => shape)).toEqual(Array.isArray(shapes[0]) ? shapes : [shapes]);
  });
});

describe('the shapes of a call', () => {
  test('sizes that are not known yet fit any, also of a layer that is built', () => {
    const [projected, given] = [ours.featurewiseLinearModulation(), ours.featurewiseLinearModulation()];
    const shapes = [
      [
        projected,
        [
          [4, 5, 3],
          [4, 2],
        ],
      ],
      [
        projected,
        [
          [null, 5, null],
          [4, 2],
        ],
      ],
      [
        projected,
        [
          [4, 5, 3],
          [null, null],
        ],
      ],
      [
        given,
        [
          [4, 5, 3],
          [4, 3],
          [4, 3],
        ],
      ],
      [
        given,
        [
          [4, 5, null],
          [null, 3],
          [4, 3],
        ],
      ],
      [
        given,
        [
          [null, 5, 3],
          [4, null],
          [4, 5, null],
        ],
      ],
    ] as const;
    for (const isBuilt of [false, true]) {
      for (const [layer, list] of shapes) {
        const given = list.map((shape) => [...shape]);
        expect(layer.computeOutputShape(given)).toEqual(given[0]);
        if (isBuilt) expect(layer.built).toBe(true);
      }
      projected.apply([tf.ones([4, 5, 3]), tf.ones([4, 2])]);
      given.apply([tf.ones([4, 5, 3]), tf.ones([4, 3]), tf.ones([4, 3])]);
    }
  });

  test('a sum of sizes that are not known yet', () => {
    const layer = ours.addLayerNormalization();
    for (const shapes of [
      [
        [null, 5, 3],
        [4, 5, 3],
      ],
      [
        [4, 5, 3],
        [4, null, 3],
      ],
    ]) {
      expect(layer.computeOutputShape(shapes)).toEqual([shapes[0], shapes[0]]);
    }
  });

  test('parameters per example and per position by turns, the channels not last', () => {
    const layer = ours.featurewiseLinearModulation({ axis: 1 });
    const [x, rows] = [random(1, [4, 5, 3]), random(2, [4, 5])];
    const everywhere = tf.mul(tf.expandDims(rows, -1), tf.ones([1, 1, 3]));
    const [y, z] = [rows, everywhere].map((gamma) => layer.apply([x, gamma, gamma]) as tf.Tensor);
    expect(values(z!)).toBeClose(values(y!), { ofMax: 1e-6 });
  });
});

describe('AdaptiveLayerNormalizationZero', () => {
  test.each([
    { axis: 1, x: [4, 5, 3], condition: [4, 2], gate: [4, 5, 1] },
    { axis: -1, x: [4, 5, 3], condition: [4, 5, 2], gate: [4, 5, 3] },
    { axis: -1, x: [4, 3], condition: [4, 2], gate: [4, 3] },
  ])('has the gate that it says: %j', ({ axis, x, condition, gate }) => {
    const layer = ours.adaptiveLayerNormalizationZero({ axis });
    const shapes = outputsOf(layer, [random(1, x), random(2, condition)]).map(({ shape }) => shape);
    expect(shapes).toEqual([x, gate]);
    expect(layer.computeOutputShape([x, condition])).toEqual(shapes);
  });
});

describe('SpatiallyAdaptiveNormalization', () => {
  const [x, gamma, beta] = [random(1, [2, 3, 3, 4], 2), random(2, [2, 3, 3, 4]), random(3, [2, 3, 3, 4])];
  const parameters = { gamma: tf.add(gamma, 1), beta };
  const epsilon = 0.1;

  test('of each example: without averages, the same in training and inference', () => {
    const layer = ours.spatiallyAdaptiveNormalization({ statistics: 'instance', epsilon });
    const expected = values(ours.instanceNorm(x, { ...parameters, epsilon }));
    for (const training of [true, false]) {
      expect(values(layer.apply([x, gamma, beta], { training }) as tf.Tensor)).toBeClose(expected, { ofMax: 1e-6 });
    }
    expect(layer.weights).toEqual([]);
  });

  test('of the batch: in training alone, and only if it is not frozen', () => {
    const layer = ours.spatiallyAdaptiveNormalization({ epsilon, momentum: 0.5 });
    const apply = (training: boolean) => values(layer.apply([x, gamma, beta], { training }) as tf.Tensor);
    const byAverages = () => {
      const [mean, variance] = layer.getWeights() as [tf.Tensor, tf.Tensor];
      return values(ours.batchNorm(x, { ...parameters, epsilon, mean, variance }).y);
    };
    const ofBatch = values(ours.batchNorm(x, { ...parameters, epsilon }).y);
    expect(apply(true)).toBeClose(ofBatch, { ofMax: 1e-6 });
    const inference = byAverages();
    expect(inference).not.toBeClose(ofBatch, { ofMax: 0.01 });
    expect(apply(false)).toBeClose(inference, { ofMax: 1e-6 });
    layer.trainable = false;
    expect(apply(true)).toBeClose(inference, { ofMax: 1e-6 });
    expect(byAverages()).toEqual(inference);
  });

  test('a map for channels that are named from the front', () => {
    const layer = ours.spatiallyAdaptiveNormalization({ axis: 3, hiddenUnits: 2 });
    expect((layer.apply([x, random(4, [2, 6, 6, 2])]) as tf.Tensor).shape).toEqual(x.shape);
    const shapes = layer.weights.map(({ shape }) => shape);
    expect(shapes).toEqual([[3, 3, 2, 2], [2], [3, 3, 2, 8], [8], [4], [4]]);
  });
});

describe('what does not fit is refused', () => {
  const x = () => tf.ones([4, 5, 3]);
  const REFUSED: readonly (readonly [what: string, make: () => unknown, message: RegExp])[] = [
    ...Object.entries(PROJECTED)
      .filter(([name]) => name !== 'SpatiallyAdaptiveNormalization')
      .flatMap(
        ([name, { make }]) =>
          [
            [
              `${name}: a condition of another batch`,
              () => make().apply([x(), tf.ones([3, 2])]),
              /^ConditionalX: the condition must have the batch of x, 4; received \[3,2\], a batch of 3; give a row for each example/,
            ],
            [
              `${name}: one input`,
              () => make().apply(x()),
              /^ConditionalX: the inputs are \[x, condition\] or \[x, .*\]; received 1; call apply with a list/,
            ],
            [
              `${name}: a condition without batch`,
              () => make().apply([x(), tf.ones([2])]),
              /^ConditionalX: the condition must have 2 axes, one row per example, or the 3 of x, one per position; received \[2\]/,
            ],
          ] as const,
      )
      .map(
        ([what, make, message]) =>
          [what, make, new RegExp(message.source.replace('ConditionalX', what.split(':')[0]!))] as const,
      ),
    [
      'parameters of another width',
      () => ours.featurewiseLinearModulation().apply([x(), tf.ones([4, 2]), tf.ones([4, 3])]),
      /FeaturewiseLinearModulation: gamma must have a value for each of the 3 channels of x; received \[4,2\]; project it first/,
    ],
    [
      'a built layer called with another number of inputs',
      () => {
        const layer = ours.featurewiseLinearModulation();
        layer.apply([x(), tf.ones([4, 2])]);
        return layer.apply([x(), tf.ones([4, 3]), tf.ones([4, 3])]);
      },
      /FeaturewiseLinearModulation: .* is built for \[x, condition\]; received 3 inputs; make another layer/,
    ],
    [
      'a condition of another width than the layer was built for',
      () => {
        const layer = ours.featurewiseLinearModulation();
        layer.apply([x(), tf.ones([4, 2])]);
        return layer.apply([x(), tf.ones([4, 6])]);
      },
      /FeaturewiseLinearModulation: .* is built for a condition of width 2; received \[4,6\]; make another layer/,
    ],
    [
      'other channels than the layer was built for',
      () => {
        const layer = ours.featurewiseLinearModulation();
        layer.apply([x(), tf.ones([4, 2])]);
        return layer.apply([tf.ones([4, 5, 6]), tf.ones([4, 2])]);
      },
      /FeaturewiseLinearModulation: .* is built for 3 channels at axis 2; received \[4,5,6\]; make another layer/,
    ],
    ...(
      [
        [ours.featurewiseLinearModulation, 'epsilon'],
        [ours.featurewiseLinearModulation, 'momentum'],
        [ours.adaptiveLayerNormalization, 'momentum'],
      ] as const
    ).map(([make, option]): (typeof REFUSED)[number] => [
      `${option} where there is none`,
      () => make({ [option]: 0.5 } as object),
      new RegExp(`Layer.*: unknown option '${option}'|Linear.*: unknown option '${option}'`),
    ]),
    [
      'a style of another batch',
      () => ours.adaptiveInstanceNormalization().apply([x(), tf.ones([3, 5, 3])]),
      /AdaptiveInstanceNormalization: content and style must have the same rank, batch and channels; received \[4,5,3\] and \[3,5,3\]/,
    ],
    [
      'a residual of another shape',
      () => ours.addLayerNormalization().apply([x(), tf.ones([4, 1, 3])]),
      /AddLayerNormalization: the residual must have the shape of x, \[4,5,3\]; received \[4,1,3\]; nothing is broadcast/,
    ],
    [
      'a residual of one axis more',
      () => ours.addLayerNormalization().apply([x(), tf.ones([4, 5, 3, 1])]),
      /AddLayerNormalization: the residual must have the shape of x, \[4,5,3\]; received \[4,5,3,1\]/,
    ],
    [
      'summands of another width than the layer was built for',
      () => {
        const layer = ours.addLayerNormalization();
        layer.apply([x(), x()]);
        return layer.apply([tf.ones([4, 5, 6]), tf.ones([4, 5, 6])]);
      },
      /expected axis 2 of input shape to have value 3/,
    ],
    [
      'one summand',
      () => ours.addRMSNormalization().apply(x()),
      /AddRMSNormalization: the inputs are \[x, residual\]; received 1/,
    ],
    [
      'a residual of another shape, as a function',
      () => ours.addLayerNorm(x(), tf.ones([4, 3])),
      /addLayerNorm: the residual must have the shape of the input, \[4,5,3\]; received \[4,3\]/,
    ],
    [
      'gamma of another batch',
      () => ours.layerNorm(x(), { gamma: tf.ones([3, 3]) as tf.Tensor }),
      // Nine values are no three: the batch is what differs.
      /layerNorm: gamma must hold 3 values, one per channel, or \[4, 3\] or \[4,1,3\], a row per example, or \[4,5,3\], a row per position; received the shape \[3,3\]: a batch of 3 for one of 4/,
    ],
    [
      'gamma per position but not per example',
      () => ours.instanceNorm(x(), { gamma: tf.ones([1, 5, 3]) }),
      /instanceNorm: gamma must hold 3 values.*received the shape \[1,5,3\].*reshape or tile it/,
    ],
    [
      'an offset without gamma',
      () => ours.rmsNorm(x(), { gammaOffset: 1 }),
      /rmsNorm: gammaOffset is added to gamma, of which there is none/,
    ],
    [
      'an offset that is none',
      () => ours.rmsNormalization({ gammaOffset: Number.NaN }),
      /RMSNormalization: gammaOffset must be a finite number/,
    ],
    [
      'an unknown option',
      () => ours.conditionalBatchNormalization({ eps: 1 } as object),
      /ConditionalBatchNormalization: unknown option 'eps'; it is called epsilon here/,
    ],
    [
      'a map for x that is no image',
      () => ours.spatiallyAdaptiveNormalization().apply([x(), tf.ones([4, 5, 2])]),
      /SpatiallyAdaptiveNormalization: a map needs x of \[batch, height, width, channels\]/,
    ],
    [
      'a row per example instead of a map',
      () => ours.spatiallyAdaptiveNormalization().apply([tf.ones([4, 5, 5, 3]), tf.ones([4, 2])]),
      /SpatiallyAdaptiveNormalization: a map needs x of .*; received x of \[4,5,5,3\] and a map of \[4,2\]/,
    ],
    [
      'a map for x with the channels elsewhere',
      () => ours.spatiallyAdaptiveNormalization({ axis: 1 }).apply([tf.ones([4, 5, 5, 3]), tf.ones([4, 5, 5, 2])]),
      /SpatiallyAdaptiveNormalization: a map needs x of \[batch, height, width, channels\]/,
    ],
    [
      'rmsScaling with a residual',
      () => ours.addLayerNormalization({ rmsScaling: true } as object),
      /AddLayerNormalization: rmsScaling/,
    ],
  ];
  test.each(REFUSED)('%s', (_, make, message) => {
    expect(make).toThrow(message);
  });
});

describe('gradients of a sum and its normalization', () => {
  const [x, residual, gamma, beta] = [random(1, [6, 8]), random(2, [6, 8]), random(3, [8], 1), random(4, [8])];
  const fused = (x: tf.Tensor, residual: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) =>
    ours.addLayerNorm(x, residual, { gamma, beta });
  const apart = (x: tf.Tensor, residual: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => {
    const sum = tf.add(x, residual);
    return { y: ours.layerNorm(sum, { gamma, beta }), sum };
  };
  type Make = typeof apart;
  type Loss = (results: ReturnType<Make>) => tf.Tensor;
  const LOSSES: Readonly<Record<string, Loss>> = {
    'of both': ({ y, sum }) => tf.add(tf.sum(tf.mul(y, tf.sin(y))), tf.sum(tf.square(sum))),
    'of y alone': ({ y }) => tf.sum(tf.mul(y, tf.sin(y))),
    'of the sum alone': ({ sum }) => tf.sum(tf.square(sum)),
    'of a sum used twice': ({ y, sum }) => tf.add(tf.sum(tf.mul(y, sum)), tf.sum(tf.mul(sum, tf.relu(sum)))),
  };

  test.each(Object.entries(LOSSES))('%s', (_, loss) => {
    const gradients = (make: Make) =>
      tf.grads((...given: tf.Tensor[]) => loss(make(...(given as Parameters<Make>))))(
        [x, residual, gamma, beta].slice(0, loss === LOSSES['of the sum alone'] ? 2 : 4),
      );
    const all = (make: Make): number[][] => {
      const full: Make = (x, residual, g = gamma, b = beta) => make(x, residual, g, b);
      return gradients(full).map(values);
    };
    for (const [i, gradient] of all(fused).entries()) expect(gradient).toBeClose(all(apart)[i]!, { ofMax: 1e-6 });
  });

  test('an input that is used before, too, and one that is both', () => {
    const of = (make: Make) =>
      values(
        tf.grad((x: tf.Tensor) => {
          const { y, sum } = make(x, x, gamma, beta);
          return tf.add(tf.sum(tf.mul(x, y)), tf.sum(tf.mul(tf.square(x), sum)));
        })(x),
      );
    expect(of(fused)).toBeClose(of(apart), { ofMax: 1e-6 });
  });

  test('of gamma alone', () => {
    const of = (make: Make) =>
      values(tf.grad((g: tf.Tensor) => tf.sum(tf.square(make(x, residual, g, beta).y)))(gamma));
    expect(of(fused)).toBeClose(of(apart), { ofMax: 1e-6 });
  });

  test('of a gradient', () => {
    const of = (make: Make) => {
      const inner = (x: tf.Tensor) => tf.grad((x: tf.Tensor) => LOSSES['of both']!(make(x, residual, gamma, beta)))(x);
      return values(tf.grad((x: tf.Tensor) => tf.sum(tf.square(inner(x))))(x));
    };
    expect(of(fused)).toBeClose(of(apart), { ofMax: 1e-5 });
  });

  test('one kernel each way, no zeros for what is not used, and no tensor stays', () => {
    const ran = async (loss: Loss) => {
      const { kernels } = await tf.profile(() =>
        tf.grads((x: tf.Tensor, residual: tf.Tensor) => loss(fused(x, residual, gamma, beta)))([x, residual]),
      );
      return kernels.map(({ name }) => name).filter((name) => name.includes('/') || /Add|Zeros|Fill/.test(name));
    };
    const before = tf.memory();
    return tf
      .nextFrame()
      .then(() => ran(({ y }) => tf.sum(y)))
      .then((kernels) => {
        expect(kernels.filter((name) => name.includes('/'))).toEqual([
          'tfjs-normalizations/2/Normalize',
          'tfjs-normalizations/2/NormalizeGrad',
        ]);
        expect(kernels.filter((name) => /Zeros|Add/.test(name))).toEqual([]);
        // The gradients of x and the residual.
        expect(tf.memory().numTensors - before.numTensors).toBe(2);
        expect(tf.memory().numDataBuffers - before.numDataBuffers).toBe(1);
      });
  });
});

/** Of gamma and beta for each position. */
const PARAMETERS = [
  [4, 6, 6, 3],
  [4, 6, 6, 3],
];

describe('statistics', () => {
  test('a conditional batch normalization follows the batch in training and takes its averages in inference', () => {
    const layer = ours.conditionalBatchNormalization({ epsilon: 1e-5, momentum: 0.5 });
    const [x, gamma, beta] = [random(1, [4, 6, 3], 2), random(2, [4, 3], 1), random(3, [4, 3])];
    layer.apply([x, gamma, beta], { training: true });
    const [mean, variance] = layer.getWeights() as [tf.Tensor, tf.Tensor];
    const batch = tf.moments(x, [0, 1]);
    expect(values(mean)).toBeClose(values(tf.mul(batch.mean, 0.5)), { ofMax: 1e-6 });
    expect(values(variance)).toBeClose(values(tf.add(tf.mul(batch.variance, 0.5), 0.5)), { ofMax: 1e-6 });
    const y = layer.apply([x, gamma, beta]) as tf.Tensor;
    const xHat = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5)));
    const rows = (t: tf.Tensor) => tf.expandDims(t, 1);
    expect(values(y)).toBeClose(values(tf.add(tf.mul(xHat, rows(gamma)), rows(beta))), { ofMax: 1e-6 });
    const positions = layer.apply([x, tf.add(x, rows(gamma)), x]) as tf.Tensor;
    expect(values(positions)).toBeClose(values(tf.add(tf.mul(xHat, tf.add(x, rows(gamma))), x)), { ofMax: 1e-6 });
    layer.trainable = false;
    layer.apply([x, gamma, beta], { training: true });
    expect(values(layer.getWeights()[0]!)).toEqual(values(mean));
  });

  test.each([
    ['ConditionalBatchNormalization', 'a condition', ours.conditionalBatchNormalization, [[4, 6, 6, 5]]],
    ['ConditionalBatchNormalization', 'given parameters', ours.conditionalBatchNormalization, PARAMETERS],
    ['SpatiallyAdaptiveNormalization', 'a map', ours.spatiallyAdaptiveNormalization, [[4, 6, 6, 5]]],
    ['SpatiallyAdaptiveNormalization', 'given parameters', ours.spatiallyAdaptiveNormalization, PARAMETERS],
  ] as const)('%s with %s keeps its averages in a frozen model, and moves them again', (_, __, make, others) => {
    const layer = make();
    const shapes: number[][] = [[4, 6, 6, 3], ...others.map((shape) => [...shape])];
    const symbols = shapes.map((shape) => tf.input({ shape: shape.slice(1) }));
    const model = tf.model({ inputs: symbols, outputs: layer.apply(symbols) as tf.SymbolicTensor });
    const inputs = shapes.map((shape, i) => random(i, shape, 2));
    const averages = () => layer.weights.filter((weight) => /moving/.test(weight.name)).map((w) => values(w.read()));
    const before = averages();
    const inference = values(model.predict(inputs) as tf.Tensor);
    model.trainable = false;
    expect(values(layer.apply(inputs, { training: true }) as tf.Tensor)).toEqual(inference);
    expect(averages()).toEqual(before);
    model.trainable = true;
    layer.apply(inputs, { training: true });
    expect(averages()).not.toEqual(before);
  });

  test('masked positions do not count', () => {
    const layer = ours.conditionalBatchNormalization({ epsilon: 1e-5 });
    const [x, gamma, beta] = [random(1, [2, 4, 3]), random(2, [2, 3], 1), random(3, [2, 3])];
    const mask = tf.tensor([1, 1, 0, 0, 1, 1, 0, 0], [2, 4], 'bool');
    const other = tf.add(x, tf.mul(100, tf.expandDims(tf.cast(tf.logicalNot(mask), 'float32'), -1)));
    const [y, z] = [x, other].map((x) => layer.apply([x, gamma, beta], { training: true, mask }) as tf.Tensor);
    expect(values(tf.slice(z!, [0, 0, 0], [2, 2, 3]))).toBeClose(values(tf.slice(y!, [0, 0, 0], [2, 2, 3])), {
      ofMax: 1e-6,
    });
  });

  test('parameters per example are those of every function, whatever the axis', () => {
    const x = random(1, [3, 4, 5]);
    const gamma = random(2, [3, 4], 1);
    const full = tf.expandDims(gamma, -1);
    const plain = ours.instanceNorm(x, { axis: 1 });
    for (const given of [gamma, full, tf.mul(full, tf.ones([1, 1, 5]))]) {
      expect(values(ours.instanceNorm(x, { axis: 1, gamma: given }))).toBeClose(values(tf.mul(plain, full)), {
        ofMax: 1e-6,
      });
    }
    const rms = ours.rmsNorm(x, { axis: [1, 2], gamma: tf.ones([3, 4, 5]), beta: tf.ones([20]) });
    expect(values(rms)).toBeClose(values(tf.add(ours.rmsNorm(x, { axis: [1, 2] }), 1)), { ofMax: 1e-6 });
  });

  test('a row per example goes with one per position, and beta with no gamma', () => {
    const [x, gamma, beta] = [random(1, [3, 4, 5]), random(2, [3, 5], 1), random(3, [3, 4, 5])];
    const [plain, rows] = [ours.layerNorm(x), tf.expandDims(gamma, 1)];
    const both = ours.layerNorm(x, { gamma, beta });
    expect(values(both)).toBeClose(values(tf.add(tf.mul(plain, rows), beta)), { ofMax: 1e-6 });
    const swapped = ours.layerNorm(x, { gamma: beta, beta: gamma });
    expect(values(swapped)).toBeClose(values(tf.add(tf.mul(plain, beta), rows)), { ofMax: 1e-6 });
    const shifted = ours.layerNorm(x, { beta: gamma });
    expect(values(shifted)).toBeClose(values(tf.add(plain, rows)), { ofMax: 1e-6 });
  });

  test('batchNorm gives the mean and the variance that it took, or was given', () => {
    const x = random(1, [3, 4, 5], 2);
    for (const axis of [1, 2]) {
      const { mean, variance } = ours.batchNorm(x, { axis });
      const batch = tf.moments(x, axis === 1 ? [0, 2] : [0, 1]);
      expect(values(mean)).toBeClose(values(batch.mean), { ofMax: 1e-6 });
      expect(values(variance)).toBeClose(values(batch.variance), { ofMax: 1e-6 });
      const given = ours.batchNorm(x, { axis, mean: variance, variance: mean });
      expect([given.mean, given.variance].map(values)).toEqual([variance, mean].map(values));
    }
  });

  test('which kernels run where a mean and a variance are given', async () => {
    const x = random(1, [3, 4, 5]);
    const given = { mean: tf.ones([5]), variance: tf.ones([5]) };
    const kernelsOf = async (f: () => tf.TensorContainer) => {
      const { kernels } = await tf.profile(() => f() as tf.Tensor);
      return kernels.filter(({ name }) => name.includes('/')).map(({ name }) => name.split('/').at(-1));
    };
    const y = (x: tf.Tensor, gamma: tf.Tensor) => ours.batchNorm(x, { ...given, gamma }).y;
    const gamma = tf.ones([5]);
    expect(await kernelsOf(() => y(x, gamma))).toEqual(['ScaleShift']);
    const withGradients = ['ScaleShift', 'ScaleShift', 'ScaleShiftGrad'];
    expect(await kernelsOf(() => tf.grads(y)([x, gamma]))).toEqual(withGradients);
    // Rows of examples are few: mean and variance are repeated for each. Rows of positions are as many as x has.
    expect(await kernelsOf(() => y(x, tf.ones([3, 5])))).toEqual(['ScaleShift']);
    expect(await kernelsOf(() => y(x, tf.ones([3, 4, 5])))).toEqual(['ScaleShift', 'ScaleShift']);
  });

  test('an empty batch comes out empty', () => {
    const empty = tf.zeros([0, 4]);
    expect(ours.layerNorm(empty, { gamma: tf.zeros([0, 4]) }).shape).toEqual([0, 4]);
    expect(ours.addRmsNorm(empty, empty).sum.shape).toEqual([0, 4]);
    expect(ours.film(empty, { gamma: tf.zeros([0, 4]) }).shape).toEqual([0, 4]);
  });
});

test.each([1, 2])(
  'rows of more values than the memory of a kernel takes at once, %d to a condition',
  (rowsPerCondition) => {
    const [conditions, c] = [2, 2 ** 20 + 4];
    const n = conditions * rowsPerCondition;
    const [x, residual] = [random(1, [n, c]), random(2, [n, c])];
    const [gamma, beta] = [random(3, [conditions, c], 1), random(5, [conditions, c])];
    const byCondition = [conditions, rowsPerCondition, c];
    const spread = (t: tf.Tensor) => tf.reshape(tf.tile(tf.expandDims(t, 1), [1, rowsPerCondition, 1]), [n, c]);
    const summed = (t: tf.Tensor) => tf.sum(tf.reshape(t, byCondition), 1);
    // Jest takes seconds to compare arrays of millions of values.
    const distance = (a: tf.Tensor, b: tf.Tensor) => values(tf.max(tf.abs(tf.sub(a, b))))[0];
    const view = { n, s: 1, c, groups: 1, rowsPerCondition };
    const attrs = { view, epsilon: 1e-3, epsilonPlacement: 'inside', center: true, rescale: true } as const;
    const outputs = run('Normalize', { x, residual, gamma, beta }, attrs);
    const total = tf.add(x, residual);
    expect(distance(outputs[2]!, total)).toBe(0);
    const expected = tf.add(tf.mul(ours.layerNorm(total), spread(gamma)), spread(beta));
    expect(distance(outputs[0], expected)).toBeLessThan(1e-5);
    const dy = random(4, [n, c]);
    const grads = run(
      'NormalizeGrad',
      { dy, dsum: residual, x: total, statistics: outputs[1]!, gamma },
      { ...attrs, affine: true },
    );
    const dx = tf.add(tf.grad((x: tf.Tensor) => tf.mul(ours.layerNorm(x), spread(gamma)))(total, dy), residual);
    expect(distance(grads[0], dx)).toBeLessThan(1e-5);
    const dgamma = summed(tf.mul(dy, ours.layerNorm(total)));
    expect(distance(grads[1]!, dgamma)).toBeLessThan(1e-5);
    expect(distance(grads[2]!, summed(dy))).toBe(0);
    tf.disposeVariables();
  },
);
