import { add, matMul, mul, split, sub, type Tensor, tidy, unstack } from '@tensorflow/tfjs-core';
import type { GRUCellLayerArgs, LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { checkBoolean } from '../kernels/functions/checks.ts';
import type { ConfigDict, Kwargs, Shape } from './base/options.ts';
import { CELL_OPTIONS, checkedOptions, dropped, PlainGruCell, registerRecurrent } from './base/recurrent-cell.ts';
import { addAllOrNone } from './base/weights.ts';

/** Options of {@link GRUCell}: those of `tf.layers.gruCell`, and `resetAfter`. */
export interface GRUCellArgs extends Omit<GRUCellLayerArgs, 'resetAfter'> {
  /** Multiply by the reset gate after the recurrent kernel, as Keras and PyTorch do. Default: false, as in TensorFlow.js. */
  resetAfter?: boolean;
}

const OPTIONS = [...CELL_OPTIONS, 'resetAfter'];

/**
 * One step of a gated recurrent unit, also with the reset gate after the recurrent kernel, as Keras makes it by default.
 *
 *     z = s(W_z x + U_z h)   r = s(W_r x + U_r h)   y = z h + (1 - z) a(W_h x + r (U_h h))
 *
 * where each product has a bias of its own. That is `resetAfter: true`, also cuDNN's and PyTorch's form; without, the cell is that of
 * `tf.layers.gruCell`, with U_h (r h), one bias, and for s the function hardSigmoid where `recurrentActivation` is not given.
 *
 * Inputs: [x [batch, features], h [batch, units]]. Outputs: [y, y], the second being the next state. Weights: kernel [features,
 * 3 units], recurrent_kernel [units, 3 units], bias [2, 3 units] ([3 units] without `resetAfter`); the gates are z, r, h.
 *
 * @example
 * ```js
 * const cells = [gruCell({units: 4, resetAfter: true}), gruCell({units: 8, resetAfter: true})];
 * tf.layers.rnn({cell: cells}).apply(tf.ones([2, 5, 3])).shape; // [2, 8]
 * ```
 * @throws if an option is unknown or invalid
 * @see Cho, van Merrienboer, Gulcehre and others: Learning Phrase Representations using RNN Encoder-Decoder. 2014,
 *   https://arxiv.org/abs/1406.1078
 */
export class GRUCell extends PlainGruCell {
  /** In saved models, here, in TensorFlow.js and in Keras. */
  static readonly className = 'GRUCell';
  /** Whether the reset gate comes after the recurrent kernel. */
  readonly resetAfter: boolean;

  constructor(args: GRUCellArgs) {
    const options = checkedOptions(new.target, args, OPTIONS);
    // Keras's gates are the logistic function then; TensorFlow.js's default approximates it.
    const gates = options.resetAfter ? ({ recurrentActivation: 'sigmoid' } as const) : {};
    super({ ...gates, ...options, resetAfter: false });
    this.resetAfter = checkBoolean(this.getClassName(), 'resetAfter', args.resetAfter ?? false);
  }

  declare stateSize: number;

  override build(inputShape: Shape | Shape[]): void {
    addAllOrNone(this, () => super.build(inputShape));
  }

  /** The products of the input and of the state have biases of their own if `resetAfter`. */
  override addWeight(...[name, shape, ...others]: Parameters<layers.Layer['addWeight']>): LayerVariable {
    return super.addWeight(name, this.resetAfter && name === 'bias' ? [2, ...shape] : shape, ...others);
  }

  override call(inputs: Tensor[], kwargs: Kwargs): Tensor | Tensor[] {
    if (!this.resetAfter) return super.call(inputs, kwargs);
    return tidy(() => {
      const [input, state] = inputs as [Tensor, Tensor];
      const x = dropped(input, this.dropout, kwargs, 0);
      const h = dropped(state, this.recurrentDropout, kwargs, 1);
      const [ofInput, ofState] = this.bias ? unstack(this.bias.read()) : [];
      const [xz, xr, xh] = thirds(matMul(x, this.kernel.read()), ofInput);
      const [hz, hr, hh] = thirds(matMul(h, this.recurrentKernel.read()), ofState);
      const z = this.recurrentActivation.apply(add(xz, hz));
      const r = this.recurrentActivation.apply(add(xr, hr));
      const candidate = this.activation.apply(add(xh, mul(r, hh)));
      const y = add(mul(z, h), mul(sub(1, z), candidate));
      return [y, y];
    });
  }

  override getConfig(): ConfigDict {
    return { ...super.getConfig(), resetAfter: this.resetAfter };
  }
}

const thirds = (gates: Tensor, bias?: Tensor) =>
  split(bias ? add(gates, bias) : gates, 3, -1) as [Tensor, Tensor, Tensor];

/** Makes a {@link GRUCell}. */
export const gruCell = (args: GRUCellArgs) => new GRUCell(args);
registerRecurrent(GRUCell, OPTIONS);
