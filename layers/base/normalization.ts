/**
 * The base of layers that normalize activations, multiply by gamma and add beta: it has these two weights with initializer,
 * regularizer and constraint, and decides whether a call trains. A layer adds its own options, its own weights and one call of a
 * function of `kernels/`; no layer does arithmetic on activations.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { InputSpec, type LayerVariable, type layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import { checkAnyMomentum, checkBoolean, checkEpsilon, checkMomentum } from '../../kernels/functions/checks.ts';
import type { AffineOptions } from '../../kernels/functions/normalization.ts';
import {
  assignIdentifiers,
  type Constraint,
  type Identifier,
  type Initializer,
  identifierOptions,
  identifiersOf,
  type Regularizer,
} from './identifiers.ts';
import type { Kwargs, LayerArgs, Shape } from './options.ts';
import { type AxisRule, SingleInputLayer } from './single-input-layer.ts';
import { isTraining } from './training.ts';
import { addAllOrNone, addCheckedWeight } from './weights.ts';

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

/** What distinguishes the options of one class. */
interface Traits extends AxisRule {
  /** Names of the options that only this class has, beside those in `initializers`. Each is a field of the same name. */
  readonly options?: readonly string[];
  /** Options that only this class has for the initializers of its own weights, with their defaults. */
  readonly initializers?: Readonly<Record<string, Identifier<Initializer>>>;
  /** The defaults of epsilon and momentum; absent where the class has none. */
  readonly epsilon?: number;
  readonly momentum?: number;
  /** Whether momentum may be any number, as in TensorFlow.js and Keras, and not only a share. Default: false. */
  readonly anyMomentum?: boolean;
  /** The name of gamma among the weights; null where the class has no gamma. Default: 'gamma'. */
  readonly gammaName?: string | null;
}

export abstract class Normalization<Axis extends number | number[] = number> extends SingleInputLayer<Axis> {
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
  readonly #gammaName: string | null;
  readonly #initializerNames: readonly string[];

  protected constructor(
    args: Omit<AffineArgs, 'axis'> & { axis?: number | number[]; momentum?: number },
    traits: Traits,
  ) {
    const { options = [], initializers = {}, gammaName = 'gamma', ...defaults } = traits;
    const numbers = ['epsilon', 'momentum'].filter((name) => name in defaults);
    const parameters = gammaName
      ? ['scale', ...identifierOptions('gamma'), ...identifierOptions('beta')]
      : identifierOptions('beta');
    super(args, ['center', ...numbers, ...Object.keys(initializers), ...options, ...parameters], traits);
    const who = this.getClassName();
    const momentum = args.momentum ?? traits.momentum ?? 1;
    this.epsilon = checkEpsilon(who, args.epsilon ?? traits.epsilon ?? 1);
    this.momentum = traits.anyMomentum ? checkAnyMomentum(who, 'momentum', momentum) : checkMomentum(who, momentum);
    this.center = checkBoolean(who, 'center', args.center ?? true);
    this.scale = gammaName !== null && checkBoolean(who, 'scale', args.scale ?? true);
    this.#gammaName = gammaName;
    this.#initializerNames = Object.keys(initializers);
    assignIdentifiers(this, args, [...identifierOptions('beta'), ...(gammaName ? identifierOptions('gamma') : [])], {
      betaInitializer: 'zeros',
      gammaInitializer: 'ones',
    });
    assignIdentifiers(this, args, this.#initializerNames, initializers);
  }

  /** The initializers that only this class has, in the order of `Traits.initializers`. */
  protected get ownInitializers(): Initializer[] {
    const fields = this as unknown as Record<string, Initializer>;
    return this.#initializerNames.map((name) => fields[name] as Initializer);
  }

  /** Adds weights beside gamma and beta. */
  protected buildState(_sizes: number[], _rank: number): void {
    // Most classes have none.
  }

  /** The layer's one call into `kernels/`; gamma and beta are absent where `scale` and `center` say so. */
  protected abstract normalize(x: Tensor, parameters: AffineOptions, context: Context): Tensor;

  /** Checks the sizes of the parameter axes, where a class has rules of its own. */
  protected checkSizes(_sizes: readonly number[]): void {
    // Most classes have none.
  }

  /** The shape of gamma and beta, from the sizes of the parameter axes. */
  protected parameterShape(sizes: readonly number[]): number[] {
    return [...sizes];
  }

  override build(inputShape: Shape | Shape[]): void {
    const [shape, axes, sizes] = this.sizesToBuild(inputShape);
    this.checkSizes(sizes);
    const sizeAtAxis = Object.fromEntries(axes.map((axis, i) => [axis, sizes[i] as number]));
    this.inputSpec = [new InputSpec({ ndim: shape.length, axes: sizeAtAxis })];
    addAllOrNone(this, () => {
      if (this.scale && this.#gammaName) this.gamma = this.#addParameter(this.#gammaName, 'gamma', sizes);
      if (this.center) this.beta = this.#addParameter('beta', 'beta', sizes);
      this.buildState(sizes, shape.length);
    });
    this.listenToFreezing();
    this.built = true;
  }

  #addParameter(name: string, option: 'gamma' | 'beta', sizes: readonly number[]): LayerVariable {
    const [initializer, regularizer, constraint] = identifiersOf(this, option);
    return this.addWeight(name, this.parameterShape(sizes), 'float32', initializer, regularizer, true, constraint);
  }

  /** The shape of the input; fails if the layer could not be built for it, or has been built for another one. */
  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    const [shape, axes] = this.checkedShape(inputShape);
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

  protected override transform(x: Tensor, kwargs: Kwargs): Tensor {
    const training = isTraining(this, kwargs) && !this.frozen;
    return this.normalize(x, { gamma: this.gamma?.read(), beta: this.beta?.read() }, { training, kwargs });
  }

  override addWeight(...args: Parameters<layers.Layer['addWeight']>): LayerVariable {
    return addCheckedWeight(this, super.addWeight, ...args);
  }

  /** Fails if the layer is not built, and so has no weights. */
  protected checkBuilt(what: string): void {
    if (!this.built) fail(this.getClassName(), `${what} has no weights to read yet; call or build the layer first`);
  }

  /** The axis of the channels counted from the front. */
  protected frontAxis(this: Normalization, rank: number): number {
    return this.axis < 0 ? this.axis + rank : this.axis;
  }
}

/** The context of one call. */
export interface Context {
  /** Whether this call trains the layer: asked to, and not frozen. */
  readonly training: boolean;
  readonly kwargs: Kwargs;
}
