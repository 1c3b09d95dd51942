/**
 * Keeps the weights of a frozen layer still, whatever trains. `optimizer.minimize` and `variableGrads` ask the variable of each
 * weight whether it is trainable. TensorFlow.js writes that flag where `trainable` of the layer, or of the model that holds it,
 * is set; weights that are made later do not have it, and a Sequential that is built again sets it back.
 */
import { clone, type Tensor } from '@tensorflow/tfjs-core';
import { LayerVariable } from '@tensorflow/tfjs-layers';
import { constant, recording } from '../../kernels/core/tape.ts';

/** What has a `trainable` that weights obey: a layer. */
interface Owner {
  readonly trainable: boolean;
}

/** How weights are read where nothing is frozen: a weight may get other owners, and is read through the last ones alone. */
const plainReads = new WeakMap<LayerVariable, () => Tensor>();

/** Lets `weight` be trained only while its own flag and `trainable` of every owner say so. */
export function obey(weight: LayerVariable, ...owners: readonly Owner[]): void {
  let own = weight.trainable;
  // What the last gradient was told that collected its variables.
  let told = false;
  const stored = (): Tensor => LayerVariable.prototype.read.call(weight);
  const plain = plainReads.get(weight) ?? weight.read;
  plainReads.set(weight, plain);
  const isTrainable = () => own && owners.every(({ trainable }) => trainable);
  Object.defineProperty(stored(), 'trainable', {
    configurable: true,
    enumerable: true,
    get() {
      told = isTrainable();
      return told;
    },
    set(trainable: boolean) {
      own = trainable;
    },
  });
  // A model that is built within the loss freezes its layers after the variables were collected.
  const read = () => {
    const value = plain.call(weight);
    if (recording()) return told && !isTrainable() ? constant(() => clone(value)) : value;
    told = false;
    return value;
  };
  Object.defineProperty(weight, 'read', { configurable: true, writable: true, value: read });
}

/**
 * Stands among the trainable weights of a layer that has none: setting `trainable` of a model reaches its layers by the flags of
 * their trainable weights alone.
 */
export const listener = (): LayerVariable => ({ trainable: true }) as LayerVariable;
