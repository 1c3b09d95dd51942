/** What TensorFlow.js expects of a layer beside its values: config, weights, freezing, constraints, regularizers, masks. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { layerInputs } from '../support/layer-inputs.ts';
import { FIRST, LAYER_NAMES, rowOf, SUBJECTS, type Subject, titled, weightNames } from '../support/layer-table.ts';
import { fillWeights, type Layer, lastPart, layerClass, makeLayer, variableOf } from '../support/layers.ts';

beforeAll(() => tf.setBackend('cpu'));

const json = (value: unknown) => JSON.parse(JSON.stringify(value));
const numbers = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
const weightsOf = (layer: Pick<Layer, 'getWeights'>) => layer.getWeights().map(numbers);
const namesOf = (weights: Layer['weights']) => weights.map((weight) => lastPart(weight.originalName));
const firstOf = (className: string) => FIRST.find((subject) => subject.className === className)!;
const named = FIRST.map((subject) => [subject.className, subject] as const);
/** Classes with moving averages. */
const moving = named.filter(([className]) => rowOf(className).state.length > 0);

const ONE = { className: 'Constant', config: { value: 1.5 } };
const L2 = { className: 'L1L2', config: { l1: 0, l2: 0.25 } };
const NON_NEGATIVE = { className: 'NonNeg', config: {} };

/** Whether an initializer is that of gamma or beta, which have a regularizer and a constraint, too. */
const isAffine = (initializer: string) => /^(gamma|beta)/.test(initializer);

/** Every option of a class, none at its default, as a saved config would have them. */
function allOptions(className: string): Record<string, unknown> {
  const { defaults, initializers, listAxis, others } = rowOf(className);
  const options: Record<string, unknown> = { axis: listAxis ? [1, 2] : 2, name: 'mine', trainable: false, ...others };
  for (const [key, value] of Object.entries(defaults)) {
    if (key === 'groups') options[key] = 2;
    else if (key === 'epsilonPlacement') options[key] = 'floor';
    else if (typeof value === 'number' && key !== 'axis') options[key] = 0.25;
    else if (key.endsWith('Constraint')) options[key] = NON_NEGATIVE;
    else if (typeof value === 'boolean') options[key] = !value;
  }
  for (const key of Object.keys(initializers)) {
    options[key] = ONE;
    if (isAffine(key)) {
      options[key.replace('Initializer', 'Regularizer')] = L2;
      options[key.replace('Initializer', 'Constraint')] = NON_NEGATIVE;
    }
  }
  return options;
}

/** Whether the class has an option for the initializer of this weight: `moving_mean` has movingMeanInitializer. */
function hasInitializer(className: string, weight: string): boolean {
  const option = weight === 'scale' ? 'gamma' : weight.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return `${option}Initializer` in rowOf(className).initializers;
}

/** A model of the layer alone, its weights filled, with its input and the gradient of its output as targets. */
function modelOf(subject: Subject, options: object = {}) {
  const inputShape = subject.shape.slice(1);
  const layer = makeLayer({ ...subject, options: { ...subject.options, ...options, inputShape } });
  const model = tf.sequential({ layers: [layer] });
  fillWeights(layer);
  const { x, dy } = layerInputs(subject);
  const [input, targets] = [x, dy].map((values) => tf.tensor(values, [...subject.shape])) as [tf.Tensor, tf.Tensor];
  const train = async (epochs = 1) => {
    model.compile({ optimizer: tf.train.sgd(0.5), loss: 'meanSquaredError' });
    const { history } = await model.fit(input, targets, { epochs, batchSize: subject.shape[0]!, verbose: 0 });
    return history.loss as number[];
  };
  const release = () => tf.dispose([input, targets, ...layer.weights.map((weight) => weight.read())]);
  return { layer, model, input, targets, train, release };
}

describe('configs', () => {
  test.each(LAYER_NAMES)('%s: the default config names every option', (className) => {
    const { defaults, initializers, starts = {} } = rowOf(className);
    const layer = makeLayer({ className, options: {} });
    const none = Object.keys(initializers)
      .filter(isAffine)
      .flatMap((key) => ['Regularizer', 'Constraint'].map((kind) => [key.replace('Initializer', kind), null]));
    const made = Object.entries(initializers).map(([key, className]) => [
      key,
      { className, config: key in starts ? { value: starts[key] } : {} },
    ]);
    expect(json(layer.getConfig())).toEqual({
      name: layer.name,
      trainable: true,
      ...defaults,
      ...Object.fromEntries([...none, ...made]),
    });
  });

  test.each(titled([...SUBJECTS]))('%s: equal before and after build, and after a round trip', (_, subject) => {
    const layer = makeLayer(subject);
    const before = json(layer.getConfig());
    layer.build([null, ...subject.shape.slice(1)]);
    expect(json(layer.getConfig())).toEqual(before);
    const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[subject.className]!;
    expect(cls).toBe(layerClass(subject.className));
    const again = fromConfig(cls, json(layer.getConfig())) as Layer;
    expect(again.constructor).toBe(layerClass(subject.className));
    expect(json(again.getConfig())).toEqual(before);
    expect(again).toMatchObject(subject.options); // what getConfig leaves out for Keras's sake is there too
  });

  test.each(LAYER_NAMES)('%s: every option survives', (className) => {
    const options = allOptions(className);
    const config = json(makeLayer({ className, options }).getConfig());
    expect(config).toEqual(options);
    const cls = layerClass(className);
    const again = cls.fromConfig(cls, config) as Layer;
    expect(json(again.getConfig())).toEqual(config);
    expect(again.trainable).toBe(false);
    expect(config).toEqual(json(makeLayer({ className, options }).getConfig())); // fromConfig left its argument alone
  });

  test.each(LAYER_NAMES)('%s: the factory makes the class', (className) => {
    const name = className.replace(/^[A-Z]+(?=[A-Z][a-z])|^[A-Z]/, (start) => start.toLowerCase());
    const factory = (ours as unknown as Record<string, (options?: object) => Layer>)[name]!;
    expect(factory()).toBeInstanceOf(layerClass(className));
    expect(json(factory(allOptions(className)).getConfig())).toMatchObject(allOptions(className));
  });

  test('an axis of one as a list is the axis', () => {
    for (const className of LAYER_NAMES.filter((name) => !rowOf(name).listAxis)) {
      expect(makeLayer({ className, options: { axis: [2] } }).getConfig().axis).toBe(2);
    }
  });

  test('a class derived from one of ours may have options of its own', () => {
    class Named extends ours.LayerNormalization {
      static override readonly className: string = 'Named';
      readonly label: string;
      constructor({ label, ...args }: ours.LayerNormalizationArgs & { label: string }) {
        super({ ...args, label } as ours.LayerNormalizationArgs);
        this.label = label;
      }
    }
    class NamedCell extends (ours.LayerNormGRUCell as new (args: object) => Layer) {
      static readonly className = 'NamedCell';
    }
    expect(new Named({ label: 'here', epsilon: 0.5 })).toMatchObject({ label: 'here', epsilon: 0.5 });
    const options = { units: 2, label: 'here' };
    expect(new NamedCell(options)).toMatchObject({ units: 2 });
    expect(() => ours.layerNormGRUCell(options)).toThrow("LayerNormGRUCell: unknown option 'label'");
    // As in TensorFlow.js, what a saved cell has more is left out.
    const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap.LayerNormGRUCell!;
    expect(fromConfig(cls, options)).toMatchObject({ units: 2 });
  });

  test('nobody outside can change the axes of a layer', () => {
    const axis = [1, 2];
    const layer = ours.layerNormalization({ axis });
    axis.push(3);
    (layer.getConfig().axis as number[]).push(3);
    expect(layer.getConfig().axis).toEqual([1, 2]);
  });
});

describe('weights', () => {
  test.each(named)('%s: names, order and count, frozen or not', (_, subject) => {
    const { trainable, state } = weightNames(subject);
    const { layer, release } = modelOf(subject);
    expect(namesOf(layer.trainableWeights)).toEqual(trainable);
    expect(namesOf(layer.nonTrainableWeights)).toEqual([...state]);
    expect(layer.weights.map((weight) => weight.originalName)).toEqual(
      [...trainable, ...state].map((name) => `${layer.name}/${name}`),
    );
    layer.trainable = false;
    expect(layer.trainableWeights).toEqual([]);
    expect(namesOf(layer.nonTrainableWeights)).toEqual([...trainable, ...state]);
    release();
  });

  test.each(named)('%s: initializers by name, instance and config', (className, subject) => {
    const spellings: [string, unknown, number][] = [
      ['a name', 'ones', 1],
      ['the name of the class', 'Ones', 1],
      ['an instance', tf.initializers.constant({ value: 0.75 }), 0.75],
      ['a config', { className: 'Constant', config: { value: 0.5 } }, 0.5],
    ];
    for (const [, initializer, value] of spellings) {
      const options = Object.fromEntries(Object.keys(rowOf(className).initializers).map((key) => [key, initializer]));
      const layer = makeLayer({ ...subject, options: { ...subject.options, ...options } });
      layer.build([...subject.shape]);
      const chosen = layer.weights.filter((weight) => hasInitializer(className, lastPart(weight.originalName)));
      for (const weight of chosen) expect(new Set(numbers(weight.read()))).toEqual(new Set([value]));
      for (const weight of layer.weights) weight.dispose();
    }
  });

  test.each(named)('%s: by default y is normalized, neither scaled nor shifted', (_, subject) => {
    // Where gamma starts at 0 nothing of what is normalized would be left.
    const start =
      rowOf(subject.className).initializers.gammaInitializer === 'Zeros' ? { gammaInitializer: 'ones' } : {};
    const options = { ...subject.options, ...start };
    const x = tf.tensor(layerInputs(subject).x, [...subject.shape]);
    const plain = 'scale' in rowOf(subject.className).defaults ? { center: false, scale: false } : { center: false };
    const [y, expected] = [options, { ...options, ...plain }].map((options) => {
      const layer = makeLayer({ ...subject, options });
      const y = layer.apply(x, { training: true }) as tf.Tensor;
      layer.dispose();
      return y;
    });
    expect(numbers(y!)).toEqual(numbers(expected!));
    tf.dispose([x, y!, expected!]);
  });

  test.each([ours.rmsNormalization, ours.addRMSNormalization])(
    'an offset of gamma: by default its start makes up for it, %p',
    (make) => {
      for (const gammaOffset of [0, 1, -0.5]) {
        const layer = make({ gammaOffset }) as Layer;
        layer.build(
          make === ours.addRMSNormalization
            ? [
                [2, 4],
                [2, 4],
              ]
            : [2, 4],
        );
        const gamma = layer.weights.find(({ originalName }) => lastPart(originalName) === 'scale')!;
        expect(numbers(gamma.read())).toEqual(new Array(4).fill(1 - gammaOffset));
        const ones = make({ gammaOffset, gammaInitializer: 'ones' }).getConfig();
        expect(ones.gammaInitializer).toMatchObject({ className: 'Ones' });
      }
    },
  );

  test.each(named)('%s: the option weights gives them their values', (_, subject) => {
    const { layer, release } = modelOf(subject);
    const weights = layer.getWeights().map((weight) => tf.clone(weight));
    const again = makeLayer({ ...subject, options: { ...subject.options, weights } });
    const y = again.apply(tf.ones([...subject.shape])) as tf.Tensor;
    expect(weightsOf(again)).toEqual(weights.map(numbers));
    tf.dispose([y, ...weights]);
    again.dispose();
    release();
  });

  test.each(named)('%s: the shape of the output', (_, subject) => {
    const layer = makeLayer(subject);
    const open = [null, ...subject.shape.slice(1)];
    expect(layer.computeOutputShape(open)).toEqual(open);
    const input = tf.input({ shape: subject.shape.slice(1) });
    expect((layer.apply(input) as tf.SymbolicTensor).shape).toEqual(open);
    layer.dispose();
  });
});

describe('freezing', () => {
  test.each(named)('%s: a frozen layer keeps all its weights in fit', async (_, subject) => {
    const { layer, model, input, train, release } = modelOf(subject);
    layer.trainable = false;
    const before = weightsOf(layer);
    const predicted = numbers(model.predict(input) as tf.Tensor);
    // Something must be left to train.
    const dense = tf.layers.dense({ units: subject.shape.at(-1)! });
    model.add(dense);
    await train(2);
    expect(weightsOf(layer)).toEqual(before);
    const training = layer.apply(input, { training: true }) as tf.Tensor;
    expect(numbers(training)).toEqual(predicted);
    layer.trainable = true;
    await train(1);
    for (const [i, values] of weightsOf(layer).entries()) expect(values).not.toEqual(before[i]);
    release();
  });

  test.each(moving)('%s: frozen means inference, by the layer or by all its trainable weights', (_, subject) => {
    const { layer, input, release } = modelOf(subject);
    const call = (training: boolean) => numbers(layer.apply(input, { training }) as tf.Tensor);
    const inference = call(false);
    const before = weightsOf(layer);
    const trainable = [...layer.trainableWeights];

    layer.trainable = false;
    expect(call(true)).toEqual(inference);
    layer.trainable = true;

    for (const weight of trainable) weight.trainable = false;
    expect(call(true)).toEqual(inference);
    expect(weightsOf(layer)).toEqual(before);

    trainable[0]!.trainable = true;
    if (trainable.length > 1) expect(call(true)).not.toEqual(inference);
    release();
  });

  const averaging = moving.filter(([className]) => !rowOf(className).parameters);
  test.each(averaging)('%s: without trainable weights the averages still move', (className, subject) => {
    const scale = 'scale' in rowOf(className).defaults ? { scale: false } : {};
    const { layer, input, release } = modelOf(subject, { center: false, ...scale });
    const before = weightsOf(layer);
    layer.apply(input, { training: true });
    for (const [i, values] of weightsOf(layer).entries()) expect(values).not.toEqual(before[i]);
    layer.trainable = false;
    const after = weightsOf(layer);
    layer.apply(input, { training: true });
    expect(weightsOf(layer)).toEqual(after);
    expect(namesOf(layer.nonTrainableWeights)).toEqual([...weightNames(subject).state]);
    release();
  });

  test.each(named.filter(([, subject]) => weightNames(subject).trainable.length === 2))(
    '%s: one frozen weight stays, the other learns',
    async (_, subject) => {
      const { layer, model, input, targets, release } = modelOf(subject);
      model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' }); // this makes all weights trainable again
      // TensorFlow.js moves a weight that is not trained behind the others.
      const [first, second] = [...layer.trainableWeights] as [Layer['weights'][number], Layer['weights'][number]];
      const [kept, learnt] = [first, second].map((weight) => numbers(weight.read()));
      first.trainable = false;
      await model.trainOnBatch(input, targets);
      expect(numbers(first.read())).toEqual(kept);
      expect(numbers(second.read())).not.toEqual(learnt);
      release();
    },
  );
});

describe('constraints and regularizers', () => {
  const parameters = named.flatMap(([className, subject]) =>
    weightNames(subject)
      .trainable.map((weight) => [className, weight, weight === 'scale' ? 'gamma' : weight, subject] as const)
      .filter(([, , option]) => isAffine(option)),
  );
  const find = (layer: Layer, name: string) => layer.weights.find((w) => lastPart(w.originalName) === name)!;

  test.each(parameters)('%s: a constraint on %s', (_, weight, option, subject) => {
    const { layer, input, release } = modelOf(subject, { [`${option}Constraint`]: 'nonNeg' });
    const free = modelOf(subject);
    const constrained = find(layer, weight);
    const start = numbers(constrained.read()).map((_, i) => (i % 2 ? 0.5 : -0.5));
    const projected = start.map((value) => Math.max(value, 0));
    const set = (layer: Layer, values: number[]) =>
      variableOf(find(layer, weight)).assign(tf.tensor(values, constrained.shape as number[])); // write() would project
    set(layer, start);
    set(free.layer, projected);
    const call = (layer: Layer, training: boolean) => numbers(layer.apply(input, { training }) as tf.Tensor);
    const before = tf.memory().numTensors;

    expect(numbers(constrained.read())).toEqual(projected);
    for (const training of [false, true]) {
      set(layer, start);
      expect(call(layer, training)).toEqual(call(free.layer, training));
      expect(numbers(constrained.read())).toEqual(projected);
    }
    set(layer, start);
    expect(numbers(layer.getWeights()[layer.weights.indexOf(constrained)]!)).toEqual(projected);
    expect(tf.memory().numTensors - before).toBe(4 + 3); // the outputs, and what was set
    release();
    free.release();
  });

  test.each(parameters)('%s: a constraint on %s holds in fit', async (_, weight, option, subject) => {
    const { layer, model, input, train, release } = modelOf(subject, { [`${option}Constraint`]: 'nonNeg' });
    await train(5);
    const variable = variableOf(find(layer, weight));
    // A step that would leave the weight below 0 everywhere.
    tf.train.sgd(1).applyGradients({ [variable.name]: tf.fill(variable.shape, 9) });
    expect(Math.max(...numbers(variable))).toBeLessThan(0);
    let saved: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }),
    );
    const savedWeights = tf.io.decodeWeights(saved!.weightData!, saved!.weightSpecs!);
    expect(new Set(numbers(savedWeights[find(layer, weight).originalName]!))).toEqual(new Set([0]));
    expect(new Set(numbers(find(layer, weight).read()))).toEqual(new Set([0]));
    expect(numbers(model.predict(input) as tf.Tensor).every(Number.isFinite)).toBe(true);
    release();
  });

  test('a constraint is asked once for each value', () => {
    let times = 0;
    class Counting extends tf.serialization.Serializable {
      static readonly className = 'Counting';
      apply(value: tf.Tensor): tf.Tensor {
        times++;
        return tf.relu(value);
      }
      getConfig() {
        return {};
      }
    }
    const layer = ours.layerNormalization({ gammaConstraint: new Counting() as never });
    layer.build([null, 4]);
    const [gamma] = layer.weights as [Layer['weights'][number]];
    gamma.read();
    times = 0;
    for (let i = 0; i < 3; i++) gamma.read();
    expect(times).toBe(0);
    tf.tidy(() => void variableOf(gamma).assign(tf.ones([4])));
    for (let i = 0; i < 3; i++) gamma.read();
    expect(times).toBe(1);
    for (const weight of layer.weights) weight.dispose();
  });

  test('a value is projected once, and reading leaves it alone to the last bit', () => {
    const layer = ours.layerNormalization({ gammaConstraint: tf.constraints.maxNorm({ maxValue: 1, axis: 0 }) });
    layer.build([null, 4]);
    const [gamma] = layer.weights as [Layer['weights'][number]];
    const before = tf.memory().numTensors;
    for (const give of [
      (value: tf.Tensor) => variableOf(gamma).assign(value),
      (value: tf.Tensor) => gamma.write(value),
    ]) {
      tf.tidy(() => void give(tf.tensor([1, -2, 3, 0.5])));
      const first = numbers(gamma.read());
      expect(Math.hypot(...first)).toBeCloseTo(1, 5);
      for (let i = 0; i < 20; i++) expect(numbers(gamma.read())).toEqual(first);
    }
    expect(tf.memory().numTensors).toBe(before);
    for (const weight of layer.weights) weight.dispose();
  });

  test.each(parameters)(
    '%s: a regularizer of %s is part of the loss and of the gradient',
    async (_, weight, option, subject) => {
      const plain = modelOf(subject);
      const { layer, train, release } = modelOf(subject, { [`${option}Regularizer`]: tf.regularizers.l2({ l2: 0.1 }) });
      const before = numbers(find(layer, weight).read());
      const [without] = await plain.train();
      const [regularized] = await train();
      const squares = before.reduce((sum, value) => sum + value * value, 0);
      expect(regularized! - without!).toBeCloseTo(0.1 * squares, 4);
      // One step of sgd at rate 0.5 moves the weight by -0.5 * 2 * 0.1 of itself more.
      const difference = numbers(tf.sub(find(layer, weight).read(), find(plain.layer, weight).read()));
      expect(difference).toBeClose(
        before.map((value) => -0.1 * value),
        { ofMax: 1e-5, atol: 1e-6 },
      );
      release();
      plain.release();
    },
  );
});

/** A layer that passes its input on and remembers the masks it was given. */
class Probe extends tf.layers.Layer {
  static readonly className = 'Probe';
  readonly seen: (number[] | undefined)[] = [];
  constructor() {
    super({});
    this.supportsMasking = true;
  }
  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: { mask?: tf.Tensor }): tf.Tensor {
    this.seen.push(kwargs.mask && numbers(kwargs.mask));
    return tf.clone([inputs].flat()[0] as tf.Tensor);
  }
}

describe('masks', () => {
  // [2, 3, 4]: of the first sequence two positions count, of the second one.
  const sequences = () =>
    tf.mul(
      tf.tensor(layerInputs({ shape: [2, 3, 4] }).x, [2, 3, 4]),
      tf
        .tensor([
          [1, 1, 0],
          [1, 0, 0],
        ])
        .expandDims(2),
    );
  const mask = [1, 1, 0, 1, 0, 0];

  test.each(LAYER_NAMES)('%s passes a mask on', (className) => {
    const probe = new Probe();
    const options = className === 'GroupNormalization' ? { groups: 2 } : {};
    const layer = makeLayer({ className, options });
    expect(layer.supportsMasking).toBe(true);
    const model = tf.sequential({ layers: [tf.layers.masking({ inputShape: [3, 4] }), layer, probe] });
    const before = tf.memory().numTensors;
    tf.tidy(() => void model.predict(sequences()));
    expect(tf.memory().numTensors).toBe(before);
    expect(probe.seen.at(-1)).toEqual(mask);
  });

  /** Moving averages with momentum 0, that is the moments of the batch, after one training step of `layers`. */
  async function moments(layers: Layer[], x: tf.Tensor): Promise<number[][]> {
    const norm = ours.batchNormalization({ momentum: 0, center: false, scale: false });
    const model = tf.sequential({ layers: [...layers, norm, tf.layers.flatten(), tf.layers.dense({ units: 1 })] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    await model.fit(x, tf.zeros([x.shape[0]!, 1]), { verbose: 0, shuffle: false });
    return weightsOf(norm);
  }

  /** Mean and variance of each of four channels over the rows of x that `keep` lets pass. */
  function momentsOf(x: tf.Tensor, keep: readonly number[]): number[][] {
    const rows = (x.reshape([-1, 4]).arraySync() as number[][]).filter((_, i) => keep[i]);
    const mean = [0, 1, 2, 3].map((c) => rows.reduce((sum, row) => sum + row[c]!, 0) / rows.length);
    const variance = mean.map((m, c) => rows.reduce((sum, row) => sum + (row[c]! - m) ** 2, 0) / rows.length);
    return [mean, variance];
  }

  function expectMoments(actual: number[][], [mean, variance]: number[][]): void {
    expect(actual[0]).toBeClose(mean!, { atol: 1e-5 });
    expect(actual[1]).toBeClose(variance!, { atol: 1e-5 });
  }

  test('BatchNormalization takes its statistics where the mask is true', async () => {
    const x = sequences();
    expectMoments(await moments([tf.layers.masking({ inputShape: [3, 4] })], x), momentsOf(x, mask));
  });

  test('a mask reaches BatchNormalization through layers that pass it on', async () => {
    const x = sequences();
    const layers = [
      tf.layers.masking({ inputShape: [3, 4] }),
      tf.layers.activation({ activation: 'linear' }),
      ours.rmsNormalization({ epsilonPlacement: 'inside', epsilon: 1, center: false }),
    ];
    const masked = await moments(layers, x);
    const normalized = ours.rmsNorm(x, { epsilonPlacement: 'inside', epsilon: 1 });
    expectMoments(masked, momentsOf(normalized, mask));
  });

  test('a mask that ended before does not reach BatchNormalization', async () => {
    const x = sequences();
    const identity = tf.layers.conv1d({
      filters: 4,
      kernelSize: 1,
      kernelInitializer: { className: 'Constant', config: { value: 1 } } as never,
    });
    const y = tf.tile(tf.sum(x, 2, true), [1, 1, 4]);
    const actual = await moments([tf.layers.masking({ inputShape: [3, 4] }), identity as Layer], x);
    expectMoments(actual, momentsOf(y, [1, 1, 1, 1, 1, 1]));
  });

  /** Moving averages with momentum 0 of a layer that takes what `graph` makes of the input, after one training step. */
  async function momentsIn(graph: (x: tf.SymbolicTensor) => tf.SymbolicTensor, x: tf.Tensor): Promise<number[][]> {
    const input = tf.input({ shape: x.shape.slice(1) });
    const norm = ours.batchNormalization({ momentum: 0, center: false, scale: false });
    const flat = tf.layers.flatten().apply(norm.apply(graph(input))) as tf.SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: tf.layers.dense({ units: 1 }).apply(flat) as tf.SymbolicTensor });
    model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
    await model.fit(x, tf.zeros([x.shape[0]!, 1]), { verbose: 0, shuffle: false });
    return weightsOf(norm);
  }
  const applied = (layer: Layer, x: tf.SymbolicTensor | tf.SymbolicTensor[]) => layer.apply(x) as tf.SymbolicTensor;
  const linear = (x: tf.SymbolicTensor) => applied(tf.layers.activation({ activation: 'linear' }), x);

  test('a mask goes through branches that are added, which bring it with one axis more', async () => {
    const x = sequences();
    const ofOne = await momentsIn((input) => {
      const masked = applied(tf.layers.masking(), input);
      return applied(tf.layers.add(), [masked, linear(masked)]);
    }, x);
    expectMoments(ofOne, momentsOf(tf.mul(x, 2), mask));
  });

  test('a mask ends at a layer that computes none, though TensorFlow.js passes it on', async () => {
    const x = sequences();
    const norm = ours.qkNormalization({ scaleInitializer: 'ones', epsilon: 10 });
    const actual = await momentsIn((input) => {
      const masked = applied(tf.layers.masking(), input);
      return (norm.apply([masked, masked]) as tf.SymbolicTensor[])[1]!;
    }, x);
    // A vector no longer than epsilon is divided by it.
    expectMoments(actual, momentsOf(tf.div(x, 10), [1, 1, 1, 1, 1, 1]));
  });

  test('there is none where the channels are along the batch', () => {
    const layer = ours.batchNormalization({ axis: 0, momentum: 0 });
    const x = tf.tensor(layerInputs({ shape: [2, 3, 4] }).x, [2, 3, 4]);
    layer.apply(x, { training: true, mask: tf.zeros([3, 4], 'bool') } as object);
    expect(weightsOf(layer)[2]).toBeClose(numbers(tf.mean(x, [1, 2])), { atol: 1e-5 });
  });

  test('a layer made from Masking masks', async () => {
    const [Masking] = tf.serialization.SerializationMap.getMap().classNameMap.Masking!;
    class Zeros extends (Masking as unknown as new (options: object) => Layer) {
      static className = 'Zeros';
    }
    const x = sequences();
    expectMoments(await moments([new Zeros({ inputShape: [3, 4] })], x), momentsOf(x, mask));
  });

  test('many residual branches take no time to find the mask', () => {
    let x = tf.layers.masking().apply(tf.input({ shape: [3, 4] })) as tf.SymbolicTensor;
    for (let i = 0; i < 60; i++) {
      const branch = tf.layers.activation({ activation: 'linear' }).apply(x) as tf.SymbolicTensor;
      x = tf.layers.add().apply([branch, x]) as tf.SymbolicTensor;
    }
    const pooled = tf.layers.flatten().apply(x) as tf.SymbolicTensor;
    const norm = ours.batchNormalization({ momentum: 0 });
    const shaped = tf.layers.reshape({ targetShape: [3, 4] }).apply(pooled) as tf.SymbolicTensor;
    norm.apply(shaped);
    // Flatten ends the mask, so that every path is looked at: 2^60 of them.
    const given = { mask: tf.zeros([2, 3]), training: true };
    expect((norm.call(tf.ones([2, 3, 4]), given) as tf.Tensor).shape).toEqual([2, 3, 4]);
    expect(weightsOf(norm)[2]).toEqual([1, 1, 1, 1]);
  });

  test('an embedding with maskZero masks', async () => {
    const x = tf.tensor([
      [3, 1, 0],
      [2, 0, 0],
    ]);
    const embedding = tf.layers.embedding({
      inputDim: 4,
      outputDim: 4,
      maskZero: true,
      inputShape: [3],
      embeddingsInitializer: tf.initializers.randomNormal({ seed: 3 }),
    });
    const norm = ours.batchNormalization({ momentum: 0, center: false, scale: false });
    const model = tf.sequential({ layers: [embedding, norm, tf.layers.flatten(), tf.layers.dense({ units: 1 })] });
    const embedded = tf.gather(embedding.getWeights()[0]!, x.cast('int32'));
    const expected = momentsOf(embedded, mask);
    model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
    await model.fit(x, tf.zeros([2, 1]), { verbose: 0 });
    expectMoments(weightsOf(norm), expected);
  });

  test('a mask given to a call outside a model counts, also where masked values are not numbers', () => {
    const { shape } = firstOf('BatchNormalization');
    const x = tf.tensor(layerInputs({ shape }).x, [...shape]);
    const keep = Array.from({ length: shape[0]! }, (_, i) => i !== 2);
    const spoilt = tf.where(
      tf.tensor(keep, [shape[0]!, 1], 'bool').tile([1, shape[1]!]),
      x,
      tf.fill([...shape], Number.NaN),
    );
    const layer = ours.batchNormalization({ momentum: 0 });
    const rows = (y: tf.Tensor) => (y.arraySync() as number[][]).filter((_, i) => keep[i]);
    const [clean, dirty] = [x, spoilt].map((x) =>
      rows(layer.apply(x, { training: true, mask: tf.tensor(keep, [shape[0]!], 'bool') }) as tf.Tensor),
    );
    expect(dirty).toEqual(clean);
    expect(dirty!.flat().every(Number.isFinite)).toBe(true);
  });
});

test('PixelNormalization: along its axis, with epsilon in the mean square', () => {
  const x = tf.tensor(layerInputs({ shape: [2, 3, 4] }).x, [2, 3, 4]);
  const y = ours.pixelNormalization({ axis: 1, epsilon: 0.5 }).apply(x) as tf.Tensor;
  const expected = tf.div(x, tf.sqrt(tf.add(tf.mean(tf.square(x), 1, true), 0.5)));
  expect(numbers(y)).toBeClose(numbers(expected), { ofMax: 1e-6 });
});

test('ScaleNormalization: a vector no longer than epsilon is divided by it', () => {
  const layer = ours.scaleNormalization({ epsilon: 10, gammaInitializer: tf.initializers.constant({ value: 2 }) });
  const y = layer.apply(
    tf.tensor([
      [3, 4, 0],
      [30, 40, 0],
    ]),
  ) as tf.Tensor;
  expect(numbers(y)).toBeClose([0.6, 0.8, 0, 1.2, 1.6, 0], { ofMax: 1e-6 });
});

test('FeatureNormalization has no tensors but its weights', () => {
  const before = tf.memory().numTensors;
  const layer = ours.featureNormalization();
  layer.build([null, 4]);
  expect(tf.memory().numTensors).toBe(before + layer.weights.length);
});
