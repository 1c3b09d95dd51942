/**
 * Magenta's multi-style network (Dumoulin, Shlens, Kudlur 2017, https://arxiv.org/abs/1610.07629) as a tf.layers model:
 * one set of convolutions, and a gamma and a beta per channel for each of 26 styles.
 */
import * as tf from '@tensorflow/tfjs';
import { instanceNormalization } from 'tfjs-normalizations';
import manifest from './weights_manifest.json';

export const STYLES = 26;
const EPSILON = 1e-5;

/** The tensors of weights.bin: `BLOCK.kernel` [h, w, in, out], `BLOCK.gamma` and `BLOCK.beta` [26, out]. */
export type Weights = Readonly<Record<string, tf.Tensor>>;

export async function loadWeights(url: string): Promise<Weights> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the weights could not be loaded: ${response.status}`);
  const specs = manifest.flatMap(({ weights }) => weights) as tf.io.WeightsManifestEntry[];
  return tf.io.decodeWeights(await response.arrayBuffer(), specs);
}

/** Makes the normalization of a block. Its weights are gamma and beta, in this order. */
export type MakeNormalization = (options: { name: string; epsilon: number }) => tf.layers.Layer;

/** Takes images [batch, height, width, 3] in [0, 1], height and width multiples of 4 and at least 32, to painted ones. */
export function styleNetwork(
  weights: Weights,
  normalization: MakeNormalization = instanceNormalization,
): tf.LayersModel {
  function block(x: tf.SymbolicTensor, name: string, { activation, strides = 1, upsample = false }: BlockOptions) {
    const kernel = weights[`${name}.kernel`];
    const [kernelSize, , , filters] = kernel.shape;
    const apply = (layer: tf.layers.Layer) => {
      x = layer.apply(x) as tf.SymbolicTensor;
    };
    if (upsample) apply(tf.layers.upSampling2d({ size: [2, 2] }));
    apply(new ReflectionPadding((kernelSize - 1) / 2));
    const convolution = tf.layers.conv2d({ name: `${name}.conv`, filters, kernelSize, strides, useBias: false });
    apply(convolution);
    convolution.setWeights([kernel]);
    apply(normalization({ name: `${name}.norm`, epsilon: EPSILON }));
    if (activation) apply(tf.layers.activation({ activation }));
    return x;
  }

  const input = tf.input({ shape: [null, null, 3] });
  let x = block(input, 'contract.0', { activation: 'relu' });
  x = block(x, 'contract.1', { activation: 'relu', strides: 2 });
  x = block(x, 'contract.2', { activation: 'relu', strides: 2 });
  for (let i = 0; i < 6; i++) {
    const inner = block(x, `res.${i}.0`, { activation: 'relu' });
    x = tf.layers.add().apply([x, block(inner, `res.${i}.1`, {})]) as tf.SymbolicTensor;
  }
  x = block(x, 'expand.0', { activation: 'relu', upsample: true });
  x = block(x, 'expand.1', { activation: 'relu', upsample: true });
  x = block(x, 'expand.2', { activation: 'sigmoid' });
  return tf.model({ inputs: input, outputs: x });
}

interface BlockOptions {
  readonly activation?: 'relu' | 'sigmoid';
  readonly strides?: number;
  readonly upsample?: boolean;
}

/** A style is nothing but gammas and betas: the network gets `shares` (26 numbers of sum 1) times those of each style. */
export function setStyle(model: tf.LayersModel, weights: Weights, shares: readonly number[]): void {
  tf.tidy(() => {
    const mix = tf.tensor1d([...shares]);
    for (const layer of model.layers) {
      const [block, norm] = layer.name.split('.norm');
      if (norm === '')
        layer.setWeights([tf.dot(mix, weights[`${block}.gamma`]), tf.dot(mix, weights[`${block}.beta`])]);
    }
  });
}

/**
 * Continues an image by its mirror image. Good for inference alone: the gradient of `tf.mirrorPad` in TensorFlow.js leaves
 * out what flows through the mirrored edge.
 */
class ReflectionPadding extends tf.layers.Layer {
  static readonly className = 'ReflectionPadding';
  readonly width: number;

  constructor(width: number) {
    super({});
    this.width = width;
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    const [batch, height, width, channels] = inputShape;
    const padded = (size: number | null) => size && size + 2 * this.width;
    return [batch, padded(height), padded(width), channels];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    const both: [number, number] = [this.width, this.width];
    return tf.mirrorPad(x, [[0, 0], both, both, [0, 0]], 'reflect');
  }
}
