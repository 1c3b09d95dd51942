/**
 * What our recurrent cells share: TensorFlow.js's cells, which they are derived from and which it does not export, and dropout.
 */
import { dropout, type Tensor } from '@tensorflow/tfjs-core';
import { type GRUCellLayerArgs, type LayerVariable, type LSTMCellLayerArgs, layers } from '@tensorflow/tfjs-layers';
import type { Kwargs } from './options.ts';
import { type ConfigDict, checkArgs, checkOptions, savedOptions } from './options.ts';
import { isRegistered } from './register.ts';

/** A `tf.layers` activation. */
interface Activation {
  apply(x: Tensor): Tensor;
}

/** TensorFlow.js's cells of LSTM and GRU, with the members that it declares private. */
export interface GatedCell extends layers.RNNCell {
  readonly units: number;
  readonly activation: Activation;
  readonly recurrentActivation: Activation;
  readonly useBias: boolean;
  readonly dropout: number;
  readonly recurrentDropout: number;
  readonly kernel: LayerVariable;
  readonly recurrentKernel: LayerVariable;
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

/** The options of a cell or a recurrent layer, if it knows all of them; a class derived from one of ours may have others. */
export function checkedOptions<Args extends object>(target: unknown, args: Args, known: readonly string[]): Args {
  checkArgs(target, args);
  if (isRegistered(target)) checkOptions((target as { className: string }).className, args, known);
  return args;
}

/** A layer from its saved config; options that are not among `known` are left out, as TensorFlow.js leaves them. */
export function fromKnownOptions<T>(cls: new (args: never) => T, saved: ConfigDict, known: readonly string[]): T {
  const kept = [...known, 'name', 'trainable', 'dtype', 'batchInputShape', 'inputShape', 'batchSize', 'inputDType'];
  const config = Object.entries(savedOptions(saved)).filter(([name]) => kept.includes(name));
  return new cls(Object.fromEntries(config) as never);
}

/** Seeds of dropout by sequence: TensorFlow.js's recurrent layers give all steps of a sequence one object of arguments. */
const seeds = new WeakMap<object, number>();

/**
 * x with some values dropped, the same ones in all steps of a sequence. They are drawn anew from one seed in each step, so that no
 * tensor has to be kept between steps. `index` tells the uses of one sequence apart.
 */
export function dropped(x: Tensor, rate: number, kwargs: Kwargs, index: number): Tensor {
  if (!kwargs?.training || !(rate > 0)) return x;
  const seed = seeds.get(kwargs) ?? 1 + Math.floor(Math.random() * 2 ** 30);
  seeds.set(kwargs, seed);
  return dropout(x, Math.min(rate, 1), undefined, seed + index);
}
