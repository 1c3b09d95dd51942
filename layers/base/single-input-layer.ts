/**
 * The base of layers with one input and an output of the same shape: the option `axis`, the checks of shapes, and `call`. A subclass
 * says in `transform` what happens to the input.
 */
import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import { fail } from '../../kernels/core/errors.ts';
import {
  type BatchAxis,
  checkAxes,
  checkAxisList,
  checkAxisOption,
  checkOneInput,
  checkRank,
  checkSize,
} from '../../kernels/functions/checks.ts';
import { ConfiguredLayer } from './configured-layer.ts';
import { type Kwargs, type LayerArgs, listOfShapes, type Shape } from './options.ts';
import { checkUnbuilt } from './weights.ts';

/** Which values the option `axis` may have. */
export interface AxisRule {
  /** Whether `axis` may be a list. Default: false. */
  readonly axes?: boolean;
  /** Whether `axis` may be null, for no axis. Default: false. */
  readonly noAxis?: boolean;
  /** Whether several axes count in the order of the input, and not in that of the option. Default: false. */
  readonly ascending?: boolean;
  /** Whether `axis` may be the batch, if its size is fixed, as in TensorFlow.js and Keras. Default: 'without batch'. */
  readonly batch?: BatchAxis;
}

type AxisOption = number | number[] | null;

export abstract class SingleInputLayer<Axis extends AxisOption = number> extends ConfiguredLayer {
  /** The axis of the channels; of some layers a list, or null. */
  readonly axis: Axis;
  readonly #batch: BatchAxis;
  readonly #ascending: boolean;

  /** `options` are the names of the layer's own beside `axis`. */
  protected constructor(args: LayerArgs & { axis?: AxisOption }, options: readonly string[], rule: AxisRule) {
    super(args, ['axis', ...options]);
    const { axes = false, noAxis = false, ascending = false, batch = 'without batch' } = rule;
    this.#batch = batch;
    this.#ascending = ascending;
    this.axis = (noAxis && args.axis === null ? null : this.#checkedAxis(args.axis ?? -1, axes)) as Axis;
    this.supportsMasking = true;
  }

  #checkedAxis(axis: number | number[], isList: boolean): number | number[] {
    const who = this.getClassName();
    if (isList) return checkAxisList(who, axis, this.#batch);
    // Keras 2 saves the axis of a class that has one as a list of one.
    const one = Array.isArray(axis) && axis.length === 1 ? axis[0] : axis;
    return checkAxisOption(who, one, this.#batch);
  }

  /** What the layer makes of the checked input. */
  protected abstract transform(x: Tensor, kwargs: Kwargs): Tensor;

  /** The axes of the option counted from the front. */
  protected frontAxes(rank: number): number[] {
    const axes = this.axis === null ? [] : checkAxes(this.getClassName(), this.axis, rank, this.#batch);
    return this.#ascending ? axes.sort((a, b) => a - b) : axes;
  }

  /** The one shape that the layer is given, and the axes of the option in it. */
  protected checkedShape(inputShape: Shape | Shape[]): [shape: Shape, axes: number[]] {
    const who = this.getClassName();
    const shapes = listOfShapes(inputShape);
    const [shape] = shapes as [Shape];
    if (shapes.length > 1) {
      fail(who, `the layer takes one input; received ${shapes.length}; concatenate or add them first`);
    }
    checkRank(who, shape.length);
    return [shape, this.frontAxes(shape.length)];
  }

  /** As `checkedShape`, for `build`: the sizes of these axes must be known, too. */
  protected sizesToBuild(inputShape: Shape | Shape[]): [shape: Shape, axes: number[], sizes: number[]] {
    checkUnbuilt(this);
    const [shape, axes] = this.checkedShape(inputShape);
    return [shape, axes, axes.map((axis) => checkSize(this.getClassName(), shape, axis))];
  }

  /** The shape of the input; fails if the layer could not be built for it. */
  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    this.checkedShape(inputShape);
    return inputShape;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      return this.transform(checkOneInput(this.getClassName(), inputs), kwargs);
    });
  }
}
