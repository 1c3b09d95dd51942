/**
 * Saves models to a folder and loads them back, with plain TensorFlow.js: `model.json` and `weights.bin`, the files that
 * `tf.loadLayersModel` reads over http and that @tensorflow/tfjs-node reads and writes as file://.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';

/**
 * @param {string} folder
 * @returns {tf.io.IOHandler} for `model.save` and `tf.loadLayersModel`
 */
export function inFolder(folder) {
  const modelFile = join(folder, 'model.json');
  return {
    async save(artifacts) {
      const { weightData, weightSpecs, ...description } = artifacts;
      const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'weights.bin'), new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)));
      await writeFile(modelFile, JSON.stringify({ ...description, weightsManifest }));
      return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
    },
    async load() {
      const json = JSON.parse(await readFile(modelFile, 'utf8'));
      return tf.io.getModelArtifactsForJSON(json, async ([{ paths, weights }]) => {
        const { buffer, byteOffset, byteLength } = await readFile(join(folder, paths[0]));
        return [weights, buffer.slice(byteOffset, byteOffset + byteLength)];
      });
    },
  };
}
