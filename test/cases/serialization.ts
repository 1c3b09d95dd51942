/** Models with one layer of the package, saved and loaded, in this process or in the page. */
import * as tf from '@tensorflow/tfjs';
import { layerInputs } from '../support/layer-inputs.ts';
import { layerClass, modelWith, type Saved } from '../support/layers.ts';
import { take } from './tensors.ts';

/** Saves to `url`, which 'memory' or a scheme of the browser names, loads, and compares predictions and layers. */
export const saveAndLoad = async ({ url, ...saved }: Saved & { url: string }) => {
  const x = tf.tensor(layerInputs(saved).x, [...saved.shape]);
  const model = modelWith(saved);
  const values = await Promise.all(model.weights.map(ownValue));
  const artifacts: tf.io.ModelArtifacts[] = [];
  const keep = tf.io.withSaveHandler(async (given) => {
    artifacts.push(given);
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  });
  await model.save(url === 'memory' ? keep : url);
  const topology = JSON.parse(JSON.stringify(artifacts[0]?.modelTopology ?? {}));
  const source = url === 'memory' ? tf.io.fromMemory({ ...artifacts[0]!, modelTopology: topology }) : url;
  const loaded = await tf.loadLayersModel(source);
  const [before, after] = [model, loaded].map((one) => take(one.predict(x) as tf.Tensor));
  const layer = loaded.layers[0]!;
  const result = {
    before: await before!,
    after: await after!,
    ours: layer.constructor === layerClass(saved.className),
    config: JSON.stringify(layer.getConfig()) === JSON.stringify(model.layers[0]!.getConfig()),
    names:
      loaded.weights.map((weight) => weight.originalName).join() === model.weights.map((w) => w.originalName).join(),
  };
  if (url !== 'memory') await tf.io.removeModel(url);
  model.dispose();
  loaded.dispose();
  tf.dispose([x, values]);
  return result;
};

/**
 * Makes a weight read an array of this realm, which Jest keeps apart: TensorFlow.js saves what is `instanceof Float32Array`, and
 * native code projects weights that have a constraint.
 */
async function ownValue(weight: tf.LayersModel['weights'][number]): Promise<tf.Tensor> {
  const value = tf.tensor(Array.from(await weight.read().data()), weight.shape as number[], weight.dtype);
  weight.read = () => value;
  return value;
}
