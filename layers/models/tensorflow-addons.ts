/**
 * Layers of TensorFlow Addons, so that its models load, go on training and save as they were. They differ from ours in names of weights
 * and, in WeightNormalization, in when and how g starts. New models should use ours.
 */
import { add, expandDims, mul, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, type layers } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../kernels/core/errors.ts';
import { checkBoolean, checkSize } from '../../kernels/functions/checks.ts';
import { unitNorms, weightNorm } from '../../kernels/functions/weights.ts';
import { atLeast } from '../../kernels/ops/pointwise.ts';
import { biasOf, InitializedFlag, initializeByBatch, kernelNorms } from '../base/data-initialization.ts';
import {
  assignIdentifiers,
  type Constraint,
  type Identifier,
  type Initializer,
  identifierOptions,
  identifiersOf,
  type Regularizer,
} from '../base/identifiers.ts';
import { type Kernel, sizeAlong } from '../base/inner-layer.ts';
import { KernelWrapper, layerFirstArgs, type WrapperArgs } from '../base/kernel-wrapper.ts';
import {
  type ConfigDict,
  checkArgs,
  type Kwargs,
  type LayerArgs,
  type Shape,
  withoutOptions,
} from '../base/options.ts';
import { registerLayer } from '../base/register.ts';
import { SingleInputLayer } from '../base/single-input-layer.ts';
import { addAllOrNone, addCheckedWeight } from '../base/weights.ts';
import { FilterResponseNormalization, type FilterResponseNormalizationArgs } from '../filter-response-normalization.ts';
import { SpectralNormalization, type SpectralNormalizationArgs } from '../spectral-normalization.ts';

/** A default name that TensorFlow.js made of the class name, without its '>', which names of weights must not have. */
const withoutAngle = (name: string): string => name.replaceAll('>', '');

/** Options of {@link AddonsSpectralNormalization}. */
export type AddonsSpectralNormalizationArgs = Omit<SpectralNormalizationArgs, 'reparameterize'>;

/**
 * Spectral normalization of TensorFlow Addons: {@link SpectralNormalization} with `reparameterize: false`, whose vector u is
 * called sn_u. It is here so that models of Addons load, go on training and save as they were; for new ones take the other.
 *
 *     kernel = kernel / sigma     sigma = v kernel u^T
 *
 * Input and output: those of the wrapped layer. Weights: those of the layer, and sn_u [1, units].
 *
 * @example
 * ```js
 * const layer = new AddonsSpectralNormalization({layer: tf.layers.dense({units: 3})});
 * layer.apply(tf.ones([2, 4])).shape; // [2, 3]
 * layer.getConfig().powerIterations; // 1
 * ```
 * @throws as {@link SpectralNormalization}
 * @see Miyato, Kataoka, Koyama, Yoshida: Spectral Normalization for Generative Adversarial Networks. 2018,
 *   https://arxiv.org/abs/1802.05957
 */
export class AddonsSpectralNormalization extends SpectralNormalization {
  /** In saved models, here and in TensorFlow Addons. */
  static override readonly className: string = 'Addons>SpectralNormalization';

  constructor(
    given: AddonsSpectralNormalizationArgs | layers.Layer,
    options?: Omit<AddonsSpectralNormalizationArgs, 'layer'>,
  ) {
    const args = layerFirstArgs(new.target, given, options);
    super({ ...checkArgs(new.target, args), reparameterize: false });
    if (!args.name) this.name = withoutAngle(this.name);
  }

  protected override get vectorName(): string {
    return 'sn_u';
  }
}

/** Options of {@link AddonsWeightNormalization}. */
export interface AddonsWeightNormalizationArgs extends WrapperArgs {
  /** Whether the first call sets g and the bias by its inputs, or g alone by the kernel. Default: true. */
  dataInit?: boolean;
}

/**
 * Weight normalization of TensorFlow Addons, so that its models load, go on training and save as they were; for new ones take
 * {@link WeightNormalization}.
 *
 *     w = g v / ||v||
 *
 * with the norm over all axes of the kernel but the last.
 *
 * The first call of all, training or not, sets g to ||v||; with `dataInit`, to g / sqrt(variance(t) + 1e-10), and the bias to
 * -mean(t) / sqrt(variance(t) + 1e-10), where t are the outputs before the activation of a copy of the layer with v itself
 * for a kernel (the paper's v / ||v|| is in {@link WeightNormalization}). Units whose t is the same for all of the batch get
 * ||v|| and keep the bias; if all are such, the next call is tried. Frozen, it waits.
 *
 * Input and output: those of the wrapped layer. Weights: g [units], kernel (v), bias, initialized [] (bool), and with `dataInit`
 * the copy: data_dep_init/kernel and data_dep_init/bias.
 *
 * @example
 * ```js
 * const layer = new AddonsWeightNormalization({layer: tf.layers.dense({units: 3}), dataInit: false});
 * layer.apply(tf.ones([2, 4])).shape; // [2, 3]
 * layer.getWeights().map(({shape}) => shape); // [[3], [4, 3], [3], []]
 * ```
 * @throws if an option is unknown or invalid; when built, if the layer has other kernels than one weight `kernel`
 * @see Salimans, Kingma: Weight Normalization. 2016, https://arxiv.org/abs/1602.07868
 */
export class AddonsWeightNormalization extends KernelWrapper {
  /** In saved models, here and in TensorFlow Addons. */
  static readonly className = 'Addons>WeightNormalization';
  /** Whether the first call sets g and the bias by its inputs. */
  readonly dataInit: boolean;
  #g!: LayerVariable;
  #initialized!: InitializedFlag;
  #copies: readonly LayerVariable[] = [];

  constructor(
    given: AddonsWeightNormalizationArgs | layers.Layer,
    options?: Omit<AddonsWeightNormalizationArgs, 'layer'>,
  ) {
    const args = layerFirstArgs(new.target, given, options);
    super(args, ['dataInit']);
    if (!args.name) this.name = withoutAngle(this.name);
    this.dataInit = checkBoolean(this.getClassName(), 'dataInit', args.dataInit ?? true);
  }

  protected override buildState(): void {
    const { kernels, layer } = this;
    const [kernel] = kernels;
    if (!(kernel && kernels.length === 1 && kernel.owner === (layer as object) && kernel.key === 'kernel')) {
      fail(
        this.getClassName(),
        `of the layer '${this.name}': ${layer.getClassName()} has other kernels than one weight 'kernel'; ` +
          'only such layers are supported, use WeightNormalization for others',
      );
    }
    const { variable } = kernel;
    this.#g = this.addWeight('g', [sizeAlong(variable, lastAxis(variable))], 'float32', initializers.ones());
    this.#initialized = new InitializedFlag(this.addState('initialized', [], initializers.zeros(), 'bool'));
    if (!this.dataInit) return;
    this.#copies = this.#originals.map(({ shape }, i) =>
      this.addState(`data_dep_init/${i === 0 ? 'kernel' : 'bias'}`, shape as number[]),
    );
  }

  /** Without `dataInit` g starts as the norm of the kernel; with it, in the first call. */
  protected override startState(): void {
    const { variable } = this.kernels[0] as Kernel;
    tidy(() => {
      const norms = kernelNorms(this, variable, lastAxis(variable));
      if (!this.dataInit || this.#initialized.isSet) this.#g.write(norms);
      for (const [i, copy] of this.#copies.entries()) copy.write((this.#originals[i] as LayerVariable).read());
    });
  }

  /** The weights of the layer that `#copies` are copies of: the kernel and, if there is one, the bias. */
  get #originals(): LayerVariable[] {
    const { variable } = this.kernels[0] as Kernel;
    const bias = biasOf(this.layer);
    return bias ? [variable, bias] : [variable];
  }

  protected override normalizeKernel({ variable }: Kernel): Tensor {
    return weightNorm(variable.read(), { g: this.#g.read(), axis: lastAxis(variable) });
  }

  /** The wrapped layer's outputs, with the normalized kernel. */
  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor | Tensor[] {
    if (!this.frozen && !this.#initialized.isSet) tidy(() => this.#initialize(inputs, kwargs));
    return super.call(inputs, kwargs);
  }

  /** Sets g and the bias, as the first call does: by the outputs of the copy of kernel and bias. */
  #initialize(inputs: Tensor | Tensor[], kwargs: Kwargs): void {
    const kernel = this.kernels[0] as Kernel;
    const g = this.#g;
    const norms = unitNorms(kernel.variable.read(), lastAxis(kernel.variable));
    if (this.dataInit) {
      const [copiedKernel, bias] = this.#copies.map((copy) => copy.read()) as [Tensor, Tensor | undefined];
      const call = { wrapper: this, kernel, values: { kernel: copiedKernel, bias }, inputs, kwargs };
      if (!initializeByBatch(call, g, (measured) => mul(g.read(), measured), norms)) return;
    } else {
      g.write(norms);
    }
    this.#initialized.set();
  }
}

/** Options of {@link AddonsFilterResponseNormalization}. */
export interface AddonsFilterResponseNormalizationArgs
  extends Omit<FilterResponseNormalizationArgs, 'axis' | 'center' | 'scale' | 'threshold' | 'tauInitializer'> {
  /** The axes of the positions. Default: [1, 2], the only ones that there are. */
  axis?: number[];
}

/**
 * Filter response normalization of TensorFlow Addons, so that its models load, go on training and save as they were; for new ones take
 * {@link FilterResponseNormalization}. The threshold is in a layer of its own, {@link AddonsTLU}.
 *
 *     y = gamma x / sqrt(mean(x^2) + epsilon) + beta
 *
 * Input and output: [batch, height, width, channels]. Weights: with `learnedEpsilon` learned_epsilon [1]; gamma, beta [1, 1, 1, channels].
 *
 * @example
 * ```js
 * const layer = new AddonsFilterResponseNormalization();
 * layer.apply(tf.ones([2, 4, 4, 3])).shape; // [2, 4, 4, 3]
 * layer.getConfig().axis; // [1, 2]
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 4 axes
 * @see Singh, Krishnan: Filter Response Normalization Layer. 2019, https://arxiv.org/abs/1911.09737
 */
export class AddonsFilterResponseNormalization extends FilterResponseNormalization {
  /** In saved models, here and in TensorFlow Addons. */
  static override readonly className: string = 'Addons>FilterResponseNormalization';

  constructor(args: AddonsFilterResponseNormalizationArgs = {}) {
    const { axis = [1, 2], ...options } = checkArgs(new.target, args);
    super({ ...options, threshold: false });
    const who = this.getClassName();
    if (!(Array.isArray(axis) && axis.length === 2 && axis[0] === 1 && axis[1] === 2))
      fail(who, `axis must be [1, 2], those of the positions; received ${show(axis)}; leave it out`);
    const own = ['center', 'scale', 'threshold', 'tauInitializer'].find((name) => name in options);
    if (own)
      fail(who, `unknown option '${own}', which TensorFlow Addons does not have; use FilterResponseNormalization`);
    if (!args.name) this.name = withoutAngle(this.name);
  }

  protected override parameterShape(sizes: readonly number[]): number[] {
    return [1, 1, 1, ...sizes];
  }

  protected override buildState(sizes: number[], rank: number): void {
    if (rank !== 4) fail(this.getClassName(), `the input must have 4 axes; received ${rank}; reshape it`);
    super.buildState(sizes, rank);
    // TensorFlow Addons makes learned_epsilon before the others.
    if (this.learnedEpsilon) this._trainableWeights.unshift(this._trainableWeights.pop() as LayerVariable);
  }

  /** Without what TensorFlow Addons does not have. */
  override getConfig(): ConfigDict {
    return { ...withoutOptions(super.getConfig(), ['center', 'scale', 'threshold', 'tauInitializer']), axis: [1, 2] };
  }
}

/** Options of {@link AddonsTLU}. */
export interface AddonsTLUArgs extends LayerArgs {
  /** Compare with alpha x + tau, and not with tau. Default: false. */
  affine?: boolean;
  /** Where tau starts. Default: zeros. */
  tauInitializer?: Identifier<Initializer>;
  /** Adds a penalty on tau to the loss. Default: none. */
  tauRegularizer?: Identifier<Regularizer>;
  /** Projects tau after every step of training. Default: none. */
  tauConstraint?: Identifier<Constraint>;
  /** Where alpha starts. Default: zeros. */
  alphaInitializer?: Identifier<Initializer>;
  /** Adds a penalty on alpha to the loss. Default: none. */
  alphaRegularizer?: Identifier<Regularizer>;
  /** Projects alpha after every step of training. Default: none. */
  alphaConstraint?: Identifier<Constraint>;
}

/**
 * The thresholded linear unit of TensorFlow Addons, so that its models load, go on training and save as they were. For new ones take
 * {@link FilterResponseNormalization}, which has a threshold for each channel.
 *
 *     y = max(x, tau)
 *
 * With `affine` y = max(x, alpha x + tau).
 *
 * Input and output: any shape of rank 2 to 6, of known sizes but that of the batch. Weights: tau, and with `affine` alpha, of the shape of
 * one example.
 *
 * @example
 * ```js
 * new AddonsTLU({tauInitializer: 'ones'}).apply(tf.tensor([[-3, 3]])); // [[1, 3]]
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes or is not numeric, or a size is not known
 * @see Singh, Krishnan: Filter Response Normalization Layer. 2019, https://arxiv.org/abs/1911.09737
 */
export class AddonsTLU extends SingleInputLayer {
  /** In saved models, here and in TensorFlow Addons. */
  static readonly className: string = 'Addons>TLU';
  /** Whether x is compared with alpha x + tau. */
  readonly affine: boolean;
  #tau!: LayerVariable;
  #alpha: LayerVariable | undefined = undefined;

  constructor(args: AddonsTLUArgs = {}) {
    super(args, ['affine', ...TLU_WEIGHTS.flatMap(identifierOptions)], {});
    if (!args.name) this.name = withoutAngle(this.name);
    this.affine = checkBoolean(this.getClassName(), 'affine', args.affine ?? false);
    assignIdentifiers(this, args, TLU_WEIGHTS.flatMap(identifierOptions), {
      tauInitializer: 'zeros',
      alphaInitializer: 'zeros',
    });
  }

  override build(inputShape: Shape | Shape[]): void {
    const [shape] = this.sizesToBuild(inputShape);
    const sizes = shape.slice(1).map((_, i) => checkSize(this.getClassName(), shape, i + 1));
    const add = (name: string) => {
      const [initializer, regularizer, constraint] = identifiersOf(this, name);
      return addCheckedWeight(this, this.addWeight, name, sizes, 'float32', initializer, regularizer, true, constraint);
    };
    addAllOrNone(this, () => {
      this.#tau = add('tau');
      if (this.affine) this.#alpha = add('alpha');
    });
    this.built = true;
  }

  protected override transform(x: Tensor): Tensor {
    const tau = expandDims(this.#tau.read(), 0);
    return atLeast(x, this.#alpha ? add(mul(x, this.#alpha.read()), tau) : tau);
  }

  override getConfig(): ConfigDict {
    return withoutOptions(super.getConfig(), ['axis', ...(this.affine ? [] : identifierOptions('alpha'))]);
  }
}
const TLU_WEIGHTS = ['tau', 'alpha'];

const lastAxis = ({ shape }: LayerVariable): number[] => [shape.length - 1];

registerLayer(AddonsSpectralNormalization);
registerLayer(AddonsWeightNormalization);
registerLayer(AddonsFilterResponseNormalization);
registerLayer(AddonsTLU);
