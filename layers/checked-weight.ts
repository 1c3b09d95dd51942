/** How layers add weights: so that errors name the layer and the weight, and kernels find the values that they expect. */
import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { fail } from '../kernels/checks.ts';
import { obey } from './freezing.ts';

type AddWeight = layers.Layer['addWeight'];

/** TensorFlow.js builds a layer once. A second time, its weights would be made anew under other names. */
export function checkUnbuilt(layer: layers.Layer): void {
  if (!layer.built) return;
  fail(layer.getClassName(), `'${layer.name}' is built already; give it values with setWeights, or make another layer`);
}

/** Calls `add`, TensorFlow.js's `addWeight`, and tries regularizer and constraint once; a frozen layer's weights stay still. */
export function checkedWeight(layer: layers.Layer, add: AddWeight, ...args: Parameters<AddWeight>): LayerVariable {
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
    if (trainable) obey(weight, layer);
    return weight;
  } catch (error) {
    const why = `the weight ${name} of '${layer.name}' could not be made: ${(error as Error).message}`;
    return fail(layer.getClassName(), `${why}; give another initializer, regularizer or constraint`);
  }
}
