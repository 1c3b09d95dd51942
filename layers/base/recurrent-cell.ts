/**
 * For recurrent cells: the classes of TensorFlow.js's cells, which it does not export, to derive from; layer normalization of products;
 * dropout; and the registration.
 */
import { dropout, type serialization, split, type Tensor } from '@tensorflow/tfjs-core';
import {
  type GRUCellLayerArgs,
  type LayerVariable,
  type LSTMCellLayerArgs,
  layers,
  RNN,
} from '@tensorflow/tfjs-layers';
import { checkEpsilon } from '../../kernels/functions/checks.ts';
import { layerNorm } from '../../kernels/functions/normalization.ts';
import { configOf, type Identifier, type Initializer, resolveIdentifier } from './identifiers.ts';
import { type ConfigDict, checkArgs, checkOptions, type Kwargs, savedOptions } from './options.ts';
import { isRegistered, registerLayer } from './register.ts';
import { addCheckedWeight } from './weights.ts';

/** A `tf.layers` activation. */
export interface Activation {
  /** The activation of each value. */
  apply(x: Tensor): Tensor;
}

/** TensorFlow.js's cells of LSTM and GRU, with the members that it declares private. */
interface GatedCell extends layers.RNNCell {
  /** The number of values of the state. */
  readonly units: number;
  /** The activation of the new value. */
  readonly activation: Activation;
  /** The activation of the gates. */
  readonly recurrentActivation: Activation;
  /** Whether a bias is added. */
  readonly useBias: boolean;
  /** The share of values of the input that are dropped. */
  readonly dropout: number;
  /** The share of values of the state that are dropped. */
  readonly recurrentDropout: number;
  /** The matrix by which the input is multiplied. */
  readonly kernel: LayerVariable;
  /** The matrix by which the state is multiplied. */
  readonly recurrentKernel: LayerVariable;
  /** The bias; null without `useBias`. */
  readonly bias: LayerVariable | null;
}

type ClassOf<Args, Instance> = new (args: Args) => Instance;

// TensorFlow.js exports functions that make these cells, not the classes. The name keeps its count of unnamed layers as it is.
const unit = { units: 1, name: 'cell' };
export const PlainGruCell = layers.gruCell(unit).constructor as unknown as ClassOf<GRUCellLayerArgs, GatedCell>;
export const PlainLstmCell = layers.lstmCell(unit).constructor as unknown as ClassOf<LSTMCellLayerArgs, GatedCell>;

/** The options of TensorFlow.js's GRU cell; its LSTM cell has one more. */
export const CELL_OPTIONS = [
  'units',
  'activation',
  'recurrentActivation',
  'useBias',
  ...['kernel', 'recurrent', 'bias'].flatMap((of) => [`${of}Initializer`, `${of}Regularizer`, `${of}Constraint`]),
  'dropout',
  'recurrentDropout',
  'dropoutFunc',
  'implementation',
  'activityRegularizer',
] as const;

/**
 * The options that are given, without those that are undefined. Fails if one is unknown, unless the class is derived from one of ours.
 */
export function checkedOptions<Args extends object>(target: unknown, args: Args, known: readonly string[]): Args {
  checkArgs(target, args);
  if (isRegistered(target)) checkOptions((target as { className: string }).className, args, known);
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined)) as Args;
}

/** A layer from its saved config. As in TensorFlow.js, options that are not among `known` are left out. */
function fromKnownOptions<T>(cls: new (args: never) => T, saved: ConfigDict, known: readonly string[]): T {
  const kept = [...known, 'name', 'trainable', 'dtype', 'batchInputShape', 'inputShape', 'batchSize', 'inputDType'];
  const config = Object.entries(savedOptions(saved)).filter(([name]) => kept.includes(name));
  return new cls(Object.fromEntries(config) as never);
}

/**
 * Registers a cell or recurrent layer with these options. A cell also gets the properties `className` and `config` of a saved config:
 * `tf.layers.bidirectional` makes two layers of one config, and the first `tf.layers.rnn` replaces the config of the cell in it by the
 * cell itself.
 */
export function registerRecurrent(
  cls: { readonly className: string; readonly prototype: layers.Layer },
  options: readonly string[],
  aliases?: readonly string[],
): void {
  const fromConfig = (cls: new (args: never) => layers.Layer, saved: ConfigDict) =>
    fromKnownOptions(cls, saved, options);
  Object.assign(cls, { fromConfig });
  if (!(cls.prototype instanceof RNN)) {
    Object.defineProperties(cls.prototype, { className: { get: ownClassName }, config: { get: ownConfig } });
  }
  registerLayer(cls as unknown as serialization.SerializableConstructor<layers.Layer>, aliases);
}
function ownClassName(this: layers.Layer): string {
  return this.getClassName();
}
function ownConfig(this: layers.Layer): ConfigDict {
  return this.getConfig();
}

/** Options of cells that normalize: those of TensorFlow Addons. */
export interface NormArgs {
  /** Where the gammas of the normalizations start. Default: ones. */
  normGammaInitializer?: Identifier<Initializer>;
  /** Where the betas of the normalizations start. Default: zeros. */
  normBetaInitializer?: Identifier<Initializer>;
  /** Added to the variances of the normalizations. Default: 1e-3. */
  normEpsilon?: number;
}
export const NORM_OPTIONS = ['normGammaInitializer', 'normBetaInitializer', 'normEpsilon'] as const;

/** The layer normalizations of a cell: their options and weights. */
export class CellNorms {
  readonly #cell: layers.RNNCell;
  readonly #addWeight: layers.Layer['addWeight'];
  readonly #epsilon: number;
  readonly #initializers: readonly [gamma: Initializer, beta: Initializer];

  /** `addWeight` is the method of the cell, which is protected. */
  constructor(cell: layers.RNNCell, addWeight: layers.Layer['addWeight'], args: NormArgs) {
    const { normGammaInitializer, normBetaInitializer, normEpsilon = 1e-3 } = args;
    const who = cell.getClassName();
    this.#cell = cell;
    this.#addWeight = addWeight;
    this.#epsilon = checkEpsilon(who, normEpsilon, 'normEpsilon');
    this.#initializers = [
      resolveIdentifier(who, 'normGammaInitializer', normGammaInitializer ?? 'ones'),
      resolveIdentifier(who, 'normBetaInitializer', normBetaInitializer ?? 'zeros'),
    ];
  }

  /**
   * Adds `name`/gamma and `name`/beta, [sum of sizes] each. Returns a function that splits its argument into parts of these sizes and
   * normalizes each part by itself.
   */
  add(name: string, ...sizes: number[]): (x: Tensor) => Tensor[] {
    const size = sizes.reduce((sum, one) => sum + one, 0);
    const [gamma, beta] = ['gamma', 'beta'].map((last, i) =>
      addCheckedWeight(this.#cell, this.#addWeight, `${name}/${last}`, [size], 'float32', this.#initializers[i]),
    ) as [LayerVariable, LayerVariable];
    const parts = (t: Tensor) => (sizes.length === 1 ? [t] : split(t, sizes, -1));
    return (x) => {
      const [gammas, betas] = [parts(gamma.read()), parts(beta.read())];
      return parts(x).map((part, i) => layerNorm(part, { gamma: gammas[i], beta: betas[i], epsilon: this.#epsilon }));
    };
  }

  /** The options as they are saved. */
  getConfig(): ConfigDict {
    const [gamma, beta] = this.#initializers;
    return {
      normGammaInitializer: configOf(gamma),
      normBetaInitializer: configOf(beta),
      normEpsilon: this.#epsilon,
    };
  }
}

/** The seed of dropout of each sequence, by the object of arguments that TensorFlow.js's recurrent layers pass to all of its steps. */
const seeds = new WeakMap<object, number>();

/**
 * x with dropout of the same values in all steps of a sequence. Each step draws them again from one seed, so that no tensor has to be
 * kept between steps. `index` is a different number for each use of dropout in a cell.
 */
export function dropped(x: Tensor, rate: number, kwargs: Kwargs, index: number): Tensor {
  // As in TensorFlow.js a rate of 1 drops nothing.
  if (!kwargs?.training || !(rate > 0 && rate < 1)) return x;
  const seed = seeds.get(kwargs) ?? 1 + Math.floor(Math.random() * 2 ** 30);
  seeds.set(kwargs, seed);
  return dropout(x, rate, undefined, seed + index);
}
