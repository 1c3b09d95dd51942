/** Small networks with places for normalizations. */
import * as tf from '@tensorflow/tfjs';

const { add, activation, conv2d, dense, flatten, globalAveragePooling1d, globalAveragePooling2d, input, maxPooling2d } =
  tf.layers;
const { reLU } = tf.layers;

const sequential = (layers) => tf.sequential({ layers });
const image = (filters, options) => conv2d({ filters, kernelSize: 3, padding: 'same', ...options });
const classes = () => dense({ units: 10, activation: 'softmax' });

/** softmax(q k' / sqrt(d)) v of three tensors [n, positions, d]. */
class Attention extends tf.layers.Layer {
  static className = 'Attention';
  computeOutputShape([shape]) {
    return shape;
  }
  call([query, key, value]) {
    return tf.tidy(() => {
      const logits = tf.mul(tf.matMul(query, key, false, true), query.shape.at(-1) ** -0.5);
      return tf.matMul(tf.softmax(logits), value);
    });
  }
}

/** Of a list of layers that are applied one after the other to `x`. */
const through = (x, ...layers) => layers.reduce((x, layer) => layer.apply(x), x);

/**
 * By name: a label, the normalization (of workloads.js), the shapes of inputs and targets, and `make(norm)`: the network,
 * where `norm()` makes a list of a normalization or of nothing. A step of a `large` one takes the cpu backend ten seconds.
 */
export const models = {
  perceptron: {
    label: 'Perceptron, 2 Layer',
    norm: 'layer',
    shape: [64, 128],
    targets: [64, 10],
    make: (norm) =>
      sequential([
        dense({ units: 128, activation: 'relu', inputShape: [128] }),
        ...norm(),
        dense({ units: 128, activation: 'relu' }),
        ...norm(),
        classes(),
      ]),
  },
  transformer: {
    label: 'Transformer, 3 RMS',
    norm: 'rms',
    shape: [8, 32, 64],
    targets: [8, 10],
    make: (norm) => {
      const x = input({ shape: [32, 64] });
      const normalized = through(x, ...norm());
      const heads = [1, 2, 3].map(() => dense({ units: 64 }).apply(normalized));
      const attended = add().apply([x, through(heads, new Attention({}), dense({ units: 64 }))]);
      const mixed = through(attended, ...norm(), dense({ units: 128, activation: 'relu' }), dense({ units: 64 }));
      const outputs = through(add().apply([attended, mixed]), ...norm(), globalAveragePooling1d({}), classes());
      return tf.model({ inputs: x, outputs });
    },
  },
  series: {
    label: 'Series, 2 Instance',
    norm: 'instance',
    shape: [16, 48, 32],
    targets: [16, 10],
    make: (norm) =>
      sequential([
        dense({ units: 64, inputShape: [48, 32] }),
        ...norm(),
        reLU(),
        dense({ units: 64 }),
        ...norm(),
        reLU(),
        globalAveragePooling1d({}),
        classes(),
      ]),
  },
  digits: {
    label: 'Digits CNN, 2 Batch',
    norm: 'batch',
    shape: [8, 28, 28, 1],
    targets: [8, 10],
    make: (norm) =>
      sequential([
        image(8, { strides: 2, inputShape: [28, 28, 1] }),
        ...norm(),
        reLU(),
        image(16, { strides: 2 }),
        ...norm(),
        reLU(),
        flatten(),
        classes(),
      ]),
  },
  residual: {
    label: 'Residual CNN, 2 Group',
    norm: 'group',
    shape: [4, 16, 16, 3],
    targets: [4, 10],
    make: (norm) => {
      const x = input({ shape: [16, 16, 3] });
      const stem = through(x, image(16, { strides: 2 }));
      const branch = through(stem, ...norm(), reLU(), image(16), ...norm(), reLU(), image(16));
      const sum = through(add().apply([stem, branch]), activation({ activation: 'relu' }));
      return tf.model({ inputs: x, outputs: through(sum, globalAveragePooling2d({}), classes()) });
    },
  },
  mnist: {
    label: 'MNIST, 2 Batch',
    large: true,
    norm: 'batch',
    shape: [32, 28, 28, 1],
    targets: [32, 10],
    make: (norm) =>
      sequential([
        image(16, { inputShape: [28, 28, 1] }),
        ...norm(),
        reLU(),
        maxPooling2d({ poolSize: 2 }),
        image(32),
        ...norm(),
        reLU(),
        maxPooling2d({ poolSize: 2 }),
        flatten(),
        classes(),
      ]),
  },
};
