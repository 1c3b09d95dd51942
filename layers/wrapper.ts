/**
 * What the wrappers WeightNormalization and SpectralNormalization share: they own a layer, hand it normalized kernels for the
 * length of each call, and otherwise pass on everything that TensorFlow.js asks of a layer. Which kernel is handed over is
 * the subclass's part; nothing here normalizes.
 */
import { type serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { type LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { fail } from '../kernels/checks.ts';
import { keepConstrained } from './checked-weight.ts';
import { isTraining } from './graph-training.ts';
import { checkArgs, checkOptions, type Kwargs, type LayerArgs, type Shape, savedOptions } from './options.ts';
import {
  checkWrappable,
  described,
  type Kernel,
  kernelsOf,
  lending,
  nameOf,
  reading,
  resolveLayer,
  type WrappedLayer,
} from './wrapped.ts';

/** Options of every wrapper, beside those of `tf.layers.Layer`. */
export interface WrapperArgs extends LayerArgs {
  /** The layer whose kernel is normalized; not built yet. */
  layer: WrappedLayer;
}

type Layer = layers.Layer;

export abstract class KernelWrapper extends layers.Layer {
  /** The wrapped layer. */
  readonly layer: Layer;
  protected kernels: readonly Kernel[] = [];
  #initializing = true;

  protected constructor(args: WrapperArgs, own: readonly string[]) {
    super(checkArgs(new.target, args));
    const who = this.getClassName();
    checkOptions(who, args, ['layer', ...own]);
    const layer = resolveLayer(who, args.layer);
    checkWrappable(who, layer);
    this.layer = layer;
    if (!this.batchInputShape && layer.batchInputShape) {
      this.batchInputShape = layer.batchInputShape;
      this.dtype = layer.dtype;
    }
  }

  /** Adds the wrapper's own weights, for `kernels`, and if `initialize` gives them values that go with these. */
  protected abstract buildState(initialize: boolean): void;

  /** The kernel that a call uses; `index` is that in `kernels`. */
  protected abstract normalizeKernel(kernel: Kernel, index: number, training: boolean): Tensor;

  override build(inputShape: Shape | Shape[]): void {
    const who = this.getClassName();
    const { layer } = this;
    if (layer.built) {
      // Its weights have names of their own, under which a saved model would not find them.
      fail(who, `the layer '${layer.name}' is built already; wrap a new one, and give it the weights with setWeights`);
    }
    try {
      layer.build(inputShape);
    } catch (error) {
      fail(who, `the layer '${layer.name}' could not be built: ${(error as Error).message}; change its options`);
    }
    layer.built = true;
    if (layer.initialWeights) layer.setWeights(layer.initialWeights);
    for (const weight of layer.weights) keepConstrained(weight);
    this.kernels = kernelsOf(who, layer);
    this.buildState(this.#initializing);
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor | Tensor[] {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const training = isTraining(this, kwargs) && this.trainable;
      const loans = this.kernels.map((kernel, i) => {
        const value = this.normalizeKernel(kernel, i, training);
        return [kernel.owner, kernel.key, reading(kernel.variable, value)] as const;
      });
      return lending(loans, () => this.layer.call(inputs, kwargs ?? {}));
    });
  }

  /**
   * The kernels that the wrapped layer uses in inference, by the names of its weights, such as `kernel`; the caller disposes
   * of them.
   *
   * @throws if the layer is not built
   */
  effectiveKernels(): Record<string, Tensor> {
    if (!this.built) fail(this.getClassName(), 'the layer is not built, so it has no kernels yet; call it first');
    return tidy(() => {
      const entries = this.kernels.map((kernel, i) => [
        nameOf(kernel.variable),
        this.normalizeKernel(kernel, i, false).clone(),
      ]);
      return Object.fromEntries(entries) as Record<string, Tensor>;
    });
  }

  /** A recurrent layer takes initial states in `apply`, which rewrites the input specification: its own does it for us. */
  override apply(...args: Parameters<Layer['apply']>): ReturnType<Layer['apply']> {
    return 'cell' in this.layer ? this.layer.apply.call(this, ...args) : super.apply(...args);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return this.layer.computeOutputShape(inputShape);
  }

  override computeMask(inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor | Tensor[] {
    return this.layer.computeMask(inputs, mask);
  }

  protected override warnOnIncompatibleInputShape(inputShape: Shape): void {
    // An embedding takes every shape without a warning: the layer's own answer, for the wrapper's shape.
    const { warnOnIncompatibleInputShape: warn } = this.layer as unknown as { warnOnIncompatibleInputShape: Warn };
    warn.call(this, inputShape);
  }

  /** Whether training changes the weights; a frozen wrapper is in inference mode. */
  override get trainable(): boolean {
    return super.trainable;
  }

  /** Freezes or thaws the wrapped layer, too. */
  override set trainable(trainable: boolean) {
    super.trainable = trainable;
    this.layer.trainable = trainable;
  }

  /** The wrapper's own, then the wrapped layer's; none when frozen. */
  override get trainableWeights(): LayerVariable[] {
    return [...super.trainableWeights, ...(this.trainable ? this.layer.trainableWeights : [])];
  }

  /** Trainable weights that are frozen, the layer's, and what is never trained: the order is the same, frozen or not. */
  override get nonTrainableWeights(): LayerVariable[] {
    const { trainable, layer } = this;
    const frozen = this._trainableWeights.filter((weight) => !trainable || !weight.trainable);
    const state = super.nonTrainableWeights.filter((weight) => !this._trainableWeights.includes(weight));
    return [...frozen, ...(trainable ? layer.nonTrainableWeights : layer.weights), ...state];
  }

  /** The penalties of the wrapped layer's regularizers. */
  override get losses(): Layer['losses'] {
    return this.layer.losses;
  }

  /** Whether the wrapped layer keeps its states from batch to batch. */
  override get stateful(): boolean {
    return this.layer?.stateful ?? false;
  }

  override resetStates(...states: Parameters<Layer['resetStates']>): void {
    this.layer.resetStates(...states);
  }

  override setFastWeightInitDuringBuild(value: boolean): void {
    super.setFastWeightInitDuringBuild(value);
    this.layer.setFastWeightInitDuringBuild(value);
    this.#initializing = !value;
  }

  override getConfig(): serialization.ConfigDict {
    return { layer: described(this.layer), ...super.getConfig() };
  }

  /** Rewrites a saved config, which Keras may have written, to options of the constructor. */
  static fromSaved(config: serialization.ConfigDict): serialization.ConfigDict {
    return config;
  }

  /**
   * Makes a wrapper from what `getConfig` gave, here or in Keras. `bidirectional` gives its two layers one config, which has
   * to stay as it is, and asks for the other direction by a key `goBackwards` of the wrapper.
   */
  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    saved: serialization.ConfigDict,
  ): T {
    const { goBackwards, layer, ...config } = savedOptions(saved);
    let inner = layer as { config?: serialization.ConfigDict } | undefined;
    if (goBackwards) inner = { ...inner, config: { ...inner?.config, goBackwards: !inner?.config?.goBackwards } };
    const options = (cls as unknown as typeof KernelWrapper).fromSaved(config);
    const customObjects = saved.customObjects as serialization.ConfigDict | undefined;
    return new cls({ ...options, layer: resolveLayer(cls.className, inner, customObjects) });
  }
}

type Warn = (inputShape: Shape) => void;

/**
 * Properties that are the wrapped layer's. TensorFlow.js reads and writes them on the layer it sees: the input
 * specification, the mask of embeddings, and what `bidirectional` and initial states ask of a recurrent layer.
 */
const PASSED_ON = [
  'inputSpec',
  'supportsMasking',
  'maskZero',
  'activityRegularizer',
  'returnSequences',
  'returnState',
  'states',
  'stateSpec',
  'numConstants',
];
for (const name of PASSED_ON) {
  Object.defineProperty(KernelWrapper.prototype, name, {
    get(this: { layer?: Record<string, unknown> }) {
      return this.layer?.[name];
    },
    set(this: { layer?: Record<string, unknown> }, value: unknown) {
      // The constructor of Layer writes before there is a wrapped layer.
      if (this.layer) this.layer[name] = value;
    },
  });
}
