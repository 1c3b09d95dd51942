import { add, matMul, mul, split, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { LSTMCellLayerArgs } from '@tensorflow/tfjs-layers';
import { checkBoolean } from '../kernels/functions/checks.ts';
import type { ConfigDict, Kwargs, Shape } from './base/options.ts';
import {
  CELL_OPTIONS,
  CellNorms,
  checkedOptions,
  dropped,
  NORM_OPTIONS,
  type NormArgs,
  PlainLstmCell,
  registerRecurrent,
} from './base/recurrent-cell.ts';
import { addAllOrNone } from './base/weights.ts';

/** Options of {@link LayerNormLSTMCell}: those of `tf.layers.lstmCell`, with TensorFlow Addons' defaults, and of the normalizations. */
export interface LayerNormLSTMCellArgs extends LSTMCellLayerArgs, NormArgs {
  /** Whether the normalized c is the next state, as in TensorFlow Addons, or c itself, as in the paper. Default: true. */
  normalizedCarry?: boolean;
}

const OPTIONS = [...CELL_OPTIONS, 'unitForgetBias', ...NORM_OPTIONS, 'normalizedCarry'];
const DEFAULTS = { recurrentActivation: 'sigmoid', kernelInitializer: 'glorotUniform', unitForgetBias: true } as const;

/**
 * One step of a long short-term memory with layer normalization, for `tf.layers.rnn`.
 *
 *     [i, f, g, o] = LN(W x) + LN(U h) + b     c' = s(f) c + s(i) a(g)     y = s(o) a(LN(c'))
 *
 * Each LN has a gamma and a beta, and the first two span the four gates. The next states are y and, in the place of c, LN(c'), as in
 * TensorFlow Addons; in the paper, and with `normalizedCarry: false`, c' itself. With dropout the same values are dropped in all steps of
 * a sequence. The fused kernels of {@link layerNorm} run.
 *
 * Inputs: [x [batch, features], h [batch, units], c [batch, units]]. Outputs: [y, y, LN(c') or c'].
 * Weights: kernel [features, 4 units], recurrent_kernel [units, 4 units], bias [4 units], and gamma and beta of kernel_norm and
 * recurrent_norm [4 units], and of state_norm [units].
 *
 * @example
 * ```js
 * const layer = tf.layers.rnn({cell: layerNormLSTMCell({units: 4}), returnSequences: true});
 * layer.apply(tf.randomNormal([2, 5, 3])).shape; // [2, 5, 4]
 * const both = tf.layers.bidirectional({layer: tf.layers.rnn({cell: layerNormLSTMCell({units: 4})}), mergeMode: 'concat'});
 * both.apply(tf.randomNormal([2, 5, 3])).shape; // [2, 8]
 * ```
 * @throws if an option is unknown or invalid
 * @see Ba, Kiros, Hinton: Layer Normalization. 2016, https://arxiv.org/abs/1607.06450
 */
export class LayerNormLSTMCell extends PlainLstmCell {
  /** In saved models. */
  static readonly className = 'LayerNormLSTMCell';
  /** Whether the normalized c is the next state. */
  readonly normalizedCarry: boolean;
  declare stateSize: number[];
  readonly #norms: CellNorms;
  #ofInput!: (x: Tensor) => Tensor[];
  #ofState!: (x: Tensor) => Tensor[];
  #ofCarry!: (x: Tensor) => Tensor[];

  constructor(args: LayerNormLSTMCellArgs) {
    super({ ...DEFAULTS, ...checkedOptions(new.target, args, OPTIONS) });
    this.normalizedCarry = checkBoolean(this.getClassName(), 'normalizedCarry', args.normalizedCarry ?? true);
    this.#norms = new CellNorms(this, this.addWeight, args);
  }

  override build(inputShape: Shape | Shape[]): void {
    addAllOrNone(this, () => {
      // TensorFlow.js's initializer of the forget gate's bias leaves its parts behind.
      tidy(() => super.build(inputShape));
      this.#ofInput = this.#norms.add('kernel_norm', 4 * this.units);
      this.#ofState = this.#norms.add('recurrent_norm', 4 * this.units);
      this.#ofCarry = this.#norms.add('state_norm', this.units);
    });
  }

  override call(inputs: Tensor[], kwargs: Kwargs): Tensor[] {
    return tidy(() => {
      const [input, state, carry] = inputs as [Tensor, Tensor, Tensor];
      const x = dropped(input, this.dropout, kwargs, 0);
      const h = dropped(state, this.recurrentDropout, kwargs, 1);
      const [ofInput] = this.#ofInput(matMul(x, this.kernel.read())) as [Tensor];
      const [ofState] = this.#ofState(matMul(h, this.recurrentKernel.read())) as [Tensor];
      const gates = this.bias ? add(add(ofInput, ofState), this.bias.read()) : add(ofInput, ofState);
      const [i, f, g, o] = split(gates, 4, -1) as [Tensor, Tensor, Tensor, Tensor];
      const [gate, activation] = [this.recurrentActivation, this.activation];
      const c = add(mul(gate.apply(f), carry), mul(gate.apply(i), activation.apply(g)));
      const [normalized] = this.#ofCarry(c) as [Tensor];
      const y = mul(gate.apply(o), activation.apply(normalized));
      return [y, y, this.normalizedCarry ? normalized : c];
    });
  }

  override getConfig(): ConfigDict {
    return { ...super.getConfig(), ...this.#norms.getConfig(), normalizedCarry: this.normalizedCarry };
  }
}

/** Makes a {@link LayerNormLSTMCell}. */
export const layerNormLSTMCell = (args: LayerNormLSTMCellArgs) => new LayerNormLSTMCell(args);
registerRecurrent(LayerNormLSTMCell, OPTIONS, ['Addons>LayerNormLSTMCell']);
