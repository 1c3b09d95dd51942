/**
 * What our recurrent cells share: TensorFlow.js's cells, which they are derived from and which it does not export, layer normalization
 * of their products, and dropout.
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
export interface GatedCell extends layers.RNNCell {
  /** The number of values of the state. */
  readonly units: number;
  /** Of the new value. */
  readonly activation: Activation;
  /** Of the gates. */
  readonly recurrentActivation: Activation;
  /** Whether a bias is added. */
  readonly useBias: boolean;
  /** The share of values of the input that are dropped. */
  readonly dropout: number;
  /** The share of values of the state that are dropped. */
  readonly recurrentDropout: number;
  /** By which the input is multiplied. */
  readonly kernel: LayerVariable;
  /** By which the state is multiplied. */
  readonly recurrentKernel: LayerVariable;
  /** What is added. */
  readonly bias: LayerVariable | null;
}

type ClassOf<Args, Instance> = new (args: Args) => Instance;

// Classes that are exported only as the functions that make them. With a name, no number is taken from the names of layers.
const unit = { units: 1, name: 'cell' };
export const PlainGruCell = layers.gruCell(unit).constructor as unknown as ClassOf<GRUCellLayerArgs, GatedCell>;
export const PlainLstmCell = layers.lstmCell(unit).constructor as unknown as ClassOf<LSTMCellLayerArgs, GatedCell>;

/** The options of TensorFlow.js's cells of GRU; those of LSTM have one more. */
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
 * The options of a cell or a recurrent layer that are given, if it knows all of them; a class derived from one of ours may have others.
 */
export function checkedOptions<Args extends object>(target: unknown, args: Args, known: readonly string[]): Args {
  checkArgs(target, args);
  if (isRegistered(target)) checkOptions((target as { className: string }).className, args, known);
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined)) as Args;
}

/** A layer from its saved config; options that are not among `known` are left out, as TensorFlow.js leaves them. */
function fromKnownOptions<T>(cls: new (args: never) => T, saved: ConfigDict, known: readonly string[]): T {
  const kept = [...known, 'name', 'trainable', 'dtype', 'batchInputShape', 'inputShape', 'batchSize', 'inputDType'];
  const config = Object.entries(savedOptions(saved)).filter(([name]) => kept.includes(name));
  return new cls(Object.fromEntries(config) as never);
}

/**
 * Registers a cell or recurrent layer that knows these options. Cells look like their saved configs, because `tf.layers.bidirectional`
 * makes two layers of one config, and the first of a `tf.layers.rnn` puts the cell itself there in place of the cell's config.
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

  /** `addWeight` is the cell's, which is not public. */
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

  /** Adds `name`/gamma and `name`/beta, [size] each. What is returned normalizes each of `sizes`, which are parts of `size`, by itself. */
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

/** Seeds of dropout by sequence: TensorFlow.js's recurrent layers give all steps of a sequence one object of arguments. */
const seeds = new WeakMap<object, number>();

/**
 * x with some values dropped, the same ones in all steps of a sequence. They are drawn anew from one seed in each step, so that no
 * tensor has to be kept between steps. `index` tells the uses of one sequence apart.
 */
export function dropped(x: Tensor, rate: number, kwargs: Kwargs, index: number): Tensor {
  // As in TensorFlow.js a rate of 1 drops nothing.
  if (!kwargs?.training || !(rate > 0 && rate < 1)) return x;
  const seed = seeds.get(kwargs) ?? 1 + Math.floor(Math.random() * 2 ** 30);
  seeds.set(kwargs, seed);
  return dropout(x, rate, undefined, seed + index);
}
