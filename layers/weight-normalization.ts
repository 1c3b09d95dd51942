import { type Tensor, tidy, zerosLike } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, type layers } from '@tensorflow/tfjs-layers';
import { fail } from '../kernels/core/errors.ts';
import { checkBoolean } from '../kernels/functions/checks.ts';
import { weightNorm } from '../kernels/functions/weights.ts';
import { biasOf, InitializedFlag, initializeByBatch, kernelNorms } from './base/data-initialization.ts';
import { type Kernel, sizeAlong } from './base/inner-layer.ts';
import { KernelWrapper, layerFirstArgs, type WrapperArgs } from './base/kernel-wrapper.ts';
import type { Kwargs } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import { isTraining } from './base/training.ts';

/** Options of {@link WeightNormalization}. */
export interface WeightNormalizationArgs extends WrapperArgs {
  /**
   * Let the first training batch choose g and the bias, so that the layer's first outputs have mean 0 and variance 1.
   * Default: false.
   */
  dataInit?: boolean;
}

/**
 * Weight normalization, a wrapper: the kernel of the wrapped layer becomes a length g times a direction, for each output unit.
 *
 *     w = g v / ||v||
 *
 * with the norm over all axes but that of the output units. v is the layer's own kernel weight, and g starts as ||v||, so that
 * wrapping changes nothing at first, also of a layer that was trained before. `wrapper.layer.setWeights` sets g anew;
 * `wrapper.setWeights`, `model.setWeights` and loading write what they are given. With `dataInit`, the first training batch x sets
 * g and the bias instead: with t = v x / ||v||,
 *
 *     g = 1 / sqrt(variance(t) + 1e-10)     bias = -mean(t) g
 *
 * Units whose t is the same for all of the batch, as of a batch of one, keep g and the bias, and a warning says so; if none is left,
 * the next training batch is tried. A unit whose v is zero has no direction and never moves: a warning says that, too.
 * A frozen wrapper, layer or model keeps all weights.
 *
 * Advantages: makes optimization simpler; trains faster; hardly depends on the batch size. Disadvantages: does its
 * best only in combination with other methods. Best for reinforcement learning, generative models.
 *
 * Wraps dense, conv1d, conv2d, conv3d, conv2dTranspose, depthwiseConv2d (a unit is a pair of input channel and multiplier),
 * separableConv2d and embedding (a unit is a column), simpleRNN, gru, lstm and convLstm2d (kernel and recurrent kernel), and
 * other layers with a weight `kernel` whose last axis is the output's. {@link removeWeightNormalization} takes the wrapper off.
 *
 * Input and output: those of the wrapped layer, and so are masks and states.
 * Weights: g [units] (for kernels of other names recurrent_g, depthwise_g, pointwise_g), those of the layer, and with
 * `dataInit` initialized [], 0 until g and the bias are set. Those of a layer that other models use, too, are shared with them.
 *
 * @example
 * ```js
 * const model = tf.sequential({layers: [
 *   weightNormalization({layer: tf.layers.dense({units: 8, activation: 'relu'}), inputShape: [4]}),
 *   weightNormalization({layer: tf.layers.dense({units: 1})}),
 * ]});
 * model.predict(tf.ones([2, 4])).shape; // [2, 1]
 * model.layers[0].getWeights().map(({shape}) => shape); // [[8], [4, 8], [8]]
 * ```
 * @throws if an option is unknown or invalid, or the layer is a wrapper, model or cell, or conv3dTranspose (which has no
 *   gradient); when built, if it has no kernel, or `dataInit` meets several kernels
 * @see Salimans, Kingma: Weight Normalization. 2016, https://arxiv.org/abs/1602.07868
 */
export class WeightNormalization extends KernelWrapper {
  /** In saved models. */
  static readonly className = 'WeightNormalization';
  /** Whether the first training batch chooses g and the bias. */
  readonly dataInit: boolean;
  #lengths: readonly LayerVariable[] = [];
  #initialized: InitializedFlag | undefined = undefined;

  constructor(given: WeightNormalizationArgs | layers.Layer, options?: Omit<WeightNormalizationArgs, 'layer'>) {
    const args = layerFirstArgs(new.target, given, options);
    super(args, ['dataInit']);
    this.dataInit = checkBoolean(this.getClassName(), 'dataInit', args.dataInit ?? false);
  }

  protected override buildState(): void {
    const { kernels, layer } = this;
    if (this.dataInit && !(kernels.length === 1 && kernels[0]?.owner === (layer as object))) {
      fail(
        this.getClassName(),
        `dataInit is for layers with one kernel, which ${layer.getClassName()} is not; leave it out`,
      );
    }
    this.#lengths = kernels.map(({ prefix, variable, axes }) =>
      this.addWeight(`${prefix}g`, [sizeAlong(variable, axes)], 'float32', initializers.zeros()),
    );
    if (this.dataInit) {
      this.#initialized = new InitializedFlag(this.addState('initialized', []));
    }
  }

  /** g starts as the norm of the kernel. */
  protected override startState(): void {
    tidy(() => {
      for (const [i, { variable, axes }] of this.kernels.entries()) {
        this.#lengths[i]?.write(kernelNorms(this, variable, axes));
      }
    });
  }

  protected override normalizeKernel({ variable, axes }: Kernel, index: number): Tensor {
    return weightNorm(variable.read(), { g: this.#lengths[index]?.read(), axis: axes });
  }

  /** The wrapped layer's outputs, with the normalized kernel. */
  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor | Tensor[] {
    const training = this.#initialized && isTraining(this, kwargs) && !this.frozen && this.#lengths[0]?.trainable;
    if (training && !this.#initialized?.isSet) tidy(() => this.#initialize(inputs, kwargs));
    return super.call(inputs, kwargs);
  }

  /** Sets g and the bias by the outputs of v / ||v|| without a bias. */
  #initialize(inputs: Tensor | Tensor[], kwargs: Kwargs): void {
    const [kernel, g] = [this.kernels[0] as Kernel, this.#lengths[0] as LayerVariable];
    const bias = biasOf(this.layer);
    const direction = weightNorm(kernel.variable.read(), { axis: kernel.axes });
    const values = { kernel: direction, bias: bias && zerosLike(bias.read()) };
    const call = { wrapper: this, kernel, values, inputs, kwargs };
    if (initializeByBatch(call, g, (measured) => measured, g.read())) this.#initialized?.set();
  }
}

/** Makes a {@link WeightNormalization}. */
export const weightNormalization = (
  args: WeightNormalizationArgs | layers.Layer,
  options?: Omit<WeightNormalizationArgs, 'layer'>,
) => new WeightNormalization(args, options);
registerLayer(WeightNormalization);
