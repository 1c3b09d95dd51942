/** Models with one layer of the package, saved and loaded, in this process or in the page. */
import * as tf from '@tensorflow/tfjs';
import { layerInputs } from '../support/layer-inputs.ts';
import { layerClass, modelWith, type Saved } from '../support/layers.ts';
import { take } from './tensors.ts';

/** Saves to `url`, which 'memory' or a scheme of the browser names, loads, and compares predictions and layers. */
export const saveAndLoad = async ({ url, ...saved }: Saved & { url: string }) => {
  const x = tf.tensor(layerInputs(saved).x, [...saved.shape]);
  const model = modelWith(saved);
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
  x.dispose();
  return result;
};
