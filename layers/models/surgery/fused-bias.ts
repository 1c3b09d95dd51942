/**
 * Depthwise convolutions that add their bias in the same draw. TensorFlow.js's layer takes a second one, so that a normalization
 * folded into it would save none. The layer's class, options and weights are the same; only this copy of it is faster.
 */
import { fused, getBackend, getKernel, type Tensor, type Tensor3D, type Tensor4D, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable, layers } from '@tensorflow/tfjs-layers';

/** Members that TensorFlow.js does not declare. */
interface DepthwiseConv2D extends layers.Layer {
  readonly depthwiseKernel: LayerVariable;
  readonly bias: LayerVariable | null;
  readonly strides: [number, number];
  readonly padding: 'valid' | 'same';
  readonly dataFormat: string;
  readonly activation: { apply(x: Tensor): Tensor } | null;
}

/** Lets the layer add its bias while it convolves, where the backend can. */
export function fuseBias(layer: layers.Layer): void {
  if (layer.getClassName() !== 'DepthwiseConv2D') return;
  const { call } = layer;
  const depthwise = layer as DepthwiseConv2D;
  layer.call = (inputs, kwargs) => {
    const { bias, dataFormat, strides, padding: pad, activation } = depthwise;
    const canFuse = bias && dataFormat === 'channelsLast' && getKernel('FusedDepthwiseConv2D', getBackend());
    if (!canFuse) return call.call(layer, inputs, kwargs);
    return tidy(() => {
      const [x] = [inputs].flat() as [Tensor4D];
      const filter = depthwise.depthwiseKernel.read() as Tensor4D;
      const y = fused.depthwiseConv2d({ x, filter, strides, pad, bias: bias.read() as Tensor3D });
      return activation ? activation.apply(y) : y;
    });
  };
}
