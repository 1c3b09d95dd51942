/** Small models for the tests of surgery, with weights as training leaves them. */
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { lastPart } from './layers.ts';
import { normals } from './random.ts';

export type Layer = tf.layers.Layer;
const { layers: l } = tf;

/** Gives all weights values: variances and deviations positive, the rest of both signs. */
export function train(model: tf.LayersModel, seed = 7): tf.LayersModel {
  tf.tidy(() => {
    const values = model.weights.map(({ originalName, shape, dtype }, i) => {
      const size = tf.util.sizeFromShape(shape as number[]);
      const own = normals(seed + i, size, 0, 0.5).map((value) => {
        const name = lastPart(originalName);
        if (/variance|stddev/.test(name)) return 0.3 + value * value;
        return name === 'gamma' ? 0.8 + value : value;
      });
      return tf.tensor(dtype === 'float32' ? own : own.map(Math.abs), shape as number[], dtype);
    });
    model.setWeights(values);
  });
  return model;
}

/** Uniform numbers of the shape of the model's input, for a batch. */
export const inputFor = (model: tf.LayersModel, batch = 3, seed = 3): tf.Tensor => {
  const shape = [batch, ...(model.inputs[0]!.shape.slice(1) as number[])];
  return tf.tensor(normals(seed, tf.util.sizeFromShape(shape)), shape);
};

export const predict = (model: tf.LayersModel, x: tf.Tensor | tf.Tensor[]): Float32Array => {
  const y = model.predict(x) as tf.Tensor;
  const values = y.dataSync() as Float32Array;
  y.dispose();
  return values;
};

export const classesOf = (model: tf.LayersModel): string[] => model.layers.map((layer) => layer.getClassName());

const image = [6, 6, 2];
const act = () => l.reLU({ maxValue: 6 });

/** One inverted residual of MobileNetV2: expansion, depthwise convolution and projection, each with its normalization. */
export function mobileNet(bn: (args: object) => Layer = (args) => l.batchNormalization(args)): tf.LayersModel {
  const input = tf.input({ shape: [8, 8, 3] });
  let x = l
    .zeroPadding2d({
      padding: [
        [0, 1],
        [0, 1],
      ],
    })
    .apply(input) as tf.SymbolicTensor;
  const then = (layer: Layer) => {
    x = layer.apply(x) as tf.SymbolicTensor;
  };
  then(l.conv2d({ filters: 4, kernelSize: 3, strides: 2, useBias: false, name: 'stem' }));
  then(bn({ name: 'stem_norm' }));
  then(act());
  const start = x;
  then(l.conv2d({ filters: 8, kernelSize: 1, useBias: false, name: 'expand' }));
  then(bn({ name: 'expand_norm' }));
  then(act());
  then(l.depthwiseConv2d({ kernelSize: 3, padding: 'same', useBias: false, name: 'depthwise' }));
  then(bn({ name: 'depthwise_norm' }));
  then(act());
  then(l.conv2d({ filters: 4, kernelSize: 1, useBias: false, name: 'project' }));
  then(bn({ name: 'project_norm' }));
  x = l.add().apply([start, x]) as tf.SymbolicTensor;
  then(l.globalAveragePooling2d({}));
  then(l.dense({ units: 3, activation: 'softmax' }));
  return train(tf.model({ inputs: input, outputs: x }));
}

/** By kind: the shape of the input and a layer that takes over a normalization after it. */
export const KERNELS: Readonly<Record<string, readonly [number[], () => Layer]>> = {
  dense: [[5], () => l.dense({ units: 3 })],
  'dense without bias': [[5], () => l.dense({ units: 3, useBias: false })],
  'dense on a sequence': [[4, 5], () => l.dense({ units: 3 })],
  conv1d: [[7, 3], () => l.conv1d({ filters: 4, kernelSize: 3 })],
  conv2d: [image, () => l.conv2d({ filters: 4, kernelSize: 3 })],
  'conv2d, same, strided, without bias': [
    image,
    () => l.conv2d({ filters: 4, kernelSize: 3, padding: 'same', strides: 2, useBias: false }),
  ],
  'conv2d, dilated': [image, () => l.conv2d({ filters: 4, kernelSize: 2, dilationRate: 2 })],
  conv3d: [[4, 4, 4, 2], () => l.conv3d({ filters: 3, kernelSize: 2 })],
  'conv2d transposed': [image, () => l.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2 })],
  'conv3d transposed': [
    [3, 3, 3, 2],
    () => (l as unknown as { conv3dTranspose(args: object): Layer }).conv3dTranspose({ filters: 3, kernelSize: 2 }),
  ],
  depthwise: [image, () => l.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2 })],
  'depthwise without bias': [image, () => l.depthwiseConv2d({ kernelSize: 3, useBias: false })],
  separable: [image, () => l.separableConv2d({ filters: 3, kernelSize: 3, depthMultiplier: 2 })],
  'separable without bias': [image, () => l.separableConv2d({ filters: 3, kernelSize: 3, useBias: false })],
  'time distributed': [[4, 6, 6, 2], () => l.timeDistributed({ layer: l.conv2d({ filters: 3, kernelSize: 3 }) })],
  'weight normalized': [image, () => ours.weightNormalization({ layer: l.conv2d({ filters: 3, kernelSize: 3 }) })],
  'spectrally normalized': [[5], () => ours.spectralNormalization({ layer: l.dense({ units: 3, useBias: false }) })],
};
