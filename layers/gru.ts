import { type GRULayerArgs, layers, type RNN } from '@tensorflow/tfjs-layers';
import { CELL_OPTIONS, checkedOptions, registerRecurrent } from './base/recurrent-cell.ts';
import { GRUCell, type GRUCellArgs } from './gru-cell.ts';

export * from './gru-cell.ts';

/** Options of {@link GRU}: those of `tf.layers.gru`, and `resetAfter`. */
export interface GRUArgs extends Omit<GRULayerArgs, 'resetAfter' | 'cell'> {
  /** Multiply by the reset gate after the recurrent kernel, as Keras and PyTorch do. Default: false, as in TensorFlow.js. */
  resetAfter?: boolean;
}

const OF_SEQUENCES = ['returnSequences', 'returnState', 'goBackwards', 'stateful', 'unroll', 'inputDim', 'inputLength'];
const OPTIONS = [...CELL_OPTIONS, 'resetAfter', ...OF_SEQUENCES];

// TensorFlow.js exports the function that makes this layer, not the class.
const PlainGru = layers.gru({ units: 1, name: 'gru' }).constructor as unknown as new (args: GRULayerArgs) => RNN;

/**
 * A gated recurrent unit over a sequence, also with the reset gate after the recurrent kernel, as Keras makes it by default.
 *
 *     z = s(W_z x + U_z h)   r = s(W_r x + U_r h)   y = z h + (1 - z) a(W_h x + r (U_h h))
 *
 * That is `resetAfter: true`, see {@link GRUCell}. Without, it is the layer of `tf.layers.gru`, whose place it takes in saved models:
 * TensorFlow.js refuses `resetAfter`. Options, masks, states, `tf.layers.bidirectional` and `stateful` are TensorFlow.js's.
 *
 * Input: [batch, steps, features]. Output: [batch, units], or [batch, steps, units] with `returnSequences`, and with `returnState` the
 * state [batch, units]. Weights: kernel [features, 3 units], recurrent_kernel [units, 3 units], bias [2, 3 units] ([3 units]
 * without `resetAfter`).
 *
 * @example
 * ```js
 * const layer = gru({units: 4, resetAfter: true, returnSequences: true});
 * layer.apply(tf.ones([2, 5, 3])).shape; // [2, 5, 4]
 * layer.getWeights().map(({shape}) => shape); // [[3, 12], [4, 12], [2, 12]]
 * ```
 * @throws if an option is unknown or invalid
 * @see Cho, van Merrienboer, Gulcehre and others: Learning Phrase Representations using RNN Encoder-Decoder. 2014,
 *   https://arxiv.org/abs/1406.1078
 */
export class GRU extends PlainGru {
  /** In saved models, here, in TensorFlow.js and in Keras. */
  static readonly className: string = 'GRU';

  constructor(args: GRUArgs) {
    const checked = checkedOptions(new.target, args, OPTIONS);
    super({ ...checked, resetAfter: false } as GRULayerArgs);
    const options = Object.entries(checked).filter(([name]) => !OF_SEQUENCES.includes(name));
    Object.assign(this, { cell: new GRUCell(Object.fromEntries(options) as unknown as GRUCellArgs) });
  }
}

/** Makes a {@link GRU}. */
export const gru = (args: GRUArgs) => new GRU(args);
registerRecurrent(GRU, OPTIONS);
