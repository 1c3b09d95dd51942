import { add, concat, matMul, mul, split, sub, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { GRUCellLayerArgs } from '@tensorflow/tfjs-layers';
import type { ConfigDict, Kwargs, Shape } from './base/options.ts';
import {
  CELL_OPTIONS,
  CellNorms,
  checkedOptions,
  dropped,
  NORM_OPTIONS,
  type NormArgs,
  PlainGruCell,
  registerRecurrent,
} from './base/recurrent-cell.ts';
import { addAllOrNone } from './base/weights.ts';

/** Options of {@link LayerNormGRUCell}: those of `tf.layers.gruCell`, with Keras's defaults, and of the normalizations. */
export interface LayerNormGRUCellArgs extends Omit<GRUCellLayerArgs, 'resetAfter'>, NormArgs {}

const OPTIONS = [...CELL_OPTIONS, ...NORM_OPTIONS];
const DEFAULTS = { recurrentActivation: 'sigmoid', kernelInitializer: 'glorotUniform' } as const;

/**
 * One step of a gated recurrent unit with layer normalization, for `tf.layers.rnn`.
 *
 *     [z, r] = LN(W x) + LN(U h)     n = a(LN(W' x) + s(r) LN(U' h))     y = (1 - s(z)) h + s(z) n
 *
 * Each LN has a gamma and a beta; the first two span both gates. All is as in the paper, where z is the share of the new value, not of the
 * old one as in Keras's GRU. A bias is added to LN(W x) and LN(W' x), unless `useBias` is false. With dropout the same values are dropped in
 * all steps of a sequence. The fused kernels of {@link layerNorm} run.
 *
 * Inputs: [x [batch, features], h [batch, units]]. Outputs: [y, y].
 * Weights: kernel [features, 3 units], recurrent_kernel [units, 3 units], bias [3 units], and gamma and beta of kernel_norm and
 * recurrent_norm [3 units]; each in the order z, r, n.
 *
 * @example
 * ```js
 * const layer = tf.layers.rnn({cell: layerNormGRUCell({units: 4}), returnSequences: true});
 * layer.apply(tf.randomNormal([2, 5, 3])).shape; // [2, 5, 4]
 * ```
 * @throws if an option is unknown or invalid
 * @see Ba, Kiros, Hinton: Layer Normalization. 2016, https://arxiv.org/abs/1607.06450
 */
export class LayerNormGRUCell extends PlainGruCell {
  /** In saved models. */
  static readonly className = 'LayerNormGRUCell';
  declare stateSize: number;
  readonly #norms: CellNorms;
  #ofInput!: (x: Tensor) => Tensor[];
  #ofState!: (x: Tensor) => Tensor[];

  constructor(args: LayerNormGRUCellArgs) {
    super({ ...DEFAULTS, ...checkedOptions(new.target, args, OPTIONS) });
    this.#norms = new CellNorms(this, this.addWeight, args);
  }

  override build(inputShape: Shape | Shape[]): void {
    addAllOrNone(this, () => {
      super.build(inputShape);
      this.#ofInput = this.#norms.add('kernel_norm', 2 * this.units, this.units);
      this.#ofState = this.#norms.add('recurrent_norm', 2 * this.units, this.units);
    });
  }

  override call(inputs: Tensor[], kwargs: Kwargs): Tensor[] {
    return tidy(() => {
      const [input, state] = inputs as [Tensor, Tensor];
      const x = dropped(input, this.dropout, kwargs, 0);
      const h = dropped(state, this.recurrentDropout, kwargs, 1);
      const ofInput = concat(this.#ofInput(matMul(x, this.kernel.read())), -1);
      const [gates, ofState] = this.#ofState(matMul(h, this.recurrentKernel.read())) as [Tensor, Tensor];
      const [xz, xr, xn] = split(this.bias ? add(ofInput, this.bias.read()) : ofInput, 3, -1) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const [hz, hr] = split(gates, 2, -1) as [Tensor, Tensor];
      const z = this.recurrentActivation.apply(add(xz, hz));
      const r = this.recurrentActivation.apply(add(xr, hr));
      const n = this.activation.apply(add(xn, mul(r, ofState)));
      const y = add(mul(sub(1, z), h), mul(z, n));
      return [y, y];
    });
  }

  /** Without `resetAfter`, which is an option of the other cell. */
  override getConfig(): ConfigDict {
    const { resetAfter: _, ...config } = super.getConfig();
    return { ...config, ...this.#norms.getConfig() };
  }
}

/** Makes a {@link LayerNormGRUCell}. */
export const layerNormGRUCell = (args: LayerNormGRUCellArgs) => new LayerNormGRUCell(args);
registerRecurrent(LayerNormGRUCell, OPTIONS);
