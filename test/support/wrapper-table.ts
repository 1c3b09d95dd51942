/** The layers that can be wrapped: what each is, on which input, and which axes of its kernels number the output units. */
export interface Wrappable {
  readonly layer: { readonly className: string; readonly config: Readonly<Record<string, unknown>> };
  /** Of the input, the batch first. */
  readonly shape: readonly number[];
  readonly kernels: Readonly<Record<string, { readonly shape: readonly number[]; readonly units: readonly number[] }>>;
  /** Inputs are indices below this. */
  readonly indices?: number;
  /** TensorFlow.js's wasm backend has no gradients of convolutions. */
  readonly convolution?: boolean;
}

const gated = (gates: number) => ({
  kernel: { shape: [3, 4 * gates], units: [1] },
  recurrent_kernel: { shape: [4, 4 * gates], units: [1] },
});

export const WRAPPABLE: Readonly<Record<string, Wrappable>> = {
  dense: {
    layer: { className: 'Dense', config: { units: 4, activation: 'tanh' } },
    shape: [3, 5],
    kernels: { kernel: { shape: [5, 4], units: [1] } },
  },
  'dense without a bias, of rank 3': {
    layer: { className: 'Dense', config: { units: 1, useBias: false } },
    shape: [2, 3, 5],
    kernels: { kernel: { shape: [5, 1], units: [1] } },
  },
  conv1d: {
    layer: { className: 'Conv1D', config: { filters: 4, kernelSize: [2] } },
    shape: [2, 6, 3],
    kernels: { kernel: { shape: [2, 3, 4], units: [2] } },
    convolution: true,
  },
  conv2d: {
    layer: { className: 'Conv2D', config: { filters: 5, kernelSize: [3, 2], padding: 'same', strides: [2, 1] } },
    shape: [2, 5, 4, 3],
    kernels: { kernel: { shape: [3, 2, 3, 5], units: [3] } },
    convolution: true,
  },
  conv3d: {
    layer: { className: 'Conv3D', config: { filters: 3, kernelSize: [2, 1, 2] } },
    shape: [2, 3, 3, 4, 2],
    kernels: { kernel: { shape: [2, 1, 2, 2, 3], units: [4] } },
    convolution: true,
  },
  conv2dTranspose: {
    layer: { className: 'Conv2DTranspose', config: { filters: 4, kernelSize: [2, 3] } },
    shape: [2, 3, 3, 3],
    kernels: { kernel: { shape: [2, 3, 4, 3], units: [2] } },
    convolution: true,
  },
  depthwiseConv2d: {
    layer: { className: 'DepthwiseConv2D', config: { kernelSize: [2, 3], depthMultiplier: 2 } },
    shape: [2, 4, 5, 3],
    kernels: { depthwise_kernel: { shape: [2, 3, 3, 2], units: [2, 3] } },
    convolution: true,
  },
  separableConv2d: {
    // TensorFlow.js does not save a depthMultiplier.
    layer: { className: 'SeparableConv2D', config: { filters: 4, kernelSize: [2, 2] } },
    shape: [2, 4, 4, 3],
    kernels: {
      depthwise_kernel: { shape: [2, 2, 3, 1], units: [2, 3] },
      pointwise_kernel: { shape: [1, 1, 3, 4], units: [3] },
    },
    convolution: true,
  },
  embedding: {
    layer: { className: 'Embedding', config: { inputDim: 7, outputDim: 4 } },
    shape: [3, 5],
    kernels: { embeddings: { shape: [7, 4], units: [1] } },
    indices: 7,
  },
  simpleRNN: {
    layer: { className: 'SimpleRNN', config: { units: 4 } },
    shape: [2, 5, 3],
    kernels: gated(1),
  },
  gru: {
    layer: { className: 'GRU', config: { units: 4, returnSequences: true } },
    shape: [2, 5, 3],
    kernels: gated(3),
  },
  lstm: {
    layer: { className: 'LSTM', config: { units: 4, goBackwards: true } },
    shape: [2, 5, 3],
    kernels: gated(4),
  },
  convLstm2d: {
    layer: { className: 'ConvLSTM2D', config: { filters: 2, kernelSize: [2, 2] } },
    shape: [2, 3, 3, 4, 3],
    kernels: {
      kernel: { shape: [2, 2, 3, 8], units: [3] },
      recurrent_kernel: { shape: [2, 2, 2, 8], units: [3] },
    },
    convolution: true,
  },
};
