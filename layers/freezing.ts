/**
 * Keeps the weights of a frozen layer still, whatever trains. `optimizer.minimize` and `variableGrads` ask the variable of each
 * weight whether it is trainable. TensorFlow.js writes that flag where `trainable` of the layer, or of the model that holds it,
 * is set; weights that are made later do not have it, and a Sequential that is built again sets it back.
 */
import { clone, engine, type Tensor } from '@tensorflow/tfjs-core';
import { LayerVariable } from '@tensorflow/tfjs-layers';
import { constant, recording } from '../kernels/constant.ts';

/** What has a `trainable` that weights obey: a layer. */
interface Owner {
  readonly trainable: boolean;
}

/** The owners of weights that were asked for since the last gradient began: it asks before it runs the loss. */
let asked = new WeakSet<Owner>();
/** The owners of the weights that a gradient, known by its tape, was asked for. */
const trained = new WeakMap<object, WeakSet<Owner>>();

/**
 * Whether the gradient that is recorded now, if there is one, is that of weights of `owner`. `fit` leaves out those of models
 * that are frozen, of which a layer within a model within such a model does not hear otherwise.
 */
export function isTrained(owner: Owner): boolean {
  const { activeTape } = engine().state;
  if (!activeTape) return true;
  let owners = trained.get(activeTape);
  if (!owners) {
    owners = asked;
    asked = new WeakSet();
    trained.set(activeTape, owners);
  }
  return owners.has(owner);
}

/** How weights are read where nothing is frozen: a weight may get other owners, and is read through the last ones alone. */
const plainReads = new WeakMap<LayerVariable, () => Tensor>();

/** Lets `weight` be trained only while its own flag and `trainable` of every owner say so. */
export function obey(weight: LayerVariable, ...owners: readonly Owner[]): void {
  let own = weight.trainable;
  const stored = (): Tensor => LayerVariable.prototype.read.call(weight);
  const plain = plainReads.get(weight) ?? weight.read;
  plainReads.set(weight, plain);
  const isTrainable = () => own && owners.every(({ trainable }) => trainable);
  Object.defineProperty(stored(), 'trainable', {
    configurable: true,
    enumerable: true,
    get() {
      if (!recording()) for (const owner of owners) asked.add(owner);
      return isTrainable();
    },
    set(trainable: boolean) {
      own = trainable;
    },
  });
  // A model that is built within the loss freezes its layers after the trainable variables were collected.
  const read = () => {
    const value = plain.call(weight);
    return recording() && !isTrainable() ? constant(() => clone(value)) : value;
  };
  Object.defineProperty(weight, 'read', { configurable: true, value: read });
}

/**
 * Stands among the trainable weights of a layer that has none: setting `trainable` of a model reaches its layers by the flags of
 * their trainable weights alone.
 */
export const listener = (): LayerVariable => ({ trainable: true }) as LayerVariable;
