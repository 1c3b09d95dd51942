/**
 * What bad input gets: an error that names the layer, the rule, what was received and the way out, and leaves nothing
 * behind; and values that are not numbers, which stay where they are.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../layers/index.ts';
import { describeBackends } from './support/backends.ts';
import { layerInputs } from './support/layer-inputs.ts';
import { centerAndScale, LAYER_NAMES, rowOf, SUBJECTS, settingOf, titled, weightNames } from './support/layer-table.ts';
import { fillWeights, type Layer, makeLayer } from './support/layers.ts';

beforeEach(() => tf.setBackend('cpu')); // the tests of other backends leave theirs

const count = () => ({ tensors: tf.memory().numTensors, data: tf.engine().backend.numDataIds() });
const numbers = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
const has = (option: string) => LAYER_NAMES.filter((className) => option in rowOf(className).defaults);

/** `action` throws one error, which begins with `who` and holds every part, and leaves no tensor behind. */
function expectError(action: () => unknown, who: string, parts: readonly string[]): void {
  const before = count();
  let message = 'no error';
  try {
    tf.dispose(action() as tf.TensorContainer);
  } catch (error) {
    message = (error as Error).message;
  }
  expect(message.slice(0, who.length + 2)).toBe(`${who}: `);
  for (const part of parts) expect(message).toContain(part);
  expect(count()).toEqual(before);
}

const EPSILON = 'epsilon must be a positive, finite number';
const MOMENTUM = 'must lie in [0, 1]';

/** A wrong option: [option, value, rule, received, way out]. */
const WRONG: [option: string, value: unknown, rule: string, received: string, wayOut: string][] = [
  ['epsilon', 0, EPSILON, 'received 0', '1e-3'],
  ['epsilon', -1, EPSILON, 'received -1', '1e-3'],
  ['epsilon', -1e-30, EPSILON, 'received -1e-30', '1e-3'],
  ['epsilon', Number.NaN, EPSILON, 'received NaN', '1e-3'],
  ['epsilon', Number.POSITIVE_INFINITY, EPSILON, 'received Infinity', '1e-3'],
  ['epsilon', '1e-3', EPSILON, 'received "1e-3"', '1e-3'],
  ['momentum', -0.1, MOMENTUM, 'received -0.1', '0.9 to 0.999'],
  ['momentum', 1.1, MOMENTUM, 'received 1.1', '0.9 to 0.999'],
  ['momentum', Number.NaN, MOMENTUM, 'received NaN', '0.9 to 0.999'],
  ['momentum', '0.9', MOMENTUM, 'received "0.9"', '0.9 to 0.999'],
  ['axis', 0, 'axis 0 is the batch', 'received 0', '-1 is the last axis'],
  ['axis', 1.5, 'axis must be an integer', 'received 1.5', '-1 is the last axis'],
  ['axis', '1', 'axis must be an integer', 'received "1"', '-1 is the last axis'],
  ['axis', Number.NaN, 'axis must be an integer', 'received NaN', '-1 is the last axis'],
  ['axis', [], 'axis must', 'received []', '-1 is the last axis'],
  ['axis', [0], 'axis 0 is the batch', 'received 0', '-1 is the last axis'],
  ['center', 'yes', 'center must be true or false', 'received "yes"', 'true or false'],
  ['scale', 1, 'scale must be true or false', 'received 1', 'true or false'],
  ['groups', 0, 'groups must be a positive integer or -1', 'received 0', '32'],
  ['groups', -2, 'groups must be a positive integer or -1', 'received -2', '32'],
  ['groups', 1.5, 'groups must be a positive integer or -1', 'received 1.5', '32'],
  ['groups', '2', 'groups must be a positive integer or -1', 'received "2"', '32'],
  [
    'epsilonPlacement',
    'middle',
    'epsilonPlacement must be one of',
    'received "middle"',
    "'inside', 'outside', 'floor'",
  ],
];

describe.each(LAYER_NAMES)('%s', (className) => {
  const { defaults, initializers } = rowOf(className);
  const make = (options: object) => makeLayer({ className, options: options as Record<string, unknown> });
  const divided = className === 'GroupNormalization' ? { groups: 1 } : {};

  test.each(WRONG.filter(([option]) => option in defaults))('%s: %j', (option, value, ...parts) => {
    expectError(() => make({ [option]: value }), className, parts);
  });

  test('limits that are allowed', () => {
    const limits = { epsilon: [1e-30, 1e30], momentum: [0, 1], groups: [-1, 1] };
    for (const [option, values] of Object.entries(limits).filter(([option]) => option in defaults)) {
      for (const value of values) expect(make({ [option]: value }).getConfig()[option]).toBe(value);
    }
  });

  test('an unknown option', () => {
    const options = Object.keys(defaults).join(', ');
    for (const [option, value] of [
      ['epsilonn', 1e-3],
      ['gamma', 1],
      ['virtualBatchSize', 4],
      ['Axis', -1],
    ] as const) {
      const parts = [`unknown option '${option}'`, 'the options are', ...options.split(', ')];
      expectError(() => make({ [option]: value }), className, parts);
    }
  });

  test('options of other classes', () => {
    const others = ['momentum', 'groups', 'epsilonPlacement', 'scale', 'epsilon'].filter((key) => !(key in defaults));
    for (const option of others) expectError(() => make({ [option]: 1 }), className, [`unknown option '${option}'`]);
    expect(others.length).toBeGreaterThan(0);
  });

  test.each(Object.keys(initializers))('%s that is none', (option) => {
    for (const value of ['zero', { className: 'Nothing', config: {} }, {}, 3, 'toString']) {
      const parts = [
        `${option} must be an initializer`,
        `received ${JSON.stringify(value)}`,
        'glorotUniform, ',
        'zeros',
      ];
      expectError(() => make({ [option]: value }), className, parts);
    }
  });

  test('a regularizer and a constraint that are none', () => {
    expectError(() => make({ betaRegularizer: 'l3' }), className, ['betaRegularizer', 'received "l3"', 'l1', 'l2']);
    expectError(() => make({ betaConstraint: 'zeros' }), className, ['betaConstraint', 'received "zeros"', 'maxNorm']);
  });

  test.each([
    ['an axis behind the last', { axis: 3 }, [2, 3, 4], 'received 3', 'use 1 to 2 or -2 to -1'],
    ['the batch from behind', { axis: -3 }, [2, 3, 4], 'received -3', 'use 1 to 2 or -2 to -1'],
    ['an axis before the first', { axis: -4 }, [2, 3, 4], 'received -4', 'use 1 to 2 or -2 to -1'],
    ['no axis at all', {}, [], '2 to 6 axes, the batch among them; received 0', 'reshape'],
    ['only the batch', {}, [2], '2 to 6 axes, the batch among them; received 1', 'reshape'],
    ['seven axes', {}, [2, 1, 1, 1, 1, 1, 4], '2 to 6 axes, the batch among them; received 7', 'reshape'],
    ['an unknown size', {}, [2, 3, null], 'received the shape [2, 3, null]', 'inputShape'],
    ['a size of 0', {}, [2, 3, 0], 'received the shape [2, 3, 0]', 'inputShape'],
    [
      'an unknown size at another axis',
      { axis: 1 },
      [null, null, 4],
      'received the shape [null, null, 4]',
      'inputShape',
    ],
  ] as [string, object, (number | null)[], ...string[]][])('build: %s', (_, options, shape, ...parts) => {
    expectError(() => make({ ...divided, ...options }).build(shape), className, parts);
  });

  test('build: one axis twice, or a list where there is one axis', () => {
    if (rowOf(className).listAxis) {
      for (const axis of [
        [1, 1],
        [1, -2],
        [-1, 2],
      ]) {
        const parts = ['must not name an axis twice', `received ${JSON.stringify(axis)}`];
        expectError(() => make({ ...divided, axis }).build([2, 3, 4]), className, parts);
      }
    } else {
      expectError(() => make({ axis: [1, 2] }), className, ['axis must be an integer', 'received [1,2]', '-1']);
    }
  });

  test('build: two inputs', () => {
    const parts = ['takes one input; received 2', 'concatenate'];
    expectError(
      () =>
        make(divided).build([
          [2, 4],
          [2, 4],
        ]),
      className,
      parts,
    );
  });

  test('build: an initializer that fails leaves no weight, and the layer can be built again', () => {
    class Failing extends tf.serialization.Serializable {
      static readonly className = 'Failing';
      static times = 1;
      apply(shape: number[]): tf.Tensor {
        if (Failing.times-- > 0) throw new Error('no value today');
        return tf.zeros(shape);
      }
      getConfig() {
        return {};
      }
    }
    for (const option of Object.keys(initializers)) {
      Failing.times = 1;
      const layer = make({ ...divided, [option]: new Failing() });
      const before = count();
      expect(() => layer.build([2, 4])).toThrow('no value today');
      expect(count()).toEqual(before);
      expect(layer.built).toBe(false);
      layer.build([2, 4]);
      expect(layer.weights.length).toBeGreaterThan(0);
      for (const weight of layer.weights) weight.dispose();
      expect(count()).toEqual(before);
    }
  });

  test('build: an initializer or a constraint that makes another shape', () => {
    class Short extends tf.serialization.Serializable {
      static readonly className = 'Short';
      apply(): tf.Tensor {
        return tf.ones([1]);
      }
      getConfig() {
        return {};
      }
    }
    for (const option of [...Object.keys(initializers), 'betaConstraint']) {
      const layer = make({ ...divided, [option]: new Short() });
      const parts = [`of '${layer.name}' could not be made`, 'made the shape [1] of [4]', 'give another initializer'];
      expectError(() => layer.build([2, 4]), className, parts);
    }
  });

  test('call: what cannot be normalized changes no weight', () => {
    const layer = make(divided);
    layer.build([null, 4]);
    fillWeights(layer);
    const weights = layer.getWeights().map(numbers);
    for (const x of [tf.zeros([2, 5]), tf.zeros([2, 3, 4])]) {
      const before = count();
      expect(() => layer.apply(x, { training: true })).toThrow(layer.name); // TensorFlow.js compares the input with inputSpec
      expect(count()).toEqual(before);
    }
    const call = (x: unknown) => () => layer.call(x as tf.Tensor, { training: true });
    const empty = tf.zeros([0, 4]);
    const text = tf.tensor([['a', 'b', 'c', 'd']]);
    const complex = tf.complex(tf.zeros([2, 4]), tf.zeros([2, 4]));
    expectError(call(empty), className, ['the input is empty (shape [0,4])', 'nothing to take statistics of']);
    expectError(call(text), className, ['must be numeric; received dtype string', 'cast']);
    expectError(call(complex), className, ['must be numeric; received dtype complex64', 'cast']);
    expectError(call([[1, 2, 3, 4]]), className, ['must be one tensor', 'received an array']);
    expectError(call(undefined), className, ['must be one tensor; received undefined']);
    expectError(call(7), className, ['must be one tensor; received 7']);
    expectError(call(tf.zeros([4])), className, ['2 to 6 axes', 'received 1']);
    expect(layer.getWeights().map(numbers)).toEqual(weights);
  });

  test('a second build changes nothing', () => {
    const layer = make(divided);
    layer.build([null, 4]);
    const [weights, before] = [layer.getWeights().map(numbers), count()];
    expectError(() => layer.build([null, 4]), className, [`'${layer.name}' is built already`, 'make another']);
    expect(layer.getWeights().map(numbers)).toEqual(weights);
    expect(count()).toEqual(before);
  });

  test('setWeights: a wrong number or shape changes no weight', () => {
    for (const options of centerAndScale(className)) {
      const layer = make({ ...divided, ...options });
      layer.build([2, 4]);
      fillWeights(layer);
      const weights = layer.getWeights().map(numbers);
      const n = weights.length;
      const right = layer.weights.map(({ shape }) => tf.ones(shape as number[]));
      const less = right.slice(0, -1);
      for (const wrong of [[...right, tf.ones([4])], less, [...less, tf.ones([5])]]) {
        if (wrong.length === n && n === 0) continue;
        const before = count();
        let message = '';
        try {
          layer.setWeights(wrong);
        } catch (error) {
          message = (error as Error).message;
        }
        if (wrong.length !== n) {
          for (const part of [layer.name, `length ${wrong.length}`, `expecting ${n} weights`])
            expect(message).toContain(part);
        } else if (n > 0) {
          expect(message).toContain(
            `Layer weight shape ${layer.weights.at(-1)!.shape} not compatible with provided weight shape 5`,
          );
        }
        expect(count()).toEqual(before);
        expect(layer.getWeights().map(numbers)).toEqual(weights);
      }
    }
  });
});

/** Layers with a test file of their own, the defaults of the options that `WRONG` is about, and options they require. */
const OTHERS: [className: string, defaults: object, required?: object][] = [
  ['QKNormalization', { epsilon: 1e-12, axis: -1 }, { sequenceLength: 8 }],
];

describe.each(OTHERS)('%s', (className, defaults, required = {}) => {
  test.each(WRONG.filter(([option, value]) => option in defaults && !Array.isArray(value)))(
    '%s: %j',
    (option, value, ...parts) => {
      expectError(() => makeLayer({ className, options: { ...required, [option]: value } }), className, parts);
    },
  );

  test('an unknown option', () => {
    const options = { ...required, unheardOf: 1 };
    expectError(() => makeLayer({ className, options }), className, ["unknown option 'unheardOf'", 'the options are']);
  });
});

test('groups that do not divide the channels, and those that do', () => {
  const build = (groups: number, channels: number) => () => ours.groupNormalization({ groups }).build([2, 3, channels]);
  const who = 'GroupNormalization';
  expectError(build(4, 6), who, ['groups (4) must divide the channels (6)', 'use 1, 2, 3, 6 or -1']);
  expectError(build(32, 16), who, ['groups (32) must divide the channels (16)', 'use 1, 2, 4, 8, 16 or -1']);
  expectError(() => ours.groupNormalization().build([2, 3, 48]), who, ['groups (32) must divide the channels (48)']);
});

test('a mask of another shape, outside a model', () => {
  const layer = ours.batchNormalization();
  layer.build([2, 3, 4]);
  fillWeights(layer);
  const weights = layer.getWeights().map(numbers);
  const [x, mask] = [tf.ones([2, 3, 4]), tf.ones([2, 4], 'bool')];
  const parts = ['the mask must have the shape of the input without channels, [2,3]', 'received [2,4]'];
  expectError(() => layer.apply(x, { training: true, mask }), 'BatchNormalization', parts);
  expect(layer.getWeights().map(numbers)).toEqual(weights);
});

const x = () => tf.ones([2, 3, 4]);
/** The functions with arguments that are wrong for each. */
const FUNCTIONS = {
  layerNorm: ours.layerNorm,
  rmsNorm: ours.rmsNorm,
  groupNorm: (x: tf.Tensor, options: object) => ours.groupNorm(x, { groups: 1, ...options }),
  instanceNorm: ours.instanceNorm,
  batchNorm: (x: tf.Tensor, options: object) => ours.batchNorm(x, options).y,
} as Record<string, (x: tf.Tensor, options: object) => tf.Tensor>;

describe.each(Object.keys(FUNCTIONS))('%s', (name) => {
  const f = FUNCTIONS[name]!;
  test.each(WRONG.filter(([option, value]) => option === 'epsilon' || (option === 'axis' && !Array.isArray(value))))(
    '%s: %j',
    (option, value, ...parts) => {
      const input = x();
      expectError(() => f(input, { [option]: value }), name, parts);
    },
  );

  test('inputs and parameters', () => {
    const input = x();
    const five = tf.ones([5]);
    expectError(() => f(input, { axis: 3 }), name, ['received 3', 'use 1 to 2 or -2 to -1']);
    expectError(() => f(input, { gamma: five }), name, ['gamma must hold 4 values', 'received the shape [5]']);
    expectError(() => f(input, { beta: five }), name, ['beta must hold 4 values', 'received the shape [5]']);
    expectError(() => f(input, { beta: [0, 0, 0, 0] }), name, ['beta must be a tensor', 'received [0,0,0,0]']);
    const texts = tf.tensor(['a', 'b', 'c', 'd']);
    expectError(() => f(input, { gamma: texts }), name, ['gamma must be numeric', 'received dtype string']);
    expectError(
      () =>
        f(
          tf.tidy(() => five),
          {},
        ),
      name,
      ['2 to 6 axes', 'received 1'],
    );
    expectError(() => f([1, 2] as unknown as tf.Tensor, {}), name, ['must be one tensor', 'received an array']);
    const empty = tf.zeros([2, 0]);
    expectError(() => f(empty, {}), name, ['the input is empty (shape [2,0])']);
  });
});

test('functions with options of their own', () => {
  const [input, four] = [x(), tf.ones([4])];
  expectError(() => ours.groupNorm(input, { groups: 3 }), 'groupNorm', ['groups (3) must divide the channels (4)']);
  expectError(() => ours.groupNorm(input, { groups: 0 }), 'groupNorm', ['groups (0)']);
  expectError(() => ours.layerNorm(input, { axis: [1, -2] }), 'layerNorm', ['twice', 'received [1,-2]']);
  expectError(() => ours.layerNorm(input, { axis: [] }), 'layerNorm', ['received []']);
  const placement = { epsilonPlacement: 'middle' as 'inside' };
  expectError(() => ours.rmsNorm(input, placement), 'rmsNorm', ['epsilonPlacement must be one of', '"middle"']);
  for (const [given, missing] of [
    ['mean', 'variance'],
    ['variance', 'mean'],
  ]) {
    const parts = [`received only ${given}`, 'give both or none', missing!];
    expectError(() => ours.batchNorm(input, { [given!]: four }), 'batchNorm', parts);
  }
  const five = tf.ones([5]);
  expectError(() => ours.batchNorm(input, { mean: four, variance: five }), 'batchNorm', [
    'variance must hold 4 values',
  ]);
  expectError(() => ours.spectralNorm(input), 'spectralNorm', ['u or v to start from is missing']);
  expectError(() => ours.weightNorm(input, { axis: 'a' as never }), 'weightNorm', ['axis, that of the output', '"a"']);
});

describe('saved configs', () => {
  const load = (className: string, config: tf.serialization.ConfigDict) => () => {
    const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    return fromConfig(cls, config) as Layer & tf.TensorContainer;
  };

  test.each(LAYER_NAMES)('%s: the config of another class is refused by the option that it lacks', (className) => {
    const dense = tf.layers.dense({ units: 3, inputShape: [4] }).getConfig();
    expectError(load(className, dense), className, ["unknown option 'units'"]);
    for (const other of LAYER_NAMES.filter((name) => name !== className)) {
      const config = makeLayer({ className: other, options: {} }).getConfig();
      const foreign = Object.keys(rowOf(other).defaults).filter((key) => !(key in rowOf(className).defaults));
      // InstanceNormalization takes a config with groups, for TensorFlow Addons writes one.
      if (foreign.length === 0 || (className === 'InstanceNormalization' && foreign.join() === 'groups')) continue;
      expectError(load(className, config), className, ['unknown option']);
    }
  });

  test('options of Keras that stand for another layer', () => {
    expectError(load('BatchNormalization', { virtualBatchSize: 8 }), 'BatchNormalization', ['virtual_batch_size 8']);
    expectError(load('LayerNormalization', { rmsScaling: 1 }), 'LayerNormalization', ['rmsScaling', 'received 1']);
  });

  test.each(has('epsilon'))('%s: a saved epsilon is checked like any other', (className) => {
    expectError(load(className, { epsilon: -1 }), className, [EPSILON, 'received -1']);
  });
});

describeBackends('not a number', ({ run }) => {
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
