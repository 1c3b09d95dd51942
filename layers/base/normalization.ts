/**
 * What all normalization layers share: checked options, gamma and beta with initializer, regularizer and constraint,
 * configs that are equal before and after `build`, and the frame of `call`. A layer adds its own options, its weights and
 * one call of a function of `kernels/`; no layer does arithmetic on activations.
 */
import { type serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { InputSpec, type LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import {
  type BatchAxis,
  checkAxes,
  checkAxisList,
  checkAxisOption,
  checkBoolean,
  checkEpsilon,
  checkMomentum,
  checkOneInput,
  checkRank,
  checkSize,
} from '../../kernels/functions/checks.ts';
import { average } from '../../kernels/ops/average.ts';
import { listener } from './freezing.ts';
import {
  type Constraint,
  describe,
  type Identifier,
  type Initializer,
  type Regularizer,
  resolve,
} from './identifiers.ts';
import { checkArgs, checkOptions, type Kwargs, type LayerArgs, type Shape, savedOptions } from './options.ts';
import { isRegistered } from './register.ts';
import { isTraining } from './training.ts';
import { checkedWeight, checkUnbuilt } from './weights.ts';

/** Options of every layer that has beta, beside those of `tf.layers.Layer`. */
export interface BetaArgs extends LayerArgs {
  /** The axis of the channels. Default: -1. */
  axis?: number;
  /** Add beta. Default: true. */
  center?: boolean;
  /** Where beta starts. Default: zeros. */
  betaInitializer?: Identifier<Initializer>;
  /** Adds a penalty on beta to the loss. Default: none. */
  betaRegularizer?: Identifier<Regularizer>;
  /** Projects beta after every step of training, before it is used, read or saved. Default: none. */
  betaConstraint?: Identifier<Constraint>;
}

/** Options of every layer that has gamma and beta. */
export interface AffineArgs extends BetaArgs {
  /** Keeps the divisor from 0. The default is the class's. */
  epsilon?: number;
  /** Multiply by gamma. Default: true. */
  scale?: boolean;
  /** Where gamma starts. Default: ones. */
  gammaInitializer?: Identifier<Initializer>;
  /** Adds a penalty on gamma to the loss. Default: none. */
  gammaRegularizer?: Identifier<Regularizer>;
  /** Projects gamma after every step of training, before it is used, read or saved. Default: none. */
  gammaConstraint?: Identifier<Constraint>;
}

/** One of the parameters gamma and beta. */
interface Parameter {
  readonly initializer: Initializer;
  readonly regularizer: Regularizer | undefined;
  readonly constraint: Constraint | undefined;
}

/** The names of a parameter's options end so. */
const ASPECTS = ['Initializer', 'Regularizer', 'Constraint'] as const;

/** What distinguishes the options of one class. */
export interface Traits {
  /** Names of the options that only this class has. */
  readonly options?: readonly string[];
  /** The defaults of epsilon and momentum; absent where the class has none. */
  readonly epsilon?: number;
  readonly momentum?: number;
  /** Whether the class has gamma. Default: true. */
  readonly gamma?: boolean;
  /** Whether `axis` may be a list. Default: false. */
  readonly axes?: boolean;
  /** Whether `axis` may be the batch, if its size is fixed, as in TensorFlow.js and Keras. Default: 'without batch'. */
  readonly batch?: BatchAxis;
}

export abstract class Normalization<Axis extends number | number[] = number> extends layers.Layer {
  /** The axis of the channels; for some layers a list. */
  readonly axis: Axis;
  /** Keeps the divisor from 0. */
  readonly epsilon: number;
  /** The share of the old value in the moving averages; 1 where there are none. */
  readonly momentum: number;
  /** Whether beta is added. */
  readonly center: boolean;
  /** Whether gamma multiplies. */
  readonly scale: boolean;
  protected beta: LayerVariable | undefined = undefined;
  protected gamma: LayerVariable | undefined = undefined;
  /** Hears of a model that is frozen, where no weight would. */
  readonly #listener = listener();
  readonly #parameters: { readonly gamma?: Parameter; readonly beta: Parameter };
  readonly #batch: BatchAxis;
  readonly #numbers: readonly ('epsilon' | 'momentum')[];

  protected constructor(
    args: Omit<AffineArgs, 'axis'> & { axis?: number | number[]; momentum?: number },
    traits: Traits,
  ) {
    super(checkArgs(new.target, args));
    const who = this.getClassName();
    const { options: own = [], gamma: hasGamma = true, axes = false, batch = 'without batch' } = traits;
    const names = hasGamma ? ['gamma', 'beta'] : ['beta'];
    this.#numbers = (['epsilon', 'momentum'] as const).filter((name) => name in traits);
    const known = ['axis', 'center', ...this.#numbers, ...own];
    if (hasGamma) known.push('scale');
    for (const name of names) known.push(...ASPECTS.map((aspect) => name + aspect));
    // A class made from one of ours may have options that only it knows, as with TensorFlow.js's.
    if (isRegistered(new.target)) checkOptions(who, args, known);

    this.supportsMasking = true;
    const axis = args.axis ?? -1;
    this.axis = (axes ? checkAxisList(who, axis, batch) : checkAxisOption(who, only(axis), batch)) as Axis;
    this.#batch = batch;
    this.epsilon = checkEpsilon(who, args.epsilon ?? traits.epsilon ?? 1);
    this.momentum = this.checkMomentum('momentum', args.momentum ?? traits.momentum ?? 1);
    this.center = checkBoolean(who, 'center', args.center ?? true);
    this.scale = hasGamma && checkBoolean(who, 'scale', args.scale ?? true);
    const options = args as Record<string, Identifier<Initializer & Regularizer & Constraint> | null | undefined>;
    const parameter = (name: string, initial: string): Parameter => {
      const [initializer, regularizer, constraint] = ASPECTS.map((aspect) => {
        const identifier = options[name + aspect] ?? (aspect === 'Initializer' ? initial : undefined);
        return identifier === undefined ? undefined : resolve(who, name + aspect, identifier);
      });
      return { initializer: initializer as Initializer, regularizer, constraint } as Parameter;
    };
    const beta = parameter('beta', 'zeros');
    this.#parameters = hasGamma ? { beta, gamma: parameter('gamma', 'ones') } : { beta };
    // Code written for TensorFlow.js's layers may read them by its names, such as gammaInitializer.
    this.#eachAspect((name, aspect) => Object.assign(this, { [name]: aspect }));
  }

  #eachAspect(visit: (name: string, aspect: Parameter[keyof Parameter]) => void): void {
    for (const [name, parameter] of Object.entries(this.#parameters)) {
      for (const aspect of ASPECTS) visit(name + aspect, parameter[aspect.toLowerCase() as keyof Parameter]);
    }
  }

  /** Checks a share of old values. */
  protected checkMomentum(_name: string, momentum: unknown): number {
    return checkMomentum(this.getClassName(), momentum);
  }

  /** Adds weights beside gamma and beta. */
  protected buildState(_sizes: number[], _rank: number): void {
    // Most classes have none.
  }

  /** The layer's one call into `kernels/`; gamma and beta are absent where `scale` and `center` say so. */
  protected abstract normalize(
    x: Tensor,
    gamma: Tensor | undefined,
    beta: Tensor | undefined,
    context: Context,
  ): Tensor;

  /** Checks the sizes of the parameter axes, where a class has rules of its own. */
  protected checkSizes(_sizes: readonly number[]): void {
    // Most classes have none.
  }

  /** The shape of gamma and beta, from the sizes of the parameter axes. */
  protected parameterShape(sizes: readonly number[]): number[] {
    return [...sizes];
  }

  /** The name of gamma among the weights. */
  protected get gammaName(): string {
    return 'gamma';
  }

  override build(inputShape: Shape | Shape[]): void {
    checkUnbuilt(this);
    const who = this.getClassName();
    const [shape, axes] = this.#checked(inputShape);
    const sizes = axes.map((axis) => checkSize(who, shape, axis));
    this.checkSizes(sizes);
    this.inputSpec = [
      new InputSpec({
        ndim: shape.length,
        axes: Object.fromEntries(axes.map((axis, i) => [axis, sizes[i] as number])),
      }),
    ];
    const add = (name: string, { initializer, regularizer, constraint }: Parameter) =>
      this.addWeight(name, this.parameterShape(sizes), 'float32', initializer, regularizer, true, constraint);
    const { gamma, beta } = this.#parameters;
    try {
      if (this.scale && gamma) this.gamma = add(this.gammaName, gamma);
      if (this.center) this.beta = add('beta', beta);
      this.buildState(sizes, shape.length);
    } catch (error) {
      // An initializer, say, failed: no weight stays, and the layer is as it was before.
      for (const weight of this.weights) weight.dispose();
      Object.assign(this, { _trainableWeights: [], _nonTrainableWeights: [], _addedWeightNames: [], _losses: [] });
      throw error;
    }
    if (this._trainableWeights.length === 0) this._trainableWeights.push(this.#listener);
    this.built = true;
  }

  /** Those that training adjusts; none when frozen. */
  override get trainableWeights(): LayerVariable[] {
    return super.trainableWeights.filter((weight) => weight !== this.#listener);
  }

  /** Those that are frozen, and statistics. */
  override get nonTrainableWeights(): LayerVariable[] {
    return super.nonTrainableWeights.filter((weight) => weight !== this.#listener);
  }

  /** The shape, and the axes of the parameters in it, in the order of `axis`. */
  #checked(inputShape: Shape | Shape[]): [shape: Shape, axes: number[]] {
    const who = this.getClassName();
    const shape = oneShape(who, inputShape);
    checkRank(who, shape.length);
    return [shape, checkAxes(who, this.axis, shape.length, this.#batch)];
  }

  /** That of the input; fails where a layer could not be built, or has been built for another. */
  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    const [shape, axes] = this.#checked(inputShape);
    const sizes = axes.map((axis) => shape[axis] ?? undefined);
    const built = this.inputSpec?.[0]?.axes ?? {};
    for (const [i, axis] of axes.entries()) {
      const [size, expected = size] = [sizes[i], built[axis]];
      if (size === undefined || size === expected) continue;
      fail(
        this.getClassName(),
        `'${this.name}' is built for ${expected} at axis ${axis}; received [${shape}]; make another layer`,
      );
    }
    if (!sizes.includes(undefined)) this.checkSizes(sizes as number[]);
    return inputShape;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const x = checkOneInput(this.getClassName(), inputs);
      const training = isTraining(this, kwargs) && !this.frozen;
      return this.normalize(x, this.gamma?.read(), this.beta?.read(), { training, kwargs });
    });
  }

  override addWeight(...args: Parameters<layers.Layer['addWeight']>): LayerVariable {
    return checkedWeight(this, super.addWeight, ...args);
  }

  /** Fails before the weights are there. */
  protected checkBuilt(what: string): void {
    if (!this.built) fail(this.getClassName(), `${what} has no weights to read yet; call or build the layer first`);
  }

  /** The axis of the channels counted from the front. */
  protected frontAxis(this: Normalization, rank: number): number {
    return this.axis < 0 ? this.axis + rank : this.axis;
  }

  /** Moves the moving average `weight` towards row `row` of the batch's moments. */
  protected follow(weight: LayerVariable, moments: Tensor, row: 0 | 1, momentum = this.momentum): void {
    weight.write(average(weight.read(), moments, { row, momentum }));
  }

  /** Frozen layers do not change their weights: `trainable` is false, or that of every weight which could be trained. */
  protected get frozen(): boolean {
    return !this.trainable || this._trainableWeights.every((weight) => !weight.trainable);
  }

  /** All options that the constructor takes; a class adds its own. */
  override getConfig(): serialization.ConfigDict {
    const axis = Array.isArray(this.axis) ? [...this.axis] : this.axis;
    const config: serialization.ConfigDict = { axis, center: this.center };
    for (const name of this.#numbers) config[name] = this[name];
    if (this.#parameters.gamma) config.scale = this.scale;
    this.#eachAspect((name, aspect) => {
      config[name] = describe(aspect);
    });
    return { ...config, ...super.getConfig() };
  }

  /** Rewrites a saved config, which Keras may have written, to options of the constructor. */
  static fromSaved(config: serialization.ConfigDict): serialization.ConfigDict {
    return config;
  }

  /** Makes a layer from what `getConfig` gave, here or in Keras. */
  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    saved: serialization.ConfigDict,
  ): T {
    return new cls((cls as unknown as typeof Normalization).fromSaved(savedOptions(saved)));
  }
}

/** What a layer may need to know of one call. */
export interface Context {
  /** Whether this call trains the layer: asked to, and not frozen. */
  readonly training: boolean;
  readonly kwargs: Kwargs;
}

function oneShape(who: string, inputShape: Shape | Shape[]): Shape {
  const shapes = (Array.isArray(inputShape[0]) ? inputShape : [inputShape]) as Shape[];
  if (shapes.length !== 1)
    fail(who, `the layer takes one input; received ${shapes.length}; concatenate or add them first`);
  return shapes[0] as Shape;
}

/** Keras 2 saves the axis of a class that has one as a list of one. */
const only = (axis: number | number[]) => (Array.isArray(axis) && axis.length === 1 ? axis[0] : axis);
