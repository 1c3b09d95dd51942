/** The nine normalizations of activations: the layer itself, whose statistics it takes, and one output by hand. */
import * as tf from '@tensorflow/tfjs';
import {
  batchInstanceNormalization,
  batchNormalization,
  batchRenormalization,
  groupNormalization,
  instanceNormalization,
  layerNormalization,
  meanOnlyBatchNormalization,
  rmsNormalization,
  type SwitchableNormalization,
  switchableNormalization,
} from 'tfjs-normalizations';
import { batch, group, instance, layer, position, type Statistics, type Together } from './cells.ts';

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
}

/** One mean and variance that an output depends on, and how much. */
export interface Source {
  readonly name: 'instance' | 'layer' | 'batch' | 'group' | 'position';
  readonly share: number;
  readonly together: Together;
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
  byHand(values: ByHand, settings: Settings): number;
}

const EPSILON = 1e-5;
const EPSILON_RMS = 1e-6;

const only = (name: Source['name'], together: Together): Source[] => [{ name, share: 1, together }];
const deviation = ({ variance }: { variance: number }) => Math.sqrt(variance + EPSILON);
const standard = (x: number, statistics: Statistics) => (x - statistics.mean) / deviation(statistics);
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
    byHand: ({ x, now }) => standard(x, now[0]),
  },
  InstanceNormalization: {
    options: () => ({ epsilon: EPSILON }),
    make: instanceNormalization,
    sources: () => only('instance', instance),
    byHand: ({ x, now }) => standard(x, now[0]),
  },
  LayerNormalization: {
    options: (settings) => ({ axis: axes(settings), epsilon: EPSILON }),
    make: layerNormalization,
    sources: overSource,
    byHand: ({ x, now }) => standard(x, now[0]),
  },
  RMSNormalization: {
    options: (settings) => ({ axis: axes(settings), epsilon: EPSILON_RMS }),
    make: rmsNormalization,
    sources: overSource,
    needs: { meanSquare: true },
    byHand: ({ x, now }) => x / (Math.sqrt(now[0].meanSquare) + EPSILON_RMS),
  },
  GroupNormalization: {
    options: ({ groups }) => ({ groups, epsilon: EPSILON }),
    make: groupNormalization,
    sources: ({ channels, groups }) => only('group', group(channels / groups)),
    byHand: ({ x, now }) => standard(x, now[0]),
  },
  BatchInstanceNormalization: {
    options: ({ rho }) => ({ rhoInitializer: tf.initializers.constant({ value: rho }), epsilon: EPSILON }),
    make: batchInstanceNormalization,
    sources: ({ rho }) => [
      { name: 'instance', share: 1 - rho, together: instance },
      { name: 'batch', share: rho, together: batch },
    ],
    byHand: ({ x, now: [ofInstance, ofBatch] }, { rho }) =>
      rho * standard(x, ofBatch) + (1 - rho) * standard(x, ofInstance),
  },
  SwitchableNormalization: {
    options: () => ({ epsilon: EPSILON }),
    make: switchableNormalization,
    prepare: (layer, { shares }) => setShares(layer as SwitchableNormalization, shares),
    sources: ({ shares }) => [
      { name: 'instance', share: shares[0], together: instance },
      { name: 'layer', share: shares[1], together: layer },
      { name: 'batch', share: shares[2], together: batch },
    ],
    byHand: ({ x, now }, { shares }) => {
      const mean = blend(
        now.map(({ mean }) => mean),
        shares,
      );
      const variance = blend(
        now.map(({ variance }) => variance),
        shares,
      );
      return (x - mean) / deviation({ variance });
    },
  },
  BatchRenormalization: {
    // Its averages are those of the last batch alone, so that the page can say what they remember.
    options: () => ({ momentum: 0, rampSteps: null, epsilon: EPSILON }),
    make: batchRenormalization,
    sources: () => only('batch', batch),
    byHand: ({ x, now: [now], past: [past] }) => {
      const r = clip(deviation(now) / deviation(past), 1 / 3, 3);
      const d = clip((now.mean - past.mean) / deviation(past), -5, 5);
      return standard(x, now) * r + d;
    },
  },
  MeanOnlyBatchNormalization: {
    options: () => ({}),
    make: meanOnlyBatchNormalization,
    sources: () => only('batch', batch),
    needs: { mean: true },
    byHand: ({ x, now }) => x - now[0].mean,
  },
} as const satisfies Record<string, Normalization>;

export type Name = keyof typeof normalizations;
export const normalizationOf = (name: Name): Normalization => normalizations[name];

/** The layer learns logits; a share of 0 is one that softmax makes 0. */
function setShares(layer: SwitchableNormalization, shares: Settings['shares']): void {
  tf.tidy(() => {
    const logits = tf.tensor1d(shares.map((share) => (share > 0 ? Math.log(share) : -1000)));
    layer.setWeights(
      layer.weights.map((weight) => (/(mean|variance)_weights/.test(weight.name) ? logits : weight.read())),
    );
  });
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
