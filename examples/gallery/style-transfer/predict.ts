/** What `model.predict` does, but not in one go: on the cpu backend a picture takes a second or more. */
import * as tf from '@tensorflow/tfjs';

const LONGEST = 40;

/** Runs the layers one by one and awaits `tf.nextFrame` after every 40 ms. The caller disposes the result, and `x`. */
export async function predictInSteps(model: tf.LayersModel, x: tf.Tensor): Promise<tf.Tensor> {
  const [, ...layers] = model.layers; // in the order of computation; the first is the input
  const inputsOf = (layer: tf.layers.Layer) => layer.inboundNodes[0].inputTensors.map(({ id }) => id);
  const values = new Map([[model.inputs[0].id, tf.clone(x)]]);
  let since = performance.now();
  try {
    for (const [i, layer] of layers.entries()) {
      const inputs = inputsOf(layer).map((id) => values.get(id) as tf.Tensor);
      const output = tf.tidy(() => layer.apply(inputs.length === 1 ? inputs[0] : inputs) as tf.Tensor);
      values.set((layer.output as tf.SymbolicTensor).id, output);
      const awaited = new Set(layers.slice(i + 1).flatMap(inputsOf));
      for (const [id, value] of values) {
        if (awaited.has(id) || value === output) continue;
        value.dispose();
        values.delete(id);
      }
      if (performance.now() - since < LONGEST) continue;
      await tf.nextFrame();
      since = performance.now();
    }
    return tf.clone(values.get((model.output as tf.SymbolicTensor).id) as tf.Tensor);
  } finally {
    tf.dispose([...values.values()]);
  }
}
