/**
 * One small model for each class of layers, and for options that are written differently in Keras: `written`, whose files open in
 * Keras with the same predictions, and `refused`, with a part of the message.
 */

/** A graph of one layer. */
const around = (tf, inputShape, layer, dtype = 'float32') => {
  const input = tf.input({ shape: inputShape, dtype });
  return tf.model({ inputs: input, outputs: layer.apply(input) });
};
/** Of a layer that merges two inputs. */
const merging = (tf, shapes, layer) => {
  const inputs = shapes.map((shape) => tf.input({ shape }));
  return tf.model({ inputs, outputs: layer.apply(inputs) });
};
const sigmoid = { recurrentActivation: 'sigmoid' };

const ACTIVATIONS = ['elu', 'gelu', 'linear', 'logSoftmax', 'mish', 'relu', 'relu6', 'selu', 'sigmoid'];
ACTIVATIONS.push('softmax', 'softplus', 'softsign', 'swish', 'tanh');
const INITIALIZERS = {
  constant: { value: 0.5 },
  glorotNormal: {},
  glorotUniform: {},
  heNormal: {},
  heUniform: {},
  leCunNormal: {},
  leCunUniform: {},
  identity: { gain: 2 },
  ones: {},
  orthogonal: { gain: 1.5 },
  randomNormal: { stddev: 0.2 },
  randomUniform: { minval: -1, maxval: 1 },
  truncatedNormal: { stddev: 0.2 },
  varianceScaling: { scale: 2, mode: 'fanAvg', distribution: 'uniform' },
  zeros: {},
};
const REGULARIZERS = { l1: { l1: 0.1 }, l2: { l2: 0.1 }, l1l2: { l1: 0.1, l2: 0.2 } };
const CONSTRAINTS = { maxNorm: {}, minMaxNorm: { rate: 0.5 }, nonNeg: {}, unitNorm: {} };

/** By name, a function that makes a model. */
export function written(tf) {
  const { layers: l } = tf;
  const one = (shape, layer, dtype) => () => around(tf, shape, layer, dtype);
  const two = (shapes, layer) => () => merging(tf, shapes, layer);
  const image = [6, 5, 3];
  const sequence = [6, 3];
  const cases = {
    Dense: one([4], l.dense({ units: 3 })),
    'Dense of sequences': one(sequence, l.dense({ units: 3, useBias: false })),
    Dropout: one([4], l.dropout({ rate: 0.5, seed: 1 })),
    SpatialDropout1D: one(sequence, l.spatialDropout1d({ rate: 0.5 })),
    Flatten: one(image, l.flatten()),
    'Flatten, channels first': one(image, l.flatten({ dataFormat: 'channelsFirst' })),
    RepeatVector: one([4], l.repeatVector({ n: 3 })),
    Reshape: one(image, l.reshape({ targetShape: [15, null] })),
    Permute: one(image, l.permute({ dims: [3, 1, 2] })),
    Masking: one(sequence, l.masking({ maskValue: 0.5 })),
    Embedding: one([4], l.embedding({ inputDim: 10, outputDim: 3, inputLength: 4 }), 'int32'),
    'Embedding with maskZero': one([4], l.embedding({ inputDim: 10, outputDim: 3, maskZero: true }), 'int32'),
    Conv1D: one(sequence, l.conv1d({ filters: 2, kernelSize: 3, strides: 2, padding: 'same' })),
    'Conv1D, dilated': one(sequence, l.conv1d({ filters: 2, kernelSize: 3, dilationRate: 2 })),
    Conv2D: one(image, l.conv2d({ filters: 2, kernelSize: [3, 2], strides: [2, 1], padding: 'same' })),
    'Conv2D, dilated': one(image, l.conv2d({ filters: 2, kernelSize: 2, dilationRate: 2 })),
    'Conv2D, channels first': one([3, 6, 5], l.conv2d({ filters: 2, kernelSize: 3, dataFormat: 'channelsFirst' })),
    Conv3D: one([4, 4, 4, 2], l.conv3d({ filters: 2, kernelSize: 2, strides: 2 })),
    Conv2DTranspose: one(image, l.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2, padding: 'same' })),
    'Conv2DTranspose, valid': one(image, l.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2 })),
    Conv3DTranspose: one([3, 3, 3, 2], l.conv3dTranspose({ filters: 2, kernelSize: 2, strides: 2 })),
    DepthwiseConv2D: one(
      image,
      l.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, depthwiseConstraint: 'nonNeg' }),
    ),
    SeparableConv2D: one(image, l.separableConv2d({ filters: 2, kernelSize: 3, depthMultiplier: 2 })),
    Cropping2D: one(
      image,
      l.cropping2D({
        cropping: [
          [1, 2],
          [0, 1],
        ],
      }),
    ),
    ZeroPadding2D: one(
      image,
      l.zeroPadding2d({
        padding: [
          [1, 2],
          [0, 1],
        ],
      }),
    ),
    'ZeroPadding2D, channels first': one(image, l.zeroPadding2d({ padding: 1, dataFormat: 'channelsFirst' })),
    UpSampling2D: one(image, l.upSampling2d({ size: [2, 3] })),
    MaxPooling1D: one(sequence, l.maxPooling1d({ poolSize: 2, strides: 1 })),
    MaxPooling2D: one(image, l.maxPooling2d({ poolSize: [2, 3], padding: 'same' })),
    MaxPooling3D: one([4, 4, 4, 2], l.maxPooling3d({ poolSize: 2 })),
    AveragePooling1D: one(sequence, l.averagePooling1d({ poolSize: 2, strides: 1 })),
    AveragePooling2D: one(image, l.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' })),
    AveragePooling3D: one([4, 4, 4, 2], l.averagePooling3d({ poolSize: 2, padding: 'same' })),
    GlobalAveragePooling1D: one(sequence, l.globalAveragePooling1d()),
    GlobalAveragePooling2D: one(image, l.globalAveragePooling2d({})),
    GlobalMaxPooling1D: one(sequence, l.globalMaxPooling1d()),
    GlobalMaxPooling2D: one(image, l.globalMaxPooling2d({ dataFormat: 'channelsFirst' })),
    Add: two([sequence, sequence], l.add()),
    'Add of other shapes': two([sequence, [1, 3]], l.add()),
    Multiply: two([sequence, sequence], l.multiply()),
    Average: two([sequence, sequence, sequence], l.average()),
    Maximum: two([sequence, sequence], l.maximum()),
    Minimum: two([sequence, sequence], l.minimum()),
    Concatenate: two([sequence, [4, 3]], l.concatenate({ axis: 1 })),
    Dot: two([sequence, sequence], l.dot({ axes: 1 })),
    'Dot, normalized': two([[4], [4]], l.dot({ axes: -1, normalize: true })),
    'Dot of two axes': two(
      [
        [4, 3],
        [3, 5],
      ],
      l.dot({ axes: [2, 1] }),
    ),
    ReLU: one(image, l.reLU({ maxValue: 1 })),
    LeakyReLU: one(image, l.leakyReLU({ alpha: 0.2 })),
    PReLU: one(image, l.prelu({ sharedAxes: [1, 2], alphaInitializer: 'randomNormal' })),
    ELU: one(image, l.elu()),
    Softmax: one([4], l.softmax({ axis: -1 })),
    GaussianNoise: one([4], l.gaussianNoise({ stddev: 0.5 })),
    GaussianDropout: one([4], l.gaussianDropout({ rate: 0.5 })),
    AlphaDropout: one([4], l.alphaDropout({ rate: 0.5 })),
    SimpleRNN: one(sequence, l.simpleRNN({ units: 4 })),
    GRU: one(sequence, l.gru({ units: 4, ...sigmoid })),
    'GRU, backwards': one(sequence, l.gru({ units: 4, goBackwards: true, returnSequences: true, ...sigmoid })),
    LSTM: one(sequence, l.lstm({ units: 4, unitForgetBias: true, ...sigmoid })),
    'LSTM with its states': one(sequence, l.lstm({ units: 4, returnSequences: true, returnState: true, ...sigmoid })),
    'LSTM, unrolled': one(
      sequence,
      l.lstm({ units: 4, unroll: true, dropout: 0.1, recurrentDropout: 0.1, ...sigmoid }),
    ),
    'LSTM from given states': () => {
      const inputs = [[6, 3], [4], [4]].map((shape) => tf.input({ shape }));
      return tf.model({
        inputs,
        outputs: l.lstm({ units: 4, ...sigmoid }).apply(inputs[0], { initialState: inputs.slice(1) }),
      });
    },
    RNN: one(sequence, l.rnn({ cell: l.gruCell({ units: 4, ...sigmoid }) })),
    'RNN of three cells': one(
      sequence,
      l.rnn({
        cell: [
          l.lstmCell({ units: 4, ...sigmoid }),
          l.simpleRNNCell({ units: 3 }),
          l.lstmCell({ units: 2, ...sigmoid }),
        ],
        returnSequences: true,
      }),
    ),
    ConvLSTM2D: one([4, 6, 5, 2], l.convLstm2d({ filters: 3, kernelSize: 3, padding: 'same', ...sigmoid })),
    'LSTM after Masking': () =>
      tf.sequential({ layers: [l.masking({ inputShape: sequence, maskValue: 0 }), l.lstm({ units: 4, ...sigmoid })] }),
    'GRU after an embedding with maskZero': () =>
      tf.sequential({
        layers: [
          l.embedding({ inputDim: 10, outputDim: 3, maskZero: true, batchInputShape: [null, 6], dtype: 'int32' }),
          l.gru({ units: 4, returnSequences: true, ...sigmoid }),
          l.dropout({ rate: 0.1 }),
          l.gru({ units: 3, ...sigmoid }),
        ],
      }),
    ...Object.fromEntries(
      ['concat', 'sum', 'mul', 'ave', null].map((mergeMode) => [
        `Bidirectional, ${mergeMode}`,
        one(sequence, l.bidirectional({ layer: l.lstm({ units: 4, returnSequences: true, ...sigmoid }), mergeMode })),
      ]),
    ),
    'Bidirectional, the last output': one(
      sequence,
      l.bidirectional({ layer: l.gru({ units: 4, ...sigmoid }), mergeMode: 'concat' }),
    ),
    TimeDistributed: one([3, ...image], l.timeDistributed({ layer: l.conv2d({ filters: 2, kernelSize: 3 }) })),
    Rescaling: one(image, l.rescaling({ scale: 0.5, offset: 0.25 })),
    'CategoryEncoding, oneHot': one([1], l.categoryEncoding({ numTokens: 10, outputMode: 'oneHot' }), 'int32'),
    'CategoryEncoding, multiHot': one([4], l.categoryEncoding({ numTokens: 10, outputMode: 'multiHot' }), 'int32'),
    'CategoryEncoding, count': one([4], l.categoryEncoding({ numTokens: 10, outputMode: 'count' }), 'int32'),
    "TensorFlow.js's BatchNormalization": one(image, l.batchNormalization({ axis: 1 })),
    "TensorFlow.js's LayerNormalization": one(image, l.layerNormalization({ axis: [2, 3] })),
  };
  for (const activation of ACTIVATIONS) {
    cases[`activation ${activation}`] = one([4], l.activation({ activation }));
    cases[`Dense with ${activation}`] = one([4], l.dense({ units: 3, activation }));
  }
  for (const [name, options] of Object.entries(INITIALIZERS)) {
    cases[`initializer ${name}`] = one([4], l.dense({ units: 4, kernelInitializer: tf.initializers[name](options) }));
  }
  for (const [name, options] of Object.entries(REGULARIZERS)) {
    cases[`regularizer ${name}`] = one([4], l.dense({ units: 4, kernelRegularizer: tf.regularizers[name](options) }));
  }
  for (const [name, options] of Object.entries(CONSTRAINTS)) {
    cases[`constraint ${name}`] = one([4], l.dense({ units: 4, kernelConstraint: tf.constraints[name](options) }));
  }
  return cases;
}
