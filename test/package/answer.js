/**
 * What every install path runs: a small model is trained, saved, loaded and asked, on each backend. Nothing is imported: the
 * text of this function also goes into pages and files that have no modules.
 *
 * @param tf TensorFlow.js
 * @param ours the package
 * @param backends names of TensorFlow.js
 */
export async function answer(tf, ours, backends) {
  tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
  const answers = {};
  for (const backend of backends) {
    if (!(await tf.setBackend(backend))) throw new Error(`the backend '${backend}' does not start`);
    const x = tf.tensor2d([[1, 2, 3, 4]]);
    const target = tf.tensor2d([[1, 0, 0, 1]]);
    const valuesOf = async (y) => Array.from(await y.data());
    const layer = ours.layerNormalization({ inputShape: [4], epsilon: 1e-3 });
    const model = tf.sequential({ layers: [layer] });
    model.compile({ optimizer: tf.train.sgd(1), loss: 'meanSquaredError' });
    const before = await valuesOf(model.predict(x));
    await model.fit(x, target, { epochs: 1, verbose: 0 });
    let saved;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      }),
    );
    const loaded = await ours.loadModel({ load: async () => saved });
    const after = await valuesOf(loaded.predict(x));
    const isOurs = loaded.layers[loaded.layers.length - 1] instanceof ours.LayerNormalization;
    const { kernelNames } = await tf.profile(() => layer.apply(x));
    answers[backend] = { before, after, isOurs, kernels: kernelNames.filter((name) => name.startsWith('tfjs-norm')) };
  }
  return answers;
}
