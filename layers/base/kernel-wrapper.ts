/**
 * The base of wrappers such as WeightNormalization and SpectralNormalization. A wrapper owns a layer, gives it normalized kernels for
 * the time of each call, and passes on everything else that TensorFlow.js asks of a layer. A subclass normalizes the kernels.
 */
import { dispose, scalar, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../kernels/core/errors.ts';
import { ConfiguredLayer } from './configured-layer.ts';
import { freezeWith } from './freezing.ts';
import {
  checkWrappable,
  configOfLayer,
  countUser,
  isBuilt,
  type Kernel,
  kernelsOf,
  lastPartOfName,
  nameGivenBy,
  readingAs,
  resolveLayer,
  underName,
  type WrappedLayer,
  weightsByRole,
  withReplaced,
} from './inner-layer.ts';
import { type ConfigDict, checkArgs, type Kwargs, type LayerArgs, type Shape } from './options.ts';
import { isTraining } from './training.ts';
import { addAllOrNone, checkUnbuilt, keepConstrained } from './weights.ts';

/** Options of every wrapper, beside those of `tf.layers.Layer`. */
export interface WrapperArgs extends LayerArgs {
  /** The layer whose kernel is normalized. Required. Weights that it has already are kept. */
  layer: WrappedLayer;
}

type Layer = layers.Layer;

/** The options of a wrapper, which may also be given as (layer, options), as in Keras and PyTorch. */
export function layerFirstArgs<Args extends WrapperArgs>(
  target: unknown,
  given: Args | Layer,
  options: Omit<Args, 'layer'> | undefined,
): Args {
  if (given instanceof layers.Layer) return { ...checkArgs(target, options ?? {}), layer: given } as Args;
  if (options === undefined) return given;
  const { className } = target as { className: string };
  return fail(
    className,
    `the options are one object, such as {layer, name: 'norm'}; received ${show(options)} beside it`,
  );
}

export abstract class KernelWrapper extends ConfiguredLayer {
  /** The wrapped layer. */
  readonly layer: Layer;
  protected kernels: readonly Kernel[] = [];
  #initializing = true;
  /** The layer's weights that are not trained, under the names that they have here. */
  #layerState: readonly LayerVariable[] = [];
  /** Whether other models use the wrapped layer, too. */
  #shared = false;
  #isDisposed = false;

  protected constructor(args: WrapperArgs, own: readonly string[]) {
    super(args, ['layer', ...own]);
    const who = this.getClassName();
    const layer = resolveLayer(who, args.layer);
    checkWrappable(who, layer);
    this.layer = layer;
    if (!this.batchInputShape && layer.batchInputShape) {
      this.batchInputShape = layer.batchInputShape;
      this.dtype = layer.dtype;
    }
  }

  /** Adds the wrapper's own weights, for `kernels`. */
  protected abstract buildState(): void;

  /** Sets the wrapper's own weights to match the kernels. `isTrained`: the kernels are not new from an initializer. */
  protected abstract startState(isTrained: boolean): void;

  /** The kernel that a call uses; `index` is that in `kernels`. */
  protected abstract normalizeKernel(kernel: Kernel, index: number, training: boolean): Tensor;

  override build(inputShape: Shape | Shape[]): void {
    checkUnbuilt(this);
    const { layer } = this;
    const isTrained = isBuilt(layer);
    addAllOrNone(layer, () => {
      if (!isTrained) this.#buildLayer(inputShape);
      layer.built = true;
      for (const weight of layer.weights) keepConstrained(weight);
      addAllOrNone(this, () => {
        this.kernels = kernelsOf(this.getClassName(), layer);
        this.buildState();
        if (this.#initializing) this.startState(isTrained);
      });
    });
    this.#takeWeights();
    this.#shared = countUser(layer);
    const { setWeights } = layer;
    // setWeights of the layer itself starts the wrapper's own weights anew; setWeights of the wrapper sets all of them.
    layer.setWeights = (weights) => {
      setWeights.call(layer, weights);
      if (!this.#isDisposed) this.startState(true);
    };
    this.built = true;
  }

  #buildLayer(inputShape: Shape | Shape[]): void {
    const { layer } = this;
    try {
      layer.build(inputShape);
    } catch (error) {
      const why = `the layer '${layer.name}' could not be built: ${(error as Error).message}`;
      fail(this.getClassName(), `${why}; change its options`);
    }
    if (layer.initialWeights) layer.setWeights(layer.initialWeights);
  }

  /** Lists the layer's weights after the wrapper's own, named as if the wrapper had made them: saved models have these names. */
  #takeWeights(): void {
    const { layer } = this;
    const scope = currentScope();
    const asOwn = (weight: LayerVariable) => {
      const name = scope + nameGivenBy(layer, weight);
      return weight.originalName === name ? weight : underName(weight, name);
    };
    const { trainable, state } = weightsByRole(layer);
    for (const weight of [...this._trainableWeights, ...trainable]) freezeWith(weight, this, layer);
    this._trainableWeights.push(...trainable.map(asOwn));
    this.#layerState = state.map(asOwn);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor | Tensor[] {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const training = isTraining(this, kwargs) && !this.frozen;
      const replaced = this.kernels.map((kernel, i) => {
        const value = this.normalizeKernel(kernel, i, training);
        return [kernel.owner, kernel.key, readingAs(kernel.variable, value)] as const;
      });
      return withReplaced(replaced, () => this.layer.call(inputs, kwargs ?? {}));
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
        lastPartOfName(kernel.variable),
        this.normalizeKernel(kernel, i, false).clone(),
      ]);
      return Object.fromEntries(entries) as Record<string, Tensor>;
    });
  }

  /** A recurrent layer takes initial states in `apply`: its own method does so for the wrapper. */
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
    // The layer decides: an embedding, for example, takes every shape without a warning.
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

  /** Whether no weight may change: the wrapper, the layer or a model that holds the wrapper is frozen. */
  protected override get frozen(): boolean {
    const isTrainable = this.trainable && this.layer.trainable;
    return !isTrainable || this._trainableWeights.every((weight) => !weight.trainable);
  }

  /** The wrapper's own weights, then the wrapped layer's; none if one of the two is frozen. */
  override get trainableWeights(): LayerVariable[] {
    return this.layer.trainable ? super.trainableWeights : [];
  }

  /** The weights that are frozen, and those that are never trained, in an order that freezing does not change. */
  override get nonTrainableWeights(): LayerVariable[] {
    const trained = this.trainableWeights;
    const frozen = this._trainableWeights.filter((weight) => !trained.includes(weight));
    const own = super.nonTrainableWeights.filter((weight) => !this._trainableWeights.includes(weight));
    return [...frozen, ...(this.built ? this.#layerState : this.layer.weights), ...own];
  }

  /** Keeps the weights of a layer that other models use. */
  protected override disposeWeights(): number {
    this.#isDisposed = true;
    if (!this.#shared) return super.disposeWeights();
    const { trainable, state } = weightsByRole(this.layer);
    const variables = new Set([...trainable, ...state].map((weight) => weight.read()));
    const own = this.weights.filter((weight) => !variables.has(weight.read()));
    for (const weight of own) weight.dispose();
    return own.length + this.layer.dispose().numDisposedVariables;
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

  /** All options that the constructor takes, the wrapped layer's config among them. */
  override getConfig(): ConfigDict {
    return { ...super.getConfig(), layer: configOfLayer(this.layer) };
  }

  /**
   * `bidirectional` gives its two layers one config, which has to stay as it is, and asks for the other direction by a key
   * `goBackwards` of the wrapper.
   */
  static override fromSaved(config: ConfigDict, saved: ConfigDict, who: string): ConfigDict {
    const { goBackwards, layer, ...options } = config;
    let inner = layer as { config?: ConfigDict } | undefined;
    if (goBackwards) inner = { ...inner, config: { ...inner?.config, goBackwards: !inner?.config?.goBackwards } };
    const customObjects = saved.customObjects as ConfigDict | undefined;
    const resolved: unknown = resolveLayer(who, inner, customObjects);
    return { ...options, layer: resolved } as ConfigDict;
  }
}

/** The prefix that TensorFlow.js gives to names of weights that are made now, such as `model/wrapper/`. */
function currentScope(): string {
  const name = 'scope';
  const value = scalar(0);
  const variable = new LayerVariable(value, 'float32', name);
  dispose(value);
  variable.dispose();
  return variable.originalName.slice(0, -name.length);
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
      // TensorFlow.js's constructor sets these properties when the wrapped layer is not there yet.
      if (this.layer) this.layer[name] = value;
    },
  });
}
