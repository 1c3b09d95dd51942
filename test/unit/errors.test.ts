/**
 * What bad input gets: an error that names the layer, the rule, what was received and the way out, and leaves nothing
 * behind.
 */
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { centerAndScale, LAYER_NAMES, rowOf } from '../support/layer-table.ts';
import { fillWeights, type Layer, makeLayer } from '../support/layers.ts';

const count = () => ({ tensors: tf.memory().numTensors, data: tf.engine().backend.numDataIds() });
const numbers = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
const gone = (shape: number[]): tf.Tensor => {
  const tensor = tf.zeros(shape);
  tensor.dispose();
  return tensor;
};
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

const EPSILON = 'epsilon must be a finite number of at least 0';
const MOMENTUM = 'must lie in [0, 1]';

/** A wrong option: [option, value, rule, received, way out]. */
const WRONG: [option: string, value: unknown, rule: string, received: string, wayOut: string][] = [
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

/** What TensorFlow.js and Keras take: any momentum, and the batch as an axis. */
const ANY_MOMENTUM = ['BatchNormalization'];
const BATCH_AXIS = [
  'BatchNormalization',
  'LayerNormalization',
  'RMSNormalization',
  'layerNorm',
  'rmsNorm',
  'batchNorm',
];
const isWrong = (who: string, option: string, value: unknown) =>
  !(option === 'momentum' && typeof value === 'number' && Number.isFinite(value) && ANY_MOMENTUM.includes(who)) &&
  !(option === 'axis' && [value].flat()[0] === 0 && BATCH_AXIS.includes(who));

describe.each(LAYER_NAMES)('%s', (className) => {
  const { defaults, initializers } = rowOf(className);
  const make = (options: object) => makeLayer({ className, options: options as Record<string, unknown> });
  const divided = className === 'GroupNormalization' ? { groups: 1 } : {};
  /** With all weights that the class has. */
  const whole = { ...divided, center: true };

  const wrong = WRONG.filter(([option, value]) => option in defaults && isWrong(className, option, value));
  test.each(wrong)('%s: %j', (option, value, rule, ...parts) => {
    if (option === 'momentum' && ANY_MOMENTUM.includes(className)) rule = 'momentum must be a finite number';
    parts.push(rule);
    expectError(() => make({ [option]: value }), className, parts);
  });

  test('limits that are allowed', () => {
    const limits = { epsilon: [0, 1e-40, 1e-30, 1e30], momentum: [0, 1], groups: [-1, 1] };
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
    expectError(() => make({ bias: true }), className, ["unknown option 'bias'", 'the options are']);
    if ('epsilon' in defaults) expectError(() => make({ eps: 1e-5 }), className, ['it is called epsilon here']);
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

  const range = BATCH_AXIS.includes(className) ? 'use 0 to 2 or -3 to -1' : 'use 1 to 2 or -2 to -1';
  test.each([
    ['an axis behind the last', { axis: 3 }, [2, 3, 4], 'received 3', range],
    ...(BATCH_AXIS.includes(className)
      ? []
      : [['the batch from behind', { axis: -3 }, [2, 3, 4], 'received -3', range]]),
    ['an axis before the first', { axis: -4 }, [2, 3, 4], 'received -4', range],
    ['no axis at all', {}, [], '2 to 6 axes, the batch among them; received 0', 'reshape'],
    ['only the batch', {}, [2], '2 to 6 axes, the batch among them; received 1', 'reshape'],
    ['seven axes', {}, [2, 1, 1, 1, 1, 1, 4], '2 to 6 axes, the batch among them; received 7', 'reshape'],
    ['an unknown size', {}, [2, 3, null], 'received the shape [2, 3, null]', 'inputShape'],
    [
      'an unknown size at another axis',
      { axis: 1 },
      [null, null, 4],
      'received the shape [null, null, 4]',
      'inputShape',
    ],
  ] as [string, object, (number | null)[], ...string[]][])('build: %s', (_, options, shape, ...parts) => {
    expectError(() => make({ ...divided, ...options }).build(shape), className, parts);
    // What is not known yet may turn out right.
    if (shape.slice(1).includes(null)) {
      expect(make({ ...divided, ...options }).computeOutputShape(shape)).toEqual(shape);
    } else {
      expectError(() => make({ ...divided, ...options }).computeOutputShape(shape) as never, className, parts);
    }
  });

  test('computeOutputShape: another width than that which the layer is built for', () => {
    const layer = make(divided);
    layer.build([null, 3, 4]);
    expect(layer.computeOutputShape([5, 3, 4])).toEqual([5, 3, 4]);
    expect(layer.computeOutputShape([5, 3, null])).toEqual([5, 3, null]);
    const parts = ['is built for 4 at axis 2', 'received [5,3,6]', 'make another layer'];
    expectError(() => layer.computeOutputShape([5, 3, 6]) as never, className, parts);
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
      const layer = make({ ...whole, [option]: new Failing() });
      const before = count();
      expect(() => layer.build([2, 4])).toThrow('no value today');
      expect(count()).toEqual(before);
      expect(layer.built).toBe(false);
      layer.build([2, 4]);
      expect(layer.weights.length).toBeGreaterThan(0);
      expect(layer.losses).toEqual([]);
      for (const weight of layer.weights) weight.dispose();
      expect(count()).toEqual(before);
    }
  });

  test('build: an initializer or a constraint that makes another shape', () => {
    class Short extends tf.serialization.Serializable {
      static readonly className = 'Short';
      apply(): tf.Tensor {
        return tf.ones([3]);
      }
      getConfig() {
        return {};
      }
    }
    for (const option of [...Object.keys(initializers), 'betaConstraint']) {
      const layer = make({ ...whole, [option]: new Short() });
      const parts = [`of '${layer.name}' could not be made`, 'made the shape [3] of [', 'give another initializer'];
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
    const text = tf.tensor([['a', 'b', 'c', 'd']]);
    const complex = tf.complex(tf.zeros([2, 4]), tf.zeros([2, 4]));
    expectError(call(text), className, ['must be numeric; received dtype string', 'cast']);
    expectError(call(complex), className, ['must be numeric; received dtype complex64', 'cast']);
    expectError(call(gone([2, 4])), className, ['the input has been disposed of', 'tf.keep']);
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

test('renorm takes no mask', () => {
  const layer = ours.batchNormalization({ renorm: true, name: 'n' });
  const x = tf.ones([2, 3, 2]);
  layer.build(x.shape);
  const call = () => layer.apply(x, { training: true, mask: tf.ones([2, 3], 'bool') } as object);
  expect(call).toThrow(/^BatchNormalization: renorm takes no mask; 'n' received one; use renorm: false/);
});

test('an initializer that its config cannot make', () => {
  const betaInitializer = { className: 'VarianceScaling', config: { scale: -1 } };
  expectError(() => ours.layerNormalization({ betaInitializer }), 'LayerNormalization', [
    "betaInitializer 'VarianceScaling' could not be made: scale must be a positive float",
  ]);
});

test('numbers of an initializer that are none: a truncated normal would be drawn for ever', () => {
  const made = (config: object) => () =>
    ours.layerNormalization({ betaInitializer: { className: 'TruncatedNormal', config } as never });
  expectError(made({ stddev: Number.NaN }), 'LayerNormalization', [
    "betaInitializer 'TruncatedNormal': stddev must be a finite number; received NaN",
  ]);
  expectError(made({ mean: '0', stddev: 1 }), 'LayerNormalization', ['mean must be a finite number; received "0"']);
  expect(made({ mean: null, stddev: undefined, seed: null })).not.toThrow();
});

test('statistics that are none', () => {
  const make = (mean: unknown, variance: unknown) => () =>
    ours.featureNormalization({ mean, variance } as Parameters<typeof ours.featureNormalization>[0]);
  const who = 'Normalization';
  expectError(make([0, Number.NaN], [1, 1]), who, [
    'mean must hold finite numbers; received NaN',
    'each index of axis',
  ]);
  expectError(make([0, 1], [1, -1]), who, ['variance must hold finite numbers of at least 0; received -1']);
  expectError(make([], [1]), who, ['mean must hold finite numbers; received []']);
  expectError(make([0, 1], ['1', 1]), who, ['variance must hold finite numbers of at least 0; received "1"']);
  expect(make(0, 0)).not.toThrow();
  expectError(make(undefined, 1), who, ['mean and variance go together; received only variance; give both']);
  expectError(make(1, undefined), who, ['mean and variance go together; received only mean; give both']);
  expectError(make([[0, 1], [2]], [1, 1]), who, ['mean must be a number or nested lists of one length']);
});

test('a mask that is none of the positions is none of the layer, as in TensorFlow.js', () => {
  const x = tf.tensor([1, 2, 4, 7, 3, 5, 0, 8, 9, 6, 2, 1], [2, 3, 2]);
  const results = (mask: unknown) => {
    const layer = ours.batchNormalization();
    const y = layer.apply(x, { training: true, mask } as object) as tf.Tensor;
    return [numbers(y), ...layer.getWeights().map(numbers)];
  };
  const plain = results(undefined);
  const ofPooled = [[2, 6], [2, 2], [3, 3], [2, 3, 2], [6], [], [2, 3, 1], [1, 2, 3]].map((shape) =>
    tf.zeros(shape, 'bool'),
  );
  for (const mask of [...ofPooled, null, [], [null], ofPooled.slice(0, 2), [[false]], true]) {
    expect(results(mask)).toEqual(plain);
  }
  // One that fits is not ignored, alone or in a list.
  const fits = tf.tensor([1, 1, 0, 1, 0, 1], [2, 3], 'bool');
  expect(results(fits)).not.toEqual(plain);
  expect(results([fits])).toEqual(results(fits));
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
  const wrong = WRONG.filter(
    ([option, value]) =>
      isWrong(name, option, value) && (option === 'epsilon' || (option === 'axis' && !Array.isArray(value))),
  );
  test.each(wrong)('%s: %j', (option, value, ...parts) => {
    const input = x();
    expectError(() => f(input, { [option]: value }), name, parts);
  });

  test('inputs and parameters', () => {
    const input = x();
    const five = tf.ones([5]);
    const range = BATCH_AXIS.includes(name) ? 'use 0 to 2 or -3 to -1' : 'use 1 to 2 or -2 to -1';
    expectError(() => f(input, { axis: 3 }), name, ['received 3', range]);
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
    expectError(() => f(gone([2, 3, 4]), {}), name, ['the input has been disposed of', 'tf.keep']);
    expectError(() => f(input, { gamma: gone([4]) }), name, ['gamma has been disposed of', 'tf.keep']);
    expectError(() => f([1, 2] as unknown as tf.Tensor, {}), name, ['must be one tensor', 'received an array']);
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

/** Functions called as other frameworks have it: [call, what the message says]. */
const MEANT: [call: (tools: { x: tf.Tensor; c: tf.Tensor; g: tf.Tensor }) => unknown, ...parts: string[]][] = [
  [({ x }) => ours.layerNorm(x, { eps: 1 } as object), 'layerNorm', "'eps'", 'it is called epsilon here'],
  [({ x, c }) => ours.layerNorm(x, { weight: c, bias: c } as object), 'layerNorm', "'weight'", 'called gamma'],
  [({ x, c }) => ours.layerNorm(x, { bias: c } as object), 'layerNorm', "'bias'", 'called beta'],
  [({ x, c }) => ours.layerNorm(x, c as object), 'layerNorm', 'received a tensor', '{gamma: ...}'],
  [({ x }) => ours.layerNorm(x, -1 as never), 'layerNorm', 'received -1', 'gamma, beta, axis, epsilon'],
  [({ x }) => ours.layerNorm(x, [4] as never), 'layerNorm', 'received [4]'],
  [({ x }) => ours.layerNorm(x, [] as never), 'layerNorm', 'received []'],
  [({ x }) => ours.layerNorm(x, null as never), 'layerNorm', 'received null'],
  [({ x }) => ours.layerNorm(x, 'gamma' as never), 'layerNorm', 'received "gamma"'],
  [({ x }) => (ours.layerNorm as Call)(x, {}, 1e-5), 'layerNorm', 'nothing follows the options; received 1 more'],
  [({ x, c }) => (ours.layerNorm as Call)(x, undefined, c), 'layerNorm', 'nothing follows the options'],
  [({ x }) => ours.layerNorm(x, { training: true } as object), 'layerNorm', "'training'", 'leave it out'],
  [({ x }) => ours.layerNorm(x, { normalizedShape: [4] } as object), 'layerNorm', 'called axis'],
  [({ x }) => ours.layerNorm(x, { toString: 1 } as object), 'layerNorm', "'toString'", 'the options are gamma'],
  [({ x }) => ours.layerNorm(x, { gamma: [1, 1, 1, 1] as never }), 'layerNorm', 'gamma must be a tensor', 'tf.tensor'],
  [({ x }) => ours.rmsNorm(x, { epsilon_placement: 'inside' } as object), 'rmsNorm', 'called epsilonPlacement'],
  [({ x, c }) => ours.rmsNorm(x, c as object), 'rmsNorm', 'received a tensor'],
  [({ x }) => ours.instanceNorm(x, { dim: 1 } as object), 'instanceNorm', 'called axis'],
  [({ x }) => ours.instanceNorm(x, { groups: 1 } as object), 'instanceNorm', "'groups'"],
  [({ x }) => ours.groupNorm(x, 2 as never), 'groupNorm', 'received 2', 'groups'],
  [({ x }) => ours.groupNorm(x, { num_groups: 2 } as object), 'groupNorm', "'num_groups'", 'called groups'],
  [({ x }) => (ours.groupNorm as Call)(x, { groups: 2 }, 1e-5), 'groupNorm', 'nothing follows'],
  [({ x }) => ours.batchNorm(x, { training: false } as object), 'batchNorm', 'give mean and variance for inference'],
  [({ x, c }) => (ours.batchNorm as Call)(x, c, c), 'batchNorm', 'received a tensor', '{mean: ...}'],
  [({ x, c }) => ours.batchNorm(x, { running_mean: c } as object), 'batchNorm', 'called mean'],
  [({ x, c }) => ours.batchNorm(x, { runningVar: c } as object), 'batchNorm', 'called variance'],
  [({ x }) => ours.batchNorm(x, { momentum: 0.9 } as object), 'batchNorm', "'momentum'", 'mean, variance'],
  [({ x }) => ours.weightNorm(x, { dim: 0 } as object), 'weightNorm', 'called axis'],
  [({ x, c }) => ours.weightNorm(x, c as object), 'weightNorm', 'received a tensor', '{g: ...}'],
  [({ x }) => ours.weightNorm(x, { bias: 1 } as object), 'weightNorm', "'bias'; the options are g, axis"],
  [({ x }) => ours.spectralNorm(x, { nPowerIterations: 1 } as object), 'spectralNorm', 'called powerIterations'],
  [({ x, c }) => ours.spectralNorm(x, c as never), 'spectralNorm', 'received a tensor', '{u: ...}'],
  [({ x, g }) => ours.qkNorm(x, x, g, { eps: 1 } as object), 'qkNorm', 'called epsilon'],
  [({ x }) => ours.qkNorm(x, x, 1 as never), 'qkNorm', 'g must be a tensor; received 1'],
  [({ x }) => ours.qkNorm(x, x, {} as never), 'qkNorm', 'g must be a tensor'],
  [({ x, g }) => (ours.qkNorm as Call)(x, x, g, {}, -1), 'qkNorm', 'nothing follows'],
  [({ x, g }) => ours.qkAttention(x, x, x, g, { isCausal: true } as object), 'qkAttention', 'called causal'],
  [({ x, g }) => ours.qkAttention(x, x, x, g, { attn_mask: x } as object), 'qkAttention', 'called mask'],
  [({ x, g }) => ours.qkAttention(x, x, x, g, x as never), 'qkAttention', 'received a tensor', '{mask: ...}'],
  [({ x, g }) => ours.qkAttention(x, x, x, g, { axis: 1 } as object), 'qkAttention', "'axis'"],
  [() => ours.registerKernels({ name: 'mine' } as never), 'registerKernels', 'the names of two backends'],
  [() => ours.registerKernels('mine', null as never), 'registerKernels', 'received null'],
  [() => (ours.registerKernels as Call)('mine', 'cpu', 'webgl'), 'registerKernels', 'received "webgl"'],
];
type Call = (...args: unknown[]) => unknown;

test.each(MEANT)('%s is not what the function takes', (call, who, ...parts) => {
  const tools = { x: x(), c: tf.ones([4]), g: tf.scalar(1) };
  expectError(() => call(tools), who, parts);
});

describe('shapes of gamma and beta', () => {
  const shaped = (shape: number[], seed = 1) => tf.randomNormal(shape, 1, 1, 'float32', seed);
  type Taken = [shape: number[], axis: number | number[], given: number[], as: number[]];
  test.each<Taken>([
    [[2, 3, 4], -1, [4], [4]],
    [[2, 3, 4], -1, [1, 1, 4], [4]],
    [[2, 3, 4], -1, [2, 4], [2, 1, 4]],
    [[2, 3, 4], -1, [2, 1, 4], [2, 1, 4]],
    [[2, 3, 4], -1, [2, 3, 4], [2, 3, 4]],
    [[2, 3, 4], 1, [2, 3], [2, 3, 1]],
    [[2, 3, 4], 1, [2, 3, 1], [2, 3, 1]],
    [[2, 3, 4], 1, [2, 3, 4], [2, 3, 4]],
    [[2, 3, 4], [1, 2], [12], [3, 4]],
    [
      [2, 3, 4],
      [1, 2],
      [2, 12],
      [2, 3, 4],
    ],
    [
      [2, 3, 4],
      [1, 2],
      [2, 3, 4],
      [2, 3, 4],
    ],
    [[2, 3, 5, 4], -1, [2, 3, 1, 4], [2, 3, 1, 4]],
    [
      [2, 3, 5, 4],
      [1, 3],
      [2, 3, 4],
      [2, 3, 1, 4],
    ],
    [[3, 3], -1, [3, 3], [3, 3]],
  ])('of %j along %j: %j', (shape, axis, given, as) => {
    const [x, gamma] = [shaped(shape), shaped(given, 2)];
    const expected = tf.mul(ours.layerNorm(x, { axis }), tf.reshape(gamma, as));
    expect(numbers(ours.layerNorm(x, { axis, gamma }))).toBeClose(numbers(expected), { ofMax: 1e-6 });
  });

  const WAYS =
    '4 values, one per channel, or [2, 4] or [2,1,4], a row per example, or [2,3,4], a row per position; received';
  test.each<[shape: number[], axis: number | number[], given: number[], message: string]>([
    [[2, 3, 4], -1, [3, 4], `gamma must hold ${WAYS} the shape [3,4]: a batch of 3 for one of 2; reshape or tile it`],
    [[2, 3, 4], -1, [2, 3], `${WAYS} the shape [2,3]; reshape`],
    [[2, 3, 4], -1, [3, 2], `${WAYS} the shape [3,2]; reshape`],
    [[2, 3, 4], -1, [2, 4, 1], `${WAYS} the shape [2,4,1]; reshape`],
    [[2, 3, 4], -1, [2, 2, 4], `${WAYS} the shape [2,2,4]; reshape`],
    [[2, 3, 4], -1, [1, 3, 4], `${WAYS} the shape [1,3,4]: a batch of 1`],
    [[2, 3, 4], -1, [2, 3, 1], `${WAYS} the shape [2,3,1]; reshape`],
    [[2, 3, 4], -1, [2, 3, 4, 1], `${WAYS} the shape [2,3,4,1]; reshape`],
    [[2, 3, 4], -1, [8], `${WAYS} the shape [8]`],
    [[2, 3, 5, 4], -1, [2, 1, 5, 4], 'received the shape [2,1,5,4]; reshape'],
    [[2, 3, 4], [1, 2], [2, 4, 3], 'received the shape [2,4,3]; reshape'],
    [[2, 3, 4], [1, 2], [2, 2, 6], 'received the shape [2,2,6]; reshape'],
    [[2, 3, 4], [1, 2], [2, 3, 1], 'received the shape [2,3,1]; reshape'],
    [[2, 3, 4], [1, 2], [2, 3, 4, 1], 'received the shape [2,3,4,1]; reshape'],
    [[2, 3], 0, [2, 2], 'received the shape [2,2]; reshape'],
    [[2, 3], 0, [3, 3], '2 values, one per channel, or [2,3], a row per position; received the shape [3,3]; reshape'],
  ])('of %j along %j: not %j', (shape, axis, given, message) => {
    const [x, gamma] = [shaped(shape), shaped(given)];
    expectError(() => ours.layerNorm(x, { axis, gamma }), 'layerNorm', [message]);
  });
});

describe('what functions take', () => {
  const input = (shape = [3, 4, 6]) => tf.randomNormal(shape, 1, 2, 'float32', 5);
  const close = (actual: tf.Tensor, expected: tf.Tensor) =>
    expect(numbers(actual)).toBeClose(numbers(expected), { ofMax: 1e-6 });

  test.each(Object.keys(FUNCTIONS))('%s: the last axis by default, whole numbers and bools, null for none', (name) => {
    const f = FUNCTIONS[name]!;
    const x = input();
    close(f(x, {}), f(x, { axis: 2 }));
    close(f(x, { gamma: null, beta: null }), f(x, {}));
    for (const dtype of ['int32', 'bool'] as const) {
      const whole = tf.cast(x, dtype);
      close(f(whole, {}), f(tf.cast(whole, 'float32'), {}));
      const parameter = tf.cast(tf.range(0, 6), dtype);
      close(f(x, { gamma: parameter }), f(x, { gamma: tf.cast(parameter, 'float32') }));
    }
  });

  test('axes in any order, and the batch where it may be one', () => {
    const [x, gamma] = [input(), tf.randomNormal([24], 1, 1, 'float32', 6)];
    close(ours.layerNorm(x, { axis: [2, 1], gamma }), ours.layerNorm(x, { axis: [1, 2], gamma }));
    close(ours.layerNorm(x, { axis: [-1, 1], gamma }), ours.layerNorm(x, { axis: [1, 2], gamma }));
    const { mean, variance } = tf.moments(x, 0, true);
    close(ours.layerNorm(x, { axis: 0 }), tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3))));
    expectError(() => ours.layerNorm(x, { axis: 3 }), 'layerNorm', ['within the 3 axes of the input; received 3']);
    expectError(() => ours.groupNorm(x, { axis: 3 }), 'groupNorm', ['of the input and not be the batch; received 3']);
  });

  test('an instance is a channel of an example', () => {
    const x = input();
    const { mean, variance } = tf.moments(x, 1, true);
    close(ours.instanceNorm(x), tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3))));
  });

  test('groups are divisors, of which a few are named', () => {
    const [six, sixty, many] = [6, 60, 120].map((channels) => input([2, channels])) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const refused = (x: tf.Tensor, groups: number, divisors: string) =>
      expectError(() => ours.groupNorm(x, { groups }), 'groupNorm', [`groups (${groups})`, `use ${divisors} or -1`]);
    for (const groups of [-2, 0, 0.5, 4]) refused(six, groups, '1, 2, 3, 6');
    refused(sixty, 7, '1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60');
    refused(many, 7, '1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, ...');
  });

  test('a residual of the very shape of the input', () => {
    const x = input();
    for (const shape of [[6], [3, 1, 6], [3, 6, 4], [1, 4, 6], [3, 4, 6, 1]]) {
      const parts = [`received [${shape}]`, 'nothing is broadcast'];
      const residual = input(shape);
      expectError(() => ours.addLayerNorm(x, residual), 'addLayerNorm', parts);
    }
  });

  test('numbers that are none', () => {
    const [x, gamma] = [input(), tf.ones([6])];
    for (const gammaOffset of ['1', Number.NaN, 1e39, 1e-40, null] as number[]) {
      expectError(() => ours.rmsNorm(x, { gamma, gammaOffset }), 'rmsNorm', ['gammaOffset must be a finite number']);
    }
    const g = tf.scalar(1);
    for (const dropout of ['0.1', -0.1, 1] as number[]) {
      expectError(() => ours.qkAttention(x, x, x, g, { dropout }), 'qkAttention', ['dropout must lie in [0, 1)']);
    }
  });

  test('axes of the units of a kernel', () => {
    const kernel = input();
    for (const axis of [[], [0, 0], [1, -2], [0, 1, 2], 3, -4, 1.5, [1, 3]]) {
      expectError(() => ours.weightNorm(kernel, { axis }), 'weightNorm', [
        'not all, of the 3 axes',
        `received ${JSON.stringify(axis)}`,
      ]);
    }
    const g = tf.range(1, 25);
    close(ours.weightNorm(kernel), ours.weightNorm(kernel, { axis: 2 }));
    close(ours.weightNorm(kernel, { axis: -3 }), ours.weightNorm(kernel, { axis: 0 }));
    close(ours.weightNorm(kernel, { axis: [2, 1], g }), ours.weightNorm(kernel, { axis: [1, 2], g }));
    const norms = tf.sqrt(tf.sum(tf.square(kernel), 0));
    close(ours.weightNorm(kernel, { axis: [1, -1] }), tf.div(kernel, norms));
  });

  test('steps of power iteration, and where they start', () => {
    const [kernel, u, v] = [input(), tf.ones([1, 6]), tf.ones([1, 12])];
    for (const powerIterations of [-1, 1.5, '1'] as number[]) {
      expectError(() => ours.spectralNorm(kernel, { u, powerIterations }), 'spectralNorm', ['must be a whole number']);
    }
    for (const start of [{ u }, { v }]) {
      expectError(() => ours.spectralNorm(kernel, { ...start, powerIterations: 0 }), 'spectralNorm', [
        'both are needed',
      ]);
    }
    const [empty, long] = [tf.zeros([0, 2]), tf.ones([1, 1, 1, 1, 1, 2, 2])];
    expectError(() => ours.spectralNorm(empty, { u }), 'spectralNorm', ['received the shape [0,2]']);
    expectError(() => ours.spectralNorm(long, { u }), 'spectralNorm', ['received the shape [1,1,1,1,1,2,2]']);
    expect(ours.weightNorm(tf.ones([1, 1, 1, 1, 2, 2])).shape).toEqual([1, 1, 1, 1, 2, 2]);
    const { sigma, u: kept } = ours.spectralNorm(kernel, { u, v, powerIterations: 0 });
    const matrix = tf.reshape(kernel, [12, 6]);
    close(sigma, tf.matMul(tf.matMul(v, matrix), u, false, true));
    close(kept, u);
    close(ours.spectralNorm(kernel, { u }).kernel, ours.spectralNorm(kernel, { u, axis: 2 }).kernel);
    // u and v are constants to the gradient of sigma.
    const once = ours.spectralNorm(kernel, { u });
    const dsigma = tf.grad((kernel: tf.Tensor) => ours.spectralNorm(kernel, { u }).sigma)(kernel);
    close(dsigma, tf.reshape(tf.matMul(once.v, once.u, true), kernel.shape as [number, number, number]));
  });

  test('a style along any axis, and one without variance', () => {
    const [content, style] = [input(), input([3, 4, 5])];
    const turned = (x: tf.Tensor) => tf.transpose(x, [0, 2, 1]);
    close(
      ours.adaptiveInstanceNorm(content, style, { axis: 1 }),
      turned(ours.adaptiveInstanceNorm(turned(content), turned(style))),
    );
    const flat = tf.fill([3, 5, 6], 2);
    const f = (s: tf.Tensor) => ours.adaptiveInstanceNorm(content, s, { epsilon: 0 });
    close(f(flat), tf.fill([3, 4, 6], 2));
    close(tf.grad(f)(flat), tf.fill([3, 5, 6], 4 / 5)); // the mean alone moves
    for (const other of [
      [2, 4, 6],
      [3, 4, 5],
      [3, 6],
    ]) {
      const parts = ['same rank, batch and channels', `[${other}]`];
      const given = input(other);
      expectError(() => ours.adaptiveInstanceNorm(content, given), 'adaptiveInstanceNorm', parts);
    }
    const none = tf.zeros([3, 0, 6]);
    const parts = ['a style must have values', 'received [3,4,6] and [3,0,6]'];
    expectError(() => ours.adaptiveInstanceNorm(content, none), 'adaptiveInstanceNorm', parts);
  });

  test('a mask that is the same along some axes only', () => {
    const [q, g] = [input([2, 2, 3, 4, 5]), tf.scalar(2)];
    const mask = tf.tidy(() => tf.greater(tf.add(input([2, 1, 3, 4, 4]), tf.mul(9, tf.eye(4))), 1));
    const whole = tf.tile(mask, [1, 2, 1, 1, 1]);
    close(ours.qkAttention(q, q, q, g, { mask }), ours.qkAttention(q, q, q, g, { mask: whole }));
    const parts = tf.split(q, 2, 1).map((part) => ours.qkAttention(part, part, part, g, { mask }));
    close(ours.qkAttention(q, q, q, g, { mask: whole }), tf.concat(parts, 1));
  });
});

test('loadModel as functions: what it does not take is refused', async () => {
  const load = ours.loadModel as unknown as (...args: unknown[]) => Promise<unknown>;
  await expect(load('http://nowhere/model.json', { onprogress: 1 })).rejects.toThrow('loadModel: unknown option');
  await expect(load('http://nowhere/model.json', null)).rejects.toThrow('loadModel: the options must be one object');
  await expect(load('http://nowhere/model.json', {}, 1)).rejects.toThrow('loadModel: nothing follows the options');
});

test('options that are undefined are left out', () => {
  const input = x();
  expect(numbers(ours.layerNorm(input, { eps: undefined, gamma: undefined } as object))).toEqual(
    numbers(ours.layerNorm(input)),
  );
});

describe('computeOutputShape of layers with other inputs', () => {
  const shapeOf = (layer: Layer, shapes: (number | null)[] | (number | null)[][]) => () =>
    layer.computeOutputShape(shapes) as never;
  test('what could not be built is refused', () => {
    const attention = ours.qkNormAttention({ sequenceLength: 4, causal: true });
    const [q, k] = [
      [2, 3, 4],
      [2, 3, 5],
    ];
    expectError(shapeOf(ours.qkNormalization({ sequenceLength: 4 }), [q, k]), 'QKNormalization', ['same width']);
    expectError(shapeOf(ours.qkNormalization({ sequenceLength: 4, axis: 7 }), [q, q]), 'QKNormalization', ['axis']);
    expectError(shapeOf(ours.qkNormalization({ sequenceLength: 4 }), q), 'QKNormalization', ['[query, key]']);
    expectError(shapeOf(attention, [q, k, k]), 'QKNormAttention', ['same width']);
    expectError(shapeOf(attention, [q, [2, 2, 4], [2, 2, 4]]), 'QKNormAttention', ['causal']);
    expectError(shapeOf(attention, [q, q, [2, 4, 4]]), 'QKNormAttention', ['one value per key']);
    expectError(shapeOf(ours.unitNormalization({ axis: 5 }), q), 'UnitNormalization', ['axis']);
    expectError(shapeOf(ours.unitNormalization(), [2]), 'UnitNormalization', ['2 to 6 axes']);
    expectError(shapeOf(ours.pixelNormalization({ axis: 5 }), q), 'PixelNormalization', ['axis']);
    expectError(shapeOf(new ours.AddonsTLU(), [2]), 'Addons>TLU', ['2 to 6 axes']);
    expectError(shapeOf(ours.featureNormalization({ axis: 5 }), q), 'Normalization', ['axis']);
    const given = ours.featureNormalization({ mean: [1, 2], variance: [1, 1] });
    expectError(shapeOf(given, q), 'Normalization', ['mean must be one number']);
    const ofTwoAxes = (mean: unknown, axis: number[] = [1, 2]) =>
      shapeOf(ours.featureNormalization({ mean, variance: 1, axis } as never), [7, 2, 3]);
    const row = [1, 2, 3];
    for (const mean of [[[1, 2]], [row, row, row], [[row, row]]]) {
      expectError(ofTwoAxes(mean), 'Normalization', ['mean must be one number, or have the shape [2,3] of the axes']);
    }
    expectError(ofTwoAxes([row], [2]), 'Normalization', ['received the shape [1,3]']);
    for (const mean of [row, [row], [row, row], [[1], [2]], [[[1]]]]) expect(ofTwoAxes(mean)()).toEqual([7, 2, 3]);
    expect(shapeOf(given, [2, 3, 2])()).toEqual([2, 3, 2]);
    expect(shapeOf(given, [2, 3, null])()).toEqual([2, 3, null]);
    const groups = ours.groupNormalization({ groups: 3 });
    expectError(shapeOf(groups, q), 'GroupNormalization', ['groups (3) must divide']);
  });
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
