/**
 * Keeps the weights of a frozen layer still, whatever trains. `optimizer.minimize` and `variableGrads` ask the variable of each
 * weight whether it is trainable. TensorFlow.js writes that flag where `trainable` of the layer, or of the model that holds it,
 * is set; weights that are made later do not have it, and a Sequential that is built again sets it back.
 */
import { clone, type Tensor } from '@tensorflow/tfjs-core';
import { LayerVariable } from '@tensorflow/tfjs-layers';
import { constant, recording } from '../../kernels/core/tape.ts';

/** A layer, whose weights are frozen while `trainable` is false. */
interface Owner {
  readonly trainable: boolean;
}

/** Each weight's original `read`: a weight may be given new owners, and only the last ones count. */
const plainReads = new WeakMap<LayerVariable, () => Tensor>();

/** Lets `weight` be trained only while its own flag is true, and `trainable` of every owner. */
export function freezeWith(weight: LayerVariable, ...owners: readonly Owner[]): void {
  let ownFlag = weight.trainable;
  // The value of `trainable` when the last gradient collected its variables.
  let wasTrainable = false;
  const stored = (): Tensor => LayerVariable.prototype.read.call(weight);
  const plain = plainReads.get(weight) ?? weight.read;
  plainReads.set(weight, plain);
  const isTrainable = () => ownFlag && owners.every(({ trainable }) => trainable);
  Object.defineProperty(stored(), 'trainable', {
    configurable: true,
    enumerable: true,
    get() {
      wasTrainable = isTrainable();
      return wasTrainable;
    },
    set(trainable: boolean) {
      ownFlag = trainable;
    },
  });
  // A model that is built within the loss freezes its layers after the variables were collected.
  const read = () => {
    const value = plain.call(weight);
    if (recording()) return wasTrainable && !isTrainable() ? constant(() => clone(value)) : value;
    wasTrainable = false;
    return value;
  };
  Object.defineProperty(weight, 'read', { configurable: true, writable: true, value: read });
}

/**
 * Stands among the trainable weights of a layer that has none, and holds no values: setting `trainable` of a model sets the
 * flags of its layers' trainable weights and nothing else, so that a layer without such weights would not hear of it.
 */
export const placeholderWeight = (): LayerVariable => ({ trainable: true }) as LayerVariable;
