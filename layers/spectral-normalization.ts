import { div, norm, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, type layers } from '@tensorflow/tfjs-layers';
import { fail } from '../kernels/core/errors.ts';
import { constant } from '../kernels/core/tape.ts';
import { checkBoolean, checkPositiveInteger } from '../kernels/functions/checks.ts';
import { spectralNorm } from '../kernels/functions/weights.ts';
import { type Kernel, sizeAlong } from './base/inner-layer.ts';
import { KernelWrapper, layerFirstArgs, type WrapperArgs } from './base/kernel-wrapper.ts';
import { type ConfigDict, withoutOptions } from './base/options.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link SpectralNormalization}. */
export interface SpectralNormalizationArgs extends WrapperArgs {
  /** Steps of power iteration in each training call. Default: 1. */
  powerIterations?: number;
  /**
   * true: the paper's and PyTorch's form, which keeps the kernel and differentiates sigma. false: Keras's form, which
   * overwrites the kernel in each training call. Default: true.
   */
  reparameterize?: boolean;
}

/** The singular vectors of one kernel; v is stored where the kernel is kept. */
interface Vectors {
  readonly axes: readonly number[];
  readonly u: LayerVariable;
  readonly v: LayerVariable | undefined;
}

/** Steps with which a new layer comes near its singular vectors, as in PyTorch. */
const FIRST_ITERATIONS = 15;
/** Steps for a kernel that was trained before: inference may use it without training, so that sigma has to be right at once. */
const GIVEN_ITERATIONS = 100;
/** The iteration may start from any direction; one seed makes runs repeatable. */
const ANY_DIRECTION = initializers.truncatedNormal({ stddev: 0.02, seed: 1 });

/**
 * Spectral normalization, a wrapper: the kernel of the wrapped layer, as a matrix W [rest, units], is divided by its largest
 * singular value, so that the layer can stretch no input by more than 1.
 *
 *     w = W / sigma     sigma = v W u^T
 *
 * Each training call takes `powerIterations` steps u = n(v W), v = n(u W^T), where n divides by the norm; inference uses the
 * vectors that are stored. u and v are constants to the gradient, sigma is differentiated. Where they start depends on the kernel
 * alone: 15 steps for a new one, 100 for one that was trained before. `wrapper.layer.setWeights` starts them anew;
 * `wrapper.setWeights`, `model.setWeights` and loading write what they are given.
 *
 * With `reparameterize: false` it is Keras's layer: training steps are v = n(u W^T), u = n(v W), the kernel itself becomes
 * W / sigma before the layer runs and its gradients are taken, and inference uses the kernel as it is. A kernel of zeros stays,
 * and so do its vectors. A frozen wrapper, layer or model means inference mode, also in a training call. The
 * saved config of Keras's form loads in Keras; a config without that key is Keras's.
 *
 * Advantages: bounds the Lipschitz constant; stabilizes the training of GANs; keeps gradients from exploding.
 * Disadvantages: adds computation; made for GANs and less general. Best for generative adversarial networks, above
 * all the discriminator.
 *
 * Wraps dense, conv1d, conv2d, conv3d, conv2dTranspose, depthwiseConv2d (units are pairs of input channel and multiplier),
 * separableConv2d, embedding, simpleRNN, gru, lstm and convLstm2d (kernel and recurrent kernel), and other layers with a weight
 * `kernel` whose last axis is the output's; Keras's form only layers with a weight `kernel` or `embeddings` and, also for
 * conv2dTranspose, takes the last axis for the units. {@link removeSpectralNormalization} takes the wrapper off.
 *
 * Input and output: those of the wrapped layer, and so are masks and states.
 * Weights: those of the layer, vector_u [1, units] and, if `reparameterize`, vector_v [1, rest] (for kernels of other names
 * recurrent_vector_u, depthwise_vector_u, pointwise_vector_u, and so on). Those of a layer that other models use, too, are shared
 * with them.
 *
 * @example
 * ```js
 * const critic = tf.sequential({layers: [
 *   spectralNormalization({layer: tf.layers.conv2d({filters: 8, kernelSize: 3}), inputShape: [28, 28, 1]}),
 *   tf.layers.leakyReLU(),
 *   tf.layers.flatten(),
 *   spectralNormalization({layer: tf.layers.dense({units: 1})}),
 * ]});
 * critic.predict(tf.ones([2, 28, 28, 1])).shape; // [2, 1]
 * const {kernel} = critic.layers[3].effectiveKernels();
 * tf.norm(kernel); // 1
 * ```
 * @throws if an option is unknown or invalid, or the layer is a wrapper, model or cell, or conv3dTranspose (which has no
 *   gradient); when built, if it has no kernel, or has none of the kernels of Keras's form when that is asked for
 * @see Miyato, Kataoka, Koyama, Yoshida: Spectral Normalization for Generative Adversarial Networks. 2018,
 *   https://arxiv.org/abs/1802.05957
 */
export class SpectralNormalization extends KernelWrapper {
  /** In saved models, here and in Keras. */
  static readonly className: string = 'SpectralNormalization';
  /** Steps of power iteration in each training call. */
  readonly powerIterations: number;
  /** Whether the kernel is kept and sigma differentiated; false: Keras's form. */
  readonly reparameterize: boolean;
  #vectors: readonly Vectors[] = [];

  constructor(given: SpectralNormalizationArgs | layers.Layer, options?: Omit<SpectralNormalizationArgs, 'layer'>) {
    const args = layerFirstArgs(new.target, given, options);
    super(args, ['powerIterations', 'reparameterize']);
    const who = this.getClassName();
    this.powerIterations = checkPositiveInteger(who, 'powerIterations', args.powerIterations ?? 1, 1);
    this.reparameterize = checkBoolean(who, 'reparameterize', args.reparameterize ?? true);
  }

  /** The name of u among the weights. */
  protected get vectorName(): string {
    return 'vector_u';
  }

  protected override buildState(): void {
    const { kernels, layer, reparameterize } = this;
    const isKeras = kernels.length === 1 && kernels[0]?.prefix === '' && kernels[0].owner === (layer as object);
    if (!reparameterize && !isKeras) {
      fail(
        this.getClassName(),
        `${layer.getClassName()} has no weight kernel or embeddings of its own, which reparameterize: false, ` +
          "Keras's form, asks for; use reparameterize: true",
      );
    }
    const add = (name: string, size: number) => this.addState(name, [1, size], ANY_DIRECTION);
    this.#vectors = kernels.map(({ prefix, variable, ...kernel }) => {
      const axes = reparameterize ? kernel.axes : [variable.shape.length - 1];
      const units = sizeAlong(variable, axes);
      const u = add(`${prefix}${this.vectorName}`, units);
      if (!reparameterize) return { axes, u, v: undefined };
      return { axes, u, v: add(`${prefix}vector_v`, variable.read().size / units) };
    });
  }

  /** Brings u and v near the singular vectors of the kernel. For a new kernel in Keras's form that is left to training. */
  protected override startState(isTrained: boolean): void {
    if (!(isTrained || this.reparameterize)) return;
    const powerIterations = isTrained ? GIVEN_ITERATIONS : FIRST_ITERATIONS;
    tidy(() => {
      for (const [i, { variable }] of this.kernels.entries()) {
        const { axes, u, v } = this.#vectors[i] as Vectors;
        // Of length 1, since a kernel of zeros leaves the vectors as they are, and sigma asks for unit vectors.
        const unit = ({ shape }: LayerVariable) => {
          const vector = ANY_DIRECTION.apply(shape as number[]);
          return div(vector, norm(vector));
        };
        const options = { u: unit(u), v: v && unit(v), axis: axes, powerIterations };
        const next = spectralNorm(variable.read(), options);
        u.write(next.u);
        v?.write(next.v);
      }
    });
  }

  protected override normalizeKernel({ variable }: Kernel, index: number, training: boolean): Tensor {
    const { axes, u, v } = this.#vectors[index] as Vectors;
    const steps = training && variable.trainable ? this.powerIterations : 0;
    if (!v) {
      if (steps > 0) this.#overwrite(variable, u, axes);
      return variable.read();
    }
    const options = { u: u.read(), v: v.read(), axis: axes, powerIterations: steps };
    const { kernel, ...next } = spectralNorm(variable.read(), options);
    if (steps > 0) {
      u.write(next.u);
      v.write(next.v);
    }
    return kernel;
  }

  /** Keras's form: the kernel becomes its quotient by sigma, off the tape. */
  #overwrite(variable: LayerVariable, u: LayerVariable, axis: readonly number[]): void {
    const normalized = constant(() => {
      const options = { u: u.read(), axis, powerIterations: this.powerIterations };
      const next = spectralNorm(variable.read(), options);
      u.write(next.u);
      return next.kernel;
    });
    variable.write(normalized);
  }

  /** Keras's form leaves `reparameterize` out, which Keras does not know. */
  override getConfig(): ConfigDict {
    return this.reparameterize ? super.getConfig() : withoutOptions(super.getConfig(), ['reparameterize']);
  }

  /** A config without `reparameterize` is Keras's. */
  static override fromSaved(config: ConfigDict, saved: ConfigDict, who: string): ConfigDict {
    return { reparameterize: false, ...KernelWrapper.fromSaved(config, saved, who) };
  }
}

/** Makes a {@link SpectralNormalization}. */
export const spectralNormalization = (
  args: SpectralNormalizationArgs | layers.Layer,
  options?: Omit<SpectralNormalizationArgs, 'layer'>,
) => new SpectralNormalization(args, options);
registerLayer(SpectralNormalization);
