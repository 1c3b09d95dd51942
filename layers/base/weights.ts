/** How layers add weights: errors name the layer and the weight; weights always have their shape and satisfy their constraint. */
import { type Tensor, tidy, type Variable } from '@tensorflow/tfjs-core';
import type { LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import { freezeWith } from './freezing.ts';

type AddWeight = layers.Layer['addWeight'];

/** Refuses a second `build`, which would make the weights anew under other names. */
export function checkUnbuilt(layer: layers.Layer): void {
  if (!layer.built) return;
  fail(layer.getClassName(), `'${layer.name}' is built already; give it values with setWeights, or make another layer`);
}

/**
 * Adds a weight by `add`, TensorFlow.js's `addWeight`, and tries its regularizer and constraint once, so that a wrong one fails
 * here. The weight is frozen with its layer.
 */
export function addCheckedWeight(layer: layers.Layer, add: AddWeight, ...args: Parameters<AddWeight>): LayerVariable {
  const [name, shape, , , regularizer, trainable = true, constraint] = args;
  const checkShape = (values: Tensor | LayerVariable, of: string) => {
    if (String(values.shape) === String(shape)) return;
    throw new Error(`the ${of} made the shape [${values.shape}] of [${shape}]`);
  };
  try {
    const weight = add.call(layer, ...args);
    checkShape(weight, 'initializer');
    tidy(() => {
      regularizer?.apply(weight.read());
      if (constraint) checkShape(constraint.apply(weight.read()), 'constraint');
    });
    keepConstrained(weight);
    if (trainable) freezeWith(weight, layer);
    return weight;
  } catch (error) {
    const why = `the weight ${name} of '${layer.name}' could not be made: ${(error as Error).message}`;
    return fail(layer.getClassName(), `${why}; give another initializer, regularizer or constraint`);
  }
}

/** What TensorFlow.js declares protected: the lists of weights of a layer, and the cell of a recurrent layer, which has its weights. */
interface Fields {
  readonly _trainableWeights: readonly LayerVariable[];
  readonly _nonTrainableWeights: readonly LayerVariable[];
  readonly cell?: Fields;
}

/** Runs `add`, which adds weights to a layer or its cell. If it fails, none of them is left, and the layer is as it was before. */
export function addAllOrNone(layer: layers.Layer, add: () => void): void {
  const whole = layer as unknown as Fields;
  const parts = whole.cell ? [whole, whole.cell] : [whole];
  const before = parts.map(copyOf);
  try {
    add();
  } catch (error) {
    for (const [i, part] of parts.entries()) {
      const old = before[i] as Fields;
      for (const weight of weightsIn(part)) if (!weightsIn(old).includes(weight)) weight.dispose();
      Object.assign(part, old);
    }
    throw error;
  }
}
const weightsIn = (part: Fields) => [...part._trainableWeights, ...part._nonTrainableWeights];
/** With copies of the lists, to which weights are added. */
const copyOf = (part: Fields): Fields =>
  Object.fromEntries(
    Object.entries(part).map(([key, value]) => [key, Array.isArray(value) ? [...value] : value]),
  ) as never;

/**
 * Makes every value that `weight` reads satisfy its constraint. Optimizers write to the variable itself, and `fit` applies no
 * constraints, so the value is projected when it is next read: by a call, by `getWeights`, by `save`. A value is projected once,
 * because a constraint such as maxNorm changes the last digits of what satisfies it already.
 */
export function keepConstrained(weight: LayerVariable): void {
  const { constraint, read, write } = weight;
  if (!constraint || Object.hasOwn(weight, 'read')) return;
  /** The data of the last value that was projected; a new value has other data. */
  let projected: object | undefined;
  weight.read = () => {
    const variable = read.call(weight) as Variable;
    if (variable.dataId === projected) return variable;
    tidy(() => {
      const value = constraint.apply(variable);
      if (value !== variable) variable.assign(value);
    });
    projected = variable.dataId;
    return variable;
  };
  weight.write = (value) => {
    // TensorFlow.js's `write` applies the constraint.
    tidy(() => {
      write.call(weight, value);
    });
    projected = read.call(weight).dataId;
    return weight;
  };
}
