/**
 * The base of layers whose scale and shift are not weights. With the inputs [x, condition] they are learned projections of the condition,
 * with [x, ...parameters] they are inputs themselves. A subclass says what happens to x.
 */
import { add, type Tensor, tidy, unstack } from '@tensorflow/tfjs-core';
import type { LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import {
  checkAxis,
  checkAxisOption,
  checkBoolean,
  checkEpsilon,
  checkInput,
  checkMomentum,
  checkRank,
  checkSize,
  checkTensor,
} from '../../kernels/functions/checks.ts';
import { checkRows } from '../../kernels/functions/parameters.ts';
import { ConfiguredLayer } from './configured-layer.ts';
import { assignIdentifiers, type Identifier, type Initializer } from './identifiers.ts';
import { maskOfFirst } from './mask.ts';
import { type Kwargs, type LayerArgs, listOfShapes, type Shape } from './options.ts';
import {
  type AddWeight,
  PROJECTION_IDENTIFIERS,
  Projection,
  type ProjectionArgs,
  type ProjectionOptions,
} from './projection.ts';
import { RepeatedInputs } from './repeated-inputs.ts';
import { addAllOrNone, addCheckedWeight, checkUnbuilt } from './weights.ts';

/** Options of every conditional layer. Those of the projection count with the inputs [x, condition]. */
export interface ConditionalArgs extends LayerArgs, ProjectionArgs {
  /** The axis of the channels. Default: -1. */
  axis?: number;
  /** Where the kernel of the projection starts. Default: zeros, so that no condition has an effect at first. */
  kernelInitializer?: Identifier<Initializer>;
}

/** What distinguishes one class. */
interface ConditionalTraits {
  /** The names of the parameters, the scale first, in their order as inputs. */
  readonly parameters: readonly string[];
  /** What is added to a scale that is an input. To a projected scale 1 is added. */
  readonly scaleOffset: 0 | 1;
  /** The default of epsilon, and of momentum; absent where the class has none. */
  readonly epsilon?: number;
  readonly momentum?: number;
  readonly options?: readonly string[];
}

/** Makes the parameters [..., parameters, channels] of a condition, for an input x. */
export type Project = (condition: Tensor, x: Tensor) => Tensor;

/** The shapes of a call. */
interface Inputs {
  readonly x: Shape;
  readonly others: readonly Shape[];
  /** The axis of the channels of x, counted from the front. */
  readonly axis: number;
}

export abstract class ConditionalLayer extends ConfiguredLayer {
  /** The axis of the channels. */
  readonly axis: number;
  /** Keeps the divisor from 0. */
  readonly epsilon: number;
  /** The share of the old value in the moving averages; 1 where there are none. */
  readonly momentum: number;
  /** Whether the projection has a bias. */
  readonly useBias: boolean;
  readonly #traits: ConditionalTraits;
  readonly #repeated = new RepeatedInputs(this);
  #projection: Project | undefined = undefined;
  /** What the layer was built for: the number of inputs, the channels of x and the width of the condition. */
  #built: { readonly inputs: number; readonly channels: number; readonly width: number | null } | undefined = undefined;

  protected constructor(args: ConditionalArgs & { epsilon?: number; momentum?: number }, traits: ConditionalTraits) {
    const numbers = ['epsilon', 'momentum'].filter((name) => name in traits);
    super(args, ['axis', 'useBias', ...numbers, ...(traits.options ?? []), ...PROJECTION_IDENTIFIERS]);
    const who = this.getClassName();
    this.axis = checkAxisOption(who, args.axis ?? -1);
    this.useBias = checkBoolean(who, 'useBias', args.useBias ?? true);
    this.epsilon = checkEpsilon(who, args.epsilon ?? traits.epsilon ?? 0);
    this.momentum = checkMomentum(who, args.momentum ?? traits.momentum ?? 1);
    this.#traits = traits;
    assignIdentifiers(this, args, PROJECTION_IDENTIFIERS, { kernelInitializer: 'zeros', biasInitializer: 'zeros' });
    this.supportsMasking = true;
  }

  /**
   * What the layer makes of x.
   *
   * @param given the parameters of the class in order, each [batch, channels], or of the rank of x
   * @param axis of the channels, counted from the front
   */
  protected abstract transform(x: Tensor, given: readonly Tensor[], axis: number, kwargs: Kwargs): Tensor | Tensor[];

  /** Adds weights beside the projection. */
  protected buildState(_channels: number): void {
    // Most classes have none.
  }

  override apply(...[inputs, kwargs]: Parameters<layers.Layer['apply']>): ReturnType<layers.Layer['apply']> {
    return this.#repeated.apply(inputs, (all) => super.apply(all, kwargs));
  }

  override addWeight(...args: Parameters<layers.Layer['addWeight']>): LayerVariable {
    return addCheckedWeight(this, super.addWeight, ...args);
  }

  override build(inputShape: Shape | Shape[]): void {
    checkUnbuilt(this);
    const { x, others, axis } = this.#shapesOf(inputShape);
    const who = this.getClassName();
    const channels = checkSize(who, x, axis);
    addAllOrNone(this, () => {
      if (others.length === 1) {
        this.#projection = this.buildProjection(others[0] as Shape, x, [this.#traits.parameters.length, channels]);
      }
      this.buildState(channels);
    });
    this.listenToFreezing();
    const width = others.length === 1 ? ((others[0] as Shape).at(-1) as number) : null;
    this.#built = { inputs: others.length + 1, channels, width };
    this.built = true;
  }

  /** Adds the weights that make the parameters, of the shape [...positions, ...outputs], from a condition. */
  protected buildProjection(condition: Shape, _x: Shape, outputs: readonly number[]): Project {
    const width = checkSize(this.getClassName(), condition, condition.length - 1);
    const options = this as unknown as ProjectionOptions;
    const projection = new Projection(this.addTrained, 'condition', [width], outputs, options);
    return (t) => projection.apply(t);
  }

  /** Adds a weight that is trained. */
  protected readonly addTrained: AddWeight = (name, shape, initializer, regularizer, constraint) =>
    this.addWeight(name, shape, 'float32', initializer, regularizer, true, constraint);

  /** Fails where the inputs are not [x, condition] or [x, ...parameters], or do not fit each other. */
  #shapesOf(inputShape: Shape | Shape[]): Inputs {
    const who = this.getClassName();
    const names = this.#traits.parameters;
    const [x, ...others] = listOfShapes(inputShape) as [Shape, ...Shape[]];
    if (others.length !== 1 && others.length !== names.length) {
      const rule = `the inputs are [x, condition] or [x, ${names.join(', ')}]`;
      fail(who, `${rule}; received ${others.length + 1}; call apply with a list`);
    }
    checkRank(who, x.length);
    const axis = checkAxis(who, this.axis, x.length);
    const isProjected = others.length === 1;
    for (const [i, shape] of others.entries())
      this.#checkFits(isProjected ? 'the condition' : (names[i] as string), shape, x, axis, isProjected);
    this.#checkBuilt(x, others, axis);
    return { x, others, axis };
  }

  /** Fails where the layer has been built for other inputs. */
  #checkBuilt(x: Shape, others: readonly Shape[], axis: number): void {
    if (!this.#built) return;
    const { inputs, channels, width } = this.#built;
    const refuse = (what: string, received: unknown) =>
      fail(this.getClassName(), `'${this.name}' is built for ${what}; received ${received}; make another layer`);
    const names = inputs === 2 ? 'condition' : this.#traits.parameters.join(', ');
    if (others.length + 1 !== inputs) refuse(`[x, ${names}]`, `${others.length + 1} inputs`);
    if (x[axis] != null && x[axis] !== channels) refuse(`${channels} channels at axis ${axis}`, `[${x}]`);
    const given = others[0]?.at(-1);
    if (width !== null && given != null && given !== width) refuse(`a condition of width ${width}`, `[${others[0]}]`);
  }

  #checkFits(name: string, shape: Shape, x: Shape, axis: number, isProjected: boolean): void {
    const who = this.getClassName();
    const isPerExample = shape.length === 2;
    if (!isPerExample && shape.length !== x.length) {
      const rule = `${name} must have 2 axes, one row per example, or the ${x.length} of x, one per position`;
      fail(who, `${rule}; received [${shape}] for x of [${x}]; reshape it`);
    }
    if (shape[0] != null && x[0] != null && shape[0] !== x[0]) {
      const rule = `${name} must have the batch of x, ${x[0]}`;
      fail(who, `${rule}; received [${shape}], a batch of ${shape[0]}; give a row for each example`);
    }
    if (isProjected) return;
    const [size, channels] = [shape[isPerExample ? 1 : axis], x[axis]];
    if (size == null || channels == null || size === channels) return;
    fail(
      who,
      `${name} must have a value for each of the ${channels} channels of x; received [${shape}]; project it first`,
    );
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return this.#shapesOf(inputShape).x;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor | Tensor[] {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const who = this.getClassName();
      const list = [inputs].flat();
      const { axis } = this.#shapesOf(list.map(({ shape }) => shape));
      const [x, ...others] = [checkInput(who, list[0]), ...list.slice(1)] as [Tensor, ...Tensor[]];
      const given = this.#parametersOf(others, x);
      // Checked here, where errors can name the layer and the parameter.
      for (const [i, t] of given.entries()) checkRows(who, this.#traits.parameters[i] as string, t, x.shape, axis);
      return this.transform(x, given, axis, kwargs);
    });
  }

  /** The parameters, projected from the condition or given as inputs, with the offset added to the scale. */
  #parametersOf(others: readonly Tensor[], x: Tensor): Tensor[] {
    const who = this.getClassName();
    const { parameters: names, scaleOffset } = this.#traits;
    const all = others.map((t, i) => checkTensor(who, names[i] as string, t));
    const [scale, ...rest] = this.#projection
      ? unstack(this.#projection(all[0] as Tensor, x), (all[0] as Tensor).rank - 1)
      : all;
    const offset = this.#projection ? 1 : scaleOffset;
    return [offset ? add(scale as Tensor, offset) : (scale as Tensor), ...rest];
  }

  /** The mask of x. */
  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor | Tensor[] {
    return maskOfFirst(mask);
  }
}
