/**
 * Makes a layer class known to TensorFlow.js, so that saved models find it, and remembers which class had the name before.
 */
import { serialization } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';

const { classNameMap } = serialization.SerializationMap.getMap();
/** The classes of this copy of the package. */
const registered = new Set<unknown>();

type Entry = (typeof classNameMap)[string] | undefined;

/** By class name, the class registered before ours. Kept with TensorFlow.js's map, which several copies of this package share. */
const REPLACED = Symbol.for('tfjs-normalizations/replaced');
const shared = classNameMap as unknown as { [REPLACED]?: Map<string, Entry> };
shared[REPLACED] ??= new Map();
const replaced = shared[REPLACED];

/** Registers `layer` under its `className`, and under the `aliases` that other libraries save such layers by. */
export function registerLayer(
  layer: serialization.SerializableConstructor<layers.Layer>,
  aliases: readonly string[] = [],
): void {
  if (!replaced.has(layer.className)) replaced.set(layer.className, classNameMap[layer.className]);
  registered.add(layer);
  serialization.registerClass(layer);
  for (const alias of aliases) classNameMap[alias] = classNameMap[layer.className] as (typeof classNameMap)[string];
}

/** Whether the class was registered by this package; a class that a user derived from one of ours was not. */
export const isRegistered = (layer: unknown): boolean => registered.has(layer);

/** Whether a layer is of the class that this package, or TensorFlow.js before it, registered by its name, and not of one derived. */
export function isOfRegisteredClass(layer: layers.Layer): boolean {
  const name = layer.getClassName();
  const known = [classNameMap[name]?.[0], replaced.get(name)?.[0]];
  return isRegistered(layer.constructor) || known.some((one) => one === layer.constructor);
}

/**
 * Gives `BatchNormalization`, `LayerNormalization`, `GRU` and `GRUCell` in model files back to TensorFlow.js's own classes, which
 * importing this package, or several copies of it, had replaced. Models that are loaded already keep their layers; our other classes stay
 * registered.
 *
 * @example
 * ```js
 * const {classNameMap} = tf.serialization.SerializationMap.getMap();
 * restoreBuiltIns();
 * classNameMap.LayerNormalization[0] === LayerNormalization; // false
 * tf.serialization.registerClass(BatchNormalization); // and back again
 * tf.serialization.registerClass(LayerNormalization);
 * classNameMap.LayerNormalization[0] === LayerNormalization; // true
 * ```
 */
export function restoreBuiltIns(): void {
  for (const [className, entry] of replaced) if (entry) classNameMap[className] = entry;
}
