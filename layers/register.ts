/**
 * Makes a layer class known to TensorFlow.js, so that saved models find it, and remembers which class had the name before.
 */
import { serialization } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';

const { classNameMap } = serialization.SerializationMap.getMap();
const builtIns = new Map<string, (typeof classNameMap)[string]>();

/** Registers `layer` under its `className`. */
export function registerLayer(layer: serialization.SerializableConstructor<layers.Layer>): void {
  const before = classNameMap[layer.className];
  if (before && !builtIns.has(layer.className)) builtIns.set(layer.className, before);
  serialization.registerClass(layer);
}

/**
 * Gives `BatchNormalization` and `LayerNormalization` in model files back to TensorFlow.js's own classes, which importing
 * this package had replaced. Models that are loaded already keep their layers; our other classes stay registered.
 */
export function restoreBuiltIns(): void {
  for (const [className, entry] of builtIns) classNameMap[className] = entry;
}
