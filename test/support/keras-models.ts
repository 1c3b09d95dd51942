/** The folders of models that Keras and others saved: what is in them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';

export const MODELS = join(__dirname, '..', 'goldens', 'models');
export const folders = readdirSync(MODELS).sort();
export const readJson = (...path: string[]) => JSON.parse(readFileSync(join(MODELS, ...path), 'utf8'));

/** The artifacts of a folder, as a handler gives them. */
export function artifactsOf(name: string, modelFile = 'model.json') {
  const { weightsManifest, modelTopology } = readJson(name, modelFile);
  const bytes = [...readFileSync(join(MODELS, name, weightsManifest[0].paths[0]))];
  return { modelTopology, weightSpecs: weightsManifest[0].weights as tf.io.WeightsManifestEntry[], bytes };
}
