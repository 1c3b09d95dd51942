/** One tensor that goes into a layer twice and into another after it, which TensorFlow.js's `predict` disposes of too early. */
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';

type Many = tf.SymbolicTensor[];

/** `join` makes one output of two or three times x; the model adds x itself, an output of a layer, to it. */
function residualModel(join: (x: tf.SymbolicTensor) => tf.SymbolicTensor): tf.LayersModel {
  const input = tf.input({ shape: [3, 4] });
  const x = tf.layers.dense({ units: 4 }).apply(input) as tf.SymbolicTensor;
  return tf.model({ inputs: input, outputs: tf.layers.add().apply([join(x), x]) as tf.SymbolicTensor });
}

const LAYERS: Record<string, (x: tf.SymbolicTensor) => tf.SymbolicTensor> = {
  QKNormalization: (x) => {
    const [q, k] = ours.qkNormalization({ sequenceLength: 3 }).apply([x, x]) as Many;
    return tf.layers.add().apply([q!, k!]) as tf.SymbolicTensor;
  },
  QKNormAttention: (x) => ours.qkNormAttention({ sequenceLength: 3 }).apply([x, x, x]) as tf.SymbolicTensor,
  MultiHeadAttention: (x) =>
    ours.multiHeadAttention({ numHeads: 2, keyDim: 2 }).apply([x, x]) as unknown as tf.SymbolicTensor,
};

describe.each(Object.entries(LAYERS))('%s of one input, which is also added', (_, join) => {
  test('predicts what it computes in training, again and again, and after saving', async () => {
    const model = residualModel(join);
    const x = tf.randomNormal([2, 3, 4], 0, 1, 'float32', 1);
    const expected = model.apply(x, { training: true }) as tf.Tensor;
    const before = tf.memory().numTensors;
    for (let i = 0; i < 2; i++) {
      const y = model.predict(x) as tf.Tensor;
      expect(y.dataSync()).toBeClose(expected.dataSync(), { atol: 1e-6 });
      y.dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
    let artifacts: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(async (given) => {
        artifacts = given;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      }),
    );
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(artifacts as tf.io.ModelArtifacts));
    expect((loaded.predict(x) as tf.Tensor).dataSync()).toBeClose(expected.dataSync(), { atol: 1e-6 });
  });
});
