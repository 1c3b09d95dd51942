/**
 * Makes a layer class known to TensorFlow.js, so that saved models find it, and remembers which class had the name before.
 */
import { serialization } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';

const { classNameMap } = serialization.SerializationMap.getMap();
const registered = new Set<unknown>();
const builtIns = new Map<string, (typeof classNameMap)[string]>();

/** Registers `layer` under its `className`, and under the `aliases` that other libraries save such layers by. */
export function registerLayer(
  layer: serialization.SerializableConstructor<layers.Layer>,
  aliases: readonly string[] = [],
): void {
  const before = classNameMap[layer.className];
  if (before && !builtIns.has(layer.className)) builtIns.set(layer.className, before);
  registered.add(layer);
  serialization.registerClass(layer);
  for (const alias of aliases) classNameMap[alias] = classNameMap[layer.className] as (typeof classNameMap)[string];
}

/** Whether a class was registered here; one made from such a class may have options that only it knows. */
export const isRegistered = (layer: unknown): boolean => registered.has(layer);

/**
 * Gives `BatchNormalization` and `LayerNormalization` in model files back to TensorFlow.js's own classes, which importing
 * this package had replaced. Models that are loaded already keep their layers; our other classes stay registered.
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
  for (const [className, entry] of builtIns) classNameMap[className] = entry;
}
