/** The normalizations of activations: the layer itself, whose statistics it takes, whose gamma and beta, and one output by hand. */
import * as tf from '@tensorflow/tfjs';
import {
  adaptiveInstanceNormalization,
  adaptiveLayerNormalization,
  batchInstanceNormalization,
  batchNormalization,
  batchRenormalization,
  conditionalBatchNormalization,
  featurewiseLinearModulation,
  groupNormalization,
  instanceNormalization,
  layerNormalization,
  meanOnlyBatchNormalization,
  rmsNormalization,
  type SwitchableNormalization,
  spatiallyAdaptiveNormalization,
  switchableNormalization,
} from 'tfjs-normalizations';
import { batch, type Cell, group, instance, type Key, layer, position, type Statistics, single } from './cells.ts';
import { type Condition, ROWS } from './conditions.ts';

export interface Settings {
  readonly channels: number;
  /** Of group normalization. */
  readonly groups: number;
  /** What layer and RMS normalization take together: the whole example, or the channels of each position. */
  readonly over: 'example' | 'position';
  /** Of batch-instance normalization: 1 is batch, 0 instance. */
  readonly rho: number;
  /** Of switchable normalization: how much of the instance's, the layer's and the batch's statistics, together 1. */
  readonly shares: readonly [instance: number, layer: number, batch: number];
  /** The parameters of all channels: the layer starts with 1 and 0. */
  readonly gamma: number;
  readonly beta: number;
}

/** One mean and variance that an output depends on, and how much. */
export interface Source {
  readonly name: 'instance' | 'layer' | 'batch' | 'group' | 'position' | 'single';
  readonly share: number;
  readonly key: Key;
}

/** What one output is computed from; `past` are the statistics of the batch that the layer saw before. */
export interface ByHand {
  readonly x: number;
  readonly now: readonly Statistics[];
  readonly past: readonly Statistics[];
}

interface Normalization {
  /** Its options, as one writes them. */
  options(settings: Settings): Record<string, unknown>;
  make(options: Record<string, unknown>): tf.layers.Layer;
  /** Sets weights that no option sets, once the layer is built. */
  prepare?(layer: tf.layers.Layer, settings: Settings): void;
  sources(settings: Settings): readonly Source[];
  /** Which statistics it takes; a mean and a variance unless it says so. */
  readonly needs?: { readonly mean?: boolean; readonly meanSquare?: boolean };
  /** With letters that a reader can point at: see formula.ts. */
  readonly formula: string;
  /** x less its mean, and that divided by its deviation, where there are such. */
  steps(values: ByHand, settings: Settings): readonly [centred: number, divided: number];
  /** Whether it has a gamma. */
  readonly scales?: false;
  /** Where gamma and beta come from, if they are no weights; and what the layer adds to gamma. */
  readonly condition?: Condition;
  readonly added?: number;
}

const EPSILON = 1e-5;
const EPSILON_RMS = 1e-6;

const only = (name: Source['name'], key: Key): Source[] => [{ name, share: 1, key }];
const deviation = ({ variance }: { variance: number }) => Math.sqrt(variance + EPSILON);
const standard = (x: number, statistics: Statistics) => (x - statistics.mean) / deviation(statistics);
const FORMULA = 'γ ( x − μ ) / √( σ² + ε ) + β';
const ofOne = ({ x, now: [now] }: ByHand) => [x - now.mean, standard(x, now)] as const;
const blend = (values: readonly number[], shares: readonly number[]) =>
  values.reduce((sum, value, i) => sum + value * shares[i], 0);
const clip = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);
/** The axes of [examples, rows, columns, channels] that are normalized together. */
const axes = ({ over }: Settings) => (over === 'example' ? [1, 2, 3] : -1);
const overSource = ({ over }: Settings) => (over === 'example' ? only('layer', layer) : only('position', position));

export const normalizations = {
  BatchNormalization: {
    options: () => ({ epsilon: EPSILON }),
    make: batchNormalization,
    sources: () => only('batch', batch),
    formula: FORMULA,
    steps: ofOne,
  },
  InstanceNormalization: {
    options: () => ({ epsilon: EPSILON }),
    make: instanceNormalization,
    sources: () => only('instance', instance),
    formula: FORMULA,
    steps: ofOne,
  },
  LayerNormalization: {
    options: (settings) => ({ axis: axes(settings), epsilon: EPSILON }),
    make: layerNormalization,
    sources: overSource,
    formula: FORMULA,
    steps: ofOne,
  },
  RMSNormalization: {
    options: (settings) => ({ axis: axes(settings), epsilon: EPSILON_RMS }),
    make: rmsNormalization,
    sources: overSource,
    needs: { meanSquare: true },
    formula: 'γ x / ( √mean(x²) + ε ) + β',
    steps: ({ x, now: [{ meanSquare }] }) => [x, x / (Math.sqrt(meanSquare) + EPSILON_RMS)],
  },
  GroupNormalization: {
    options: ({ groups }) => ({ groups, epsilon: EPSILON }),
    make: groupNormalization,
    sources: ({ channels, groups }) => only('group', group(channels / groups)),
    formula: FORMULA,
    steps: ofOne,
  },
  BatchInstanceNormalization: {
    options: ({ rho }) => ({ rhoInitializer: tf.initializers.constant({ value: rho }), epsilon: EPSILON }),
    make: batchInstanceNormalization,
    sources: ({ rho }) => [
      { name: 'instance', share: 1 - rho, key: instance },
      { name: 'batch', share: rho, key: batch },
    ],
    formula: 'γ ( ρ x̂_batch + (1 − ρ) x̂_instance ) + β, x̂ = ( x − μ ) / √( σ² + ε )',
    steps: ({ x, now: [ofInstance, ofBatch] }, { rho }) => [
      x - rho * ofBatch.mean - (1 - rho) * ofInstance.mean,
      rho * standard(x, ofBatch) + (1 - rho) * standard(x, ofInstance),
    ],
  },
  SwitchableNormalization: {
    options: () => ({ epsilon: EPSILON }),
    make: switchableNormalization,
    prepare: (layer, { shares }) => setShares(layer as SwitchableNormalization, shares),
    sources: ({ shares }) => [
      { name: 'instance', share: shares[0], key: instance },
      { name: 'layer', share: shares[1], key: layer },
      { name: 'batch', share: shares[2], key: batch },
    ],
    formula: 'γ ( x − μ ) / √( σ² + ε ) + β, μ and σ² weighted',
    steps: ({ x, now }, { shares }) => {
      const means = now.map(({ mean }) => mean);
      const variances = now.map(({ variance }) => variance);
      const centred = x - blend(means, shares);
      return [centred, centred / deviation({ variance: blend(variances, shares) })];
    },
  },
  BatchRenormalization: {
    // Its averages are those of the last batch alone, so that the page can say what they remember.
    options: () => ({ momentum: 0, rampSteps: null, epsilon: EPSILON }),
    make: batchRenormalization,
    sources: () => only('batch', batch),
    formula: 'γ ( ( x − μ ) / √( σ² + ε ) · r + d ) + β',
    steps: ({ x, now: [now], past: [past] }) => {
      const r = clip(deviation(now) / deviation(past), 1 / 3, 3);
      const d = clip((now.mean - past.mean) / deviation(past), -5, 5);
      return [x - now.mean, standard(x, now) * r + d];
    },
  },
  AdaptiveInstanceNormalization: {
    options: () => ({ epsilon: EPSILON }),
    make: adaptiveInstanceNormalization,
    sources: () => only('instance', instance),
    formula: FORMULA,
    steps: ofOne,
    condition: 'style',
  },
  ConditionalBatchNormalization: {
    options: () => ({ epsilon: EPSILON }),
    make: conditionalBatchNormalization,
    sources: () => only('batch', batch),
    formula: FORMULA,
    steps: ofOne,
    condition: 'example',
  },
  FeaturewiseLinearModulation: {
    options: () => ({}),
    make: featurewiseLinearModulation,
    sources: () => only('single', single),
    needs: {},
    formula: 'γ x + β',
    steps: ({ x }) => [x, x],
    condition: 'example',
  },
  AdaptiveLayerNormalization: {
    options: () => ({ epsilon: EPSILON }),
    make: adaptiveLayerNormalization,
    sources: () => only('position', position),
    formula: FORMULA,
    steps: ofOne,
    condition: 'example',
    added: 1,
  },
  SpatiallyAdaptiveNormalization: {
    options: () => ({ epsilon: EPSILON }),
    make: spatiallyAdaptiveNormalization,
    sources: () => only('batch', batch),
    formula: FORMULA,
    steps: ofOne,
    condition: 'position',
    added: 1,
  },
  MeanOnlyBatchNormalization: {
    options: () => ({}),
    make: meanOnlyBatchNormalization,
    sources: () => only('batch', batch),
    needs: { mean: true },
    scales: false,
    formula: 'x − μ + β',
    steps: ({ x, now: [{ mean }] }) => [x - mean, x - mean],
  },
} as const satisfies Record<string, Normalization>;

export type Name = keyof typeof normalizations;
export const normalizationOf = (name: Name): Normalization => normalizations[name];

/** Gamma and beta of one cell. */
export interface Parameters {
  readonly gamma: number;
  readonly beta: number;
}

/** One output by hand. */
export function byHand(name: Name, values: ByHand, settings: Settings, { gamma, beta }: Parameters): number {
  const { steps, scales } = normalizationOf(name);
  const [, divided] = steps(values, settings);
  return (scales === false ? 1 : gamma) * divided + beta;
}

/** Cells of the same key share a gamma and a beta: one for each channel, or for each place that is normalized together. */
export function parameterKey(name: Name, { over }: Settings): Key {
  const { condition } = normalizationOf(name);
  if (condition) return ROWS[condition];
  return over === 'example' && (name === 'LayerNormalization' || name === 'RMSNormalization')
    ? ({ row, column, channel }: Cell) => 10_000 * row + 100 * column + channel
    : batch;
}

/** The deviation and the mean of a style, which take the place of gamma and beta. */
export const ofStyle = (style: Statistics): Parameters => ({ gamma: deviation(style), beta: style.mean });

/** Fills gamma and beta, as RMS calls them too, with the values that are set. */
export function setParameters(layer: tf.layers.Layer, { gamma, beta }: Settings): void {
  tf.tidy(() => {
    layer.setWeights(
      layer.weights.map((weight) => {
        if (/\/(gamma|scale)$/.test(weight.name)) return tf.fill(weight.shape as number[], gamma);
        return /\/beta$/.test(weight.name) ? tf.fill(weight.shape as number[], beta) : weight.read();
      }),
    );
  });
}

/** The layer learns logits; a share of 0 is one that softmax makes 0. */
function setShares(layer: SwitchableNormalization, shares: Settings['shares']): void {
  tf.tidy(() => {
    const logits = tf.tensor1d(shares.map((share) => (share > 0 ? Math.log(share) : -1000)));
    layer.setWeights(
      layer.weights.map((weight) => (/(mean|variance)_weights/.test(weight.name) ? logits : weight.read())),
    );
  });
}

/** How one writes what the layer is called with. */
export function inputCodeOf(name: Name): string {
  const { condition } = normalizationOf(name);
  if (condition === undefined) return 'x';
  return condition === 'style' ? '[content, style]' : '[x, gamma, beta]';
}

/** How one writes it. */
export function codeOf(name: Name, settings: Settings): string {
  const factory = name.replace(/^[A-Z]+(?=[A-Z][a-z])|^[A-Z]/, (start) => start.toLowerCase());
  const written = Object.entries(normalizations[name].options(settings)).map(([option, value]) => {
    if (option === 'rhoInitializer') return `${option}: tf.initializers.constant({ value: ${settings.rho} })`;
    if (option === 'epsilon') return `${option}: ${(value as number).toExponential()}`;
    return `${option}: ${JSON.stringify(value)?.replaceAll(',', ', ')}`;
  });
  return `${factory}(${written.length > 0 ? `{ ${written.join(', ')} }` : ''})`;
}
