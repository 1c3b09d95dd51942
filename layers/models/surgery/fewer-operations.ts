/**
 * Layers that take fewer operations than TensorFlow.js's own, with the same class, options, weights and results. Only the copies in a
 * folded model are, not what is loaded when it was saved.
 */
import {
  fused,
  getBackend,
  getKernel,
  relu6,
  type Tensor,
  type Tensor3D,
  type Tensor4D,
  tidy,
} from '@tensorflow/tfjs-core';
import type { LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { layersWithin } from './draft.ts';

type Layer = layers.Layer;

/** Members that TensorFlow.js does not declare. */
interface DepthwiseConv2D extends Layer {
  readonly depthwiseKernel: LayerVariable;
  readonly bias: LayerVariable | null;
  readonly strides: [number, number];
  readonly padding: 'valid' | 'same';
  readonly dataFormat: string;
  readonly activation: { apply(x: Tensor): Tensor } | null;
}

/** Lets the layers of a model, and of those within, take fewer operations, where the backend can. */
export function useFewerOperations(model: Layer): void {
  for (const layer of layersWithin(model)) {
    if (layer.getClassName() === 'DepthwiseConv2D') addBiasWhileConvolving(layer as DepthwiseConv2D);
    if (endsAtSix(layer)) {
      replaceCall(layer, 'Relu6', ([x]) => relu6(x as Tensor));
    }
  }
}

/** Whether the layer is y = min(max(x, 0), 6), which TensorFlow.js's computes in two operations, and in three in Node. */
const endsAtSix = (layer: Layer): boolean => {
  const { maxValue, activation } = layer.getConfig();
  return layer.getClassName() === 'ReLU'
    ? maxValue === 6
    : layer.getClassName() === 'Activation' && activation === 'relu6';
};

/** A normalization that is folded into the layer would else save no operation: adding the bias takes one. */
function addBiasWhileConvolving(layer: DepthwiseConv2D): void {
  if (layer.dataFormat !== 'channelsLast' || !layer.bias) return;
  replaceCall(layer, 'FusedDepthwiseConv2D', ([x]) => {
    const { strides, padding: pad, activation } = layer;
    const [filter, bias] = [layer.depthwiseKernel.read() as Tensor4D, layer.bias?.read() as Tensor3D];
    const y = fused.depthwiseConv2d({ x: x as Tensor4D, filter, strides, pad, bias });
    return activation ? activation.apply(y) : y;
  });
}

/** Gives the layer another call, for backends that have the kernel. */
function replaceCall(layer: Layer, kernelName: string, faster: (inputs: Tensor[]) => Tensor): void {
  const { call } = layer;
  layer.call = (inputs, kwargs) =>
    getKernel(kernelName, getBackend()) ? tidy(() => faster([inputs].flat())) : call.call(layer, inputs, kwargs);
}
