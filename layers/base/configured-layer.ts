/**
 * The base of all layers here: options are checked before TensorFlow.js reads them, `getConfig` saves them, and `fromConfig`
 * makes the layer again from what was saved, here or in Keras. What a layer computes is the subclass's part.
 */
import { serialization } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { placeholderWeight } from './freezing.ts';
import { configOf, type Initializer } from './identifiers.ts';
import { type ConfigDict, checkArgs, checkOptions, deepCopy, type LayerArgs, savedOptions } from './options.ts';
import { isRegistered } from './register.ts';

export abstract class ConfiguredLayer extends layers.Layer {
  readonly #options: readonly string[];
  readonly #placeholder = placeholderWeight();

  /** `options` are the names of those that `tf.layers.Layer` does not have. Each is a field of the same name. */
  protected constructor(args: LayerArgs, options: readonly string[]) {
    super(checkArgs(new.target, args));
    // A class derived from one of ours may have options that only it knows, as with TensorFlow.js's classes.
    if (isRegistered(new.target)) checkOptions(this.getClassName(), args, options);
    this.#options = options;
  }

  /**
   * Adds a weight that calls of the layer write, and no optimizer trains.
   *
   * @internal
   */
  addState(
    name: string,
    shape: readonly number[],
    initializer: Initializer = initializers.zeros(),
    dtype: 'float32' | 'int32' | 'bool' = 'float32',
  ): LayerVariable {
    return this.addWeight(name, [...shape], dtype, initializer, undefined, false);
  }

  /**
   * To be called at the end of `build` by layers that do something else when they are frozen: without a trainable weight they
   * would not hear of it, see `placeholderWeight`.
   */
  protected listenToFreezing(): void {
    if (this._trainableWeights.length === 0) this._trainableWeights.push(this.#placeholder);
  }

  /** The weights that training adjusts; none if the layer is frozen. */
  override get trainableWeights(): LayerVariable[] {
    return super.trainableWeights.filter((weight) => weight !== this.#placeholder);
  }

  /** The weights that are frozen, and those that are never trained. */
  override get nonTrainableWeights(): LayerVariable[] {
    return super.nonTrainableWeights.filter((weight) => weight !== this.#placeholder);
  }

  /** Whether no weight may change: `trainable` of the layer is false, or that of each of its trainable weights. */
  protected get frozen(): boolean {
    const weights = this._trainableWeights;
    return !this.trainable || (weights.length > 0 && weights.every((weight) => !weight.trainable));
  }

  /** All options that the constructor takes, each from the field of its name. */
  override getConfig(): ConfigDict {
    const own = this.#options.map((name) => [name, savedValue(this.optionOf(name))]);
    return { ...(Object.fromEntries(own) as ConfigDict), ...super.getConfig() };
  }

  /** The value of an option: a field of its name. */
  protected optionOf(name: string): unknown {
    return (this as unknown as Record<string, unknown>)[name];
  }

  /**
   * The constructor's options from a saved config, where these differ: Keras may have written it, with other keys.
   * `saved` is the config as it was in the file, where options may be null, and `who` the name of the class.
   */
  static fromSaved(config: ConfigDict, _saved: ConfigDict, _who: string): ConfigDict {
    return config;
  }

  /** Makes a layer from what `getConfig` gave, here or in Keras. TensorFlow.js calls it without `this`. */
  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    saved: ConfigDict,
  ): T {
    const { fromSaved } = cls as unknown as typeof ConfiguredLayer;
    return new cls(fromSaved(savedOptions(saved), saved, cls.className));
  }
}

/** An option as JSON: an initializer becomes its class and config, and a list a copy, which is the caller's to change. */
function savedValue(value: unknown): unknown {
  if (value instanceof serialization.Serializable) return configOf(value);
  return value === undefined ? null : deepCopy(value);
}
