/**
 * Where there is nothing to normalize: groups without variance give beta and a gradient of 0, also where epsilon is 0; tensors
 * without values come out as they are, with gradients of 0, and change no statistic.
 */
import { expect, test } from '@jest/globals';
import { describeBackends, describeKernels, isWasm } from '../support/backends.ts';
import { FIRST } from '../support/layer-table.ts';

/** Values whose means float32 rounds in many ways, from small samples to rows of several blocks. */
const VALUES = [0, 0.1, 10000.3, -3.7e-3, 1e15, 1e-30];
const SHAPES = [
  [7, 5],
  [1, 1],
  [3, 4, 5, 6],
  [2, 200, 3],
  [2, 1111],
];
const FUNCTIONS = [
  ['layerNorm', {}],
  ['layerNorm', { axis: 1 }],
  ['groupNorm', { groups: 1 }],
  ['instanceNorm', {}],
  ['batchNorm', {}],
  ['rmsNorm', { epsilonPlacement: 'inside' }],
  ['rmsNorm', { epsilonPlacement: 'outside' }],
  ['rmsNorm', { epsilonPlacement: 'floor' }],
] as const;
const FLAWLESS = { tensors: 0, data: 0 };
const isZero = (values: ArrayLike<number> | undefined) =>
  values !== undefined && Array.from(values).every((v) => v === 0);

describeKernels('groups without variance', ({ run }) => {
  test.each(FUNCTIONS)('%s %j: y is beta, and gradients end', async (name, options) => {
    // A mean square is 0 of zeros alone.
    for (const value of name === 'rmsNorm' ? [0] : VALUES) {
      for (const [i, shape] of SHAPES.entries()) {
        for (const epsilon of i === 0 ? [0, 1e-40] : [0]) {
          const { value: of, leaked } = await run('ofEqualValues', {
            name,
            shape,
            value,
            options: { ...options, epsilon },
          });
          expect([name, value, shape, new Set(of.y)]).toEqual([name, value, shape, new Set([0.5])]);
          for (const gradient of [of.dx, of.dgamma, of.again]) expect(isZero(gradient)).toBe(true);
          expect(Array.from(of.dbeta!).every(Number.isFinite)).toBe(true);
          expect(leaked).toEqual(FLAWLESS);
        }
      }
    }
  });

  test('given statistics without variance', async () => {
    for (const shape of [
      [4, 3],
      [2, 3, 4, 5],
    ]) {
      for (const [value, mean] of [
        [3, 3],
        [3, 1],
        [-1e20, 0],
      ] as const) {
        const { value: of } = await run('withoutVariance', { shape, value, mean });
        for (const y of [of.y, of.plain]) expect(new Set(y)).toEqual(new Set([0.5]));
        for (const gradient of [of.dx, of.dmean, of.dvariance]) expect(isZero(gradient)).toBe(true);
      }
    }
  });

  /** Those whose groups have a mean square and no variance. */
  const squares = ['RMS', 'Scale', 'FilterResponse', 'GlobalResponse'].map((name) => `${name}Normalization`);
  const layers = [
    // A curve has no groups.
    ...FIRST.filter(({ className }) => !className.startsWith('Dynamic')).map(
      ({ className, options }) => [className, options] as const,
    ),
    ['BatchNormalization', { renorm: true }] as const,
    ['BatchRenormalization', { rampSteps: null }] as const,
    ['SwitchableNormalization', { useBatchStatistics: false }] as const,
  ];
  test.each(layers)('%s %j', async (className, options) => {
    const epsilon = className === 'MeanOnlyBatchNormalization' ? {} : { epsilon: 0 };
    for (const value of squares.includes(className) ? [0] : [0, 0.1, 10000.3]) {
      for (const shape of [
        [6, 6],
        [2, 5, 3, 6],
      ]) {
        const args = { className, options: { ...options, ...epsilon }, shape, value };
        const { value: of, leaked } = await run('layerOfEqualValues', args);
        const { y, dx, inference } = of.results;
        if (className !== 'MeanOnlyBatchNormalization') {
          expect(isZero(y)).toBe(true);
          // To its output x itself is added.
          if (className !== 'GlobalResponseNormalization') expect(isZero(dx)).toBe(true);
        }
        const finite = [dx!, inference!, ...Object.values(of.weights)];
        for (const values of finite) expect(Array.from(values!).every(Number.isFinite)).toBe(true);
        expect(leaked).toEqual(FLAWLESS);
      }
    }
  });
});

const EMPTY = [
  [0, 4],
  [0, 3, 4],
  [2, 0, 4],
  [0, 2, 3, 4],
  [2, 0, 3, 4],
  [3, 0],
  [2, 3, 0],
];

describeKernels('tensors without values', ({ name, run }) => {
  test.each(FUNCTIONS)('%s %j', async (f, options) => {
    for (const shape of EMPTY) {
      const { value, leaked } = await run('functionOfNothing', { name: f, shape, options });
      expect(value.shapes).toEqual([shape, shape, shape]);
      const c = shape['axis' in options ? 1 : shape.length - 1];
      expect(Array.from(value.gradients.dgamma!)).toEqual(new Array(c).fill(0));
      expect(Array.from(value.gradients.dbeta!)).toEqual(new Array(c).fill(0));
      expect(leaked).toEqual(FLAWLESS);
    }
  });

  const one = EMPTY.map((shape) => [shape]);
  const layers: [className: string, options: object, shapes: number[][][]][] = [
    ...FIRST.map(({ className, options }): [string, object, number[][][]] => [className, options, one]),
    ['GroupNormalization', { groups: 2 }, one],
    ['BatchNormalization', { axis: 1 }, one],
    ['BatchNormalization', { renorm: true }, one],
    ['LayerNormalization', { axis: [-1, 1] }, [[[0, 3, 4]], [[0, 3, 2, 4]], [[2, 3, 0, 4]]]],
    ['BatchRenormalization', { rampSteps: null }, one],
    ['SwitchableNormalization', { useBatchStatistics: false }, one],
    ['UnitNormalization', {}, one],
    ['PixelNormalization', {}, one],
    ['FilterResponseNormalization', { learnedEpsilon: true }, one],
    ['FeatureNormalization', {}, one],
    ['FeatureNormalization', { axis: null, mean: 1, variance: 4 }, one],
    ['WeightNormalization', {}, [[[0, 4]], [[0, 3, 4]]]],
    ['SpectralNormalization', {}, [[[0, 4]], [[0, 3, 4]]]],
    ['WeightStandardization', {}, [[[0, 4]], [[0, 3, 4]]]],
    [
      'QKNormalization',
      { sequenceLength: 4 },
      [
        [
          [0, 4],
          [0, 4],
        ],
        [
          [0, 2, 4],
          [0, 3, 4],
        ],
        [
          [2, 0, 4],
          [2, 3, 4],
        ],
      ],
    ],
    [
      'AdaptiveInstanceNormalization',
      {},
      [
        [
          [0, 3, 4],
          [0, 5, 4],
        ],
        [
          [2, 0, 4],
          [2, 5, 4],
        ],
        [
          [2, 0, 4],
          [2, 0, 4],
        ],
      ],
    ],
    [
      'QKNormAttention',
      { sequenceLength: 4 },
      [
        [
          [0, 2, 4],
          [0, 3, 4],
          [0, 3, 5],
        ],
        [
          [2, 0, 4],
          [2, 3, 4],
          [2, 3, 5],
        ],
        [
          [2, 3, 4],
          [2, 0, 4],
          [2, 0, 5],
        ],
        [
          [0, 2, 2, 4],
          [0, 2, 3, 4],
          [0, 2, 3, 5],
        ],
        [
          [2, 2, 3, 4],
          [2, 2, 3, 4],
          [2, 2, 3, 0],
        ],
      ],
    ],
  ];
  const isWrapped = (className: string) => /^(Weight|Spectral)/.test(className);
  // On webgl and webgpu TensorFlow.js's own dense layer fails.
  const able = layers.filter(([className]) => !(isWrapped(className) && name.startsWith('webg')));
  test.each(able)('%s %j', async (className, options, given) => {
    const isWrapper = isWrapped(className);
    for (const shapes of given) {
      for (const training of [true, false]) {
        for (const which of shapes.keys()) {
          const { value, leaked } = await run('layerOfNothing', { className, options, shapes, training, which });
          const from = className === 'QKNormalization' ? which : 0;
          const width = isWrapper ? 3 : shapes.at(className === 'QKNormAttention' ? 2 : which)!.at(-1);
          expect(value.y).toEqual([...shapes[from]!.slice(0, -1), width]);
          expect(value.plain).toEqual(value.y);
          expect(value.dx).toEqual(shapes[which]);
          // Of one input with values the other output is that of them.
          const hasValues = className === 'QKNormalization' && !shapes[which]!.includes(0);
          for (const [what, values] of Object.entries(value.values)) {
            if (hasValues || (isWrapper && isWasm(name))) continue; // whose sum of nothing is anything
            expect([shapes, what, isZero(values)]).toEqual([shapes, what, true]);
          }
          // Statistics of nothing are none: what was known stays. Those of a kernel are there.
          if (!isWrapper) expect(value.state.after).toEqual(value.state.before);
          expect(leaked).toEqual(FLAWLESS);
        }
      }
    }
  });

  test('masks of nothing', async () => {
    for (const shape of [
      [0, 3, 4],
      [2, 0, 4],
    ]) {
      const args = { className: 'BatchNormalization', options: {}, shapes: [shape], training: true, masked: true };
      const { value } = await run('layerOfNothing', args);
      expect([value.y, value.state.after]).toEqual([shape, value.state.before]);
    }
  });
});

describeBackends(
  'kernels of tensors without values',
  ({ run }) => {
    test.each([
      { n: 0, s: 1, c: 4, groups: 1 },
      { n: 0, s: 3, c: 4, groups: 2 },
      { n: 2, s: 0, c: 4, groups: 4 },
      { n: 2, s: 3, c: 0, groups: 1 },
    ])('%j', async (view) => {
      const { n, s, c, groups } = view;
      const { value, leaked } = await run('kernelsOfNothing', { view });
      const ofGroups = [2, n * groups];
      expect(value.shapes).toEqual({ likeX: Array(5).fill([n, s, c]), moments: [ofGroups, ofGroups] });
      const { dgamma, dbeta, dscale, dshift } = value.sums;
      for (const sum of [dgamma, dbeta]) expect(Array.from(sum!)).toEqual(Array(c).fill(0));
      for (const sum of [dscale, dshift]) expect(Array.from(sum!)).toEqual(Array(n * c).fill(0));
      expect(leaked).toEqual(FLAWLESS);
    });
  },
  { only: ['cpu', 'wasm'] },
);
