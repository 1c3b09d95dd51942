/**
 * Writes models.json: one model for each layer, made, trained and saved by build.cjs, the build of release 0.1.0, with an
 * input and the predictions. Later releases must load them and predict the same.
 *
 *   node test/goldens/release-0.1.0/generate.mjs
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs');
const tfn = require('./build.cjs');
await tf.setBackend('cpu');

const image = [4, 4, 4, 4];
const { dense, conv2d, conv2dTranspose, depthwiseConv2d, separableConv2d, embedding, lstm } = tf.layers;
const kernelInitializer = () => tf.initializers.glorotNormal({ seed: 3 });

/** name: [shape of the input, layers before the last]. An input of several tensors is a list of shapes. */
const MODELS = {
  'batch': [image, () => [tfn.batchNormalization({ momentum: 0.8 })]],
  'batch, no scale, axis 1': [image, () => [tfn.batchNormalization({ scale: false, axis: 1, epsilon: 1e-5 })]],
  'batch, renorm': [[8, 5], () => [tfn.batchNormalization({ renorm: true, renormClipping: { rmax: 2, dmax: 1 } })]],
  'instance': [image, () => [tfn.instanceNormalization()]],
  'layer': [[8, 6], () => [tfn.layerNormalization({ gammaRegularizer: 'l2' })]],
  'layer, axes': [image, () => [tfn.layerNormalization({ axis: [1, 2, 3], center: false })]],
  'rms': [[8, 6], () => [tfn.rmsNormalization()]],
  'rms, as Keras': [[8, 6], () => [tfn.rmsNormalization({ center: false, epsilonPlacement: 'inside' })]],
  'group': [image, () => [tfn.groupNormalization({ groups: 2, betaConstraint: 'nonNeg' })]],
  'weight, dense': [[8, 5], () => [tfn.weightNormalization({ layer: dense({ units: 4, kernelInitializer: kernelInitializer() }) })]],
  'weight, data initialization': [
    [8, 5],
    () => [tfn.weightNormalization({ layer: dense({ units: 4, kernelInitializer: kernelInitializer() }), dataInit: true })],
  ],
  'weight, transposed convolution': [
    image,
    () => [tfn.weightNormalization({ layer: conv2dTranspose({ filters: 3, kernelSize: 2, kernelInitializer: kernelInitializer() }) })],
  ],
  'weight, lstm': [
    [8, 5, 3],
    () => [
      tfn.weightNormalization({
        layer: lstm({ units: 3, kernelInitializer: kernelInitializer(), recurrentInitializer: kernelInitializer() }),
      }),
    ],
  ],
  'weight, separable convolution': [
    image,
    () => [
      tfn.weightNormalization({
        layer: separableConv2d({
          filters: 3,
          kernelSize: 2,
          depthwiseInitializer: kernelInitializer(),
          pointwiseInitializer: kernelInitializer(),
        }),
      }),
    ],
  ],
  'spectral, convolution': [
    image,
    () => [tfn.spectralNormalization({ layer: conv2d({ filters: 3, kernelSize: 3, kernelInitializer: kernelInitializer() }) })],
  ],
  'spectral, depthwise convolution': [
    image,
    () => [
      tfn.spectralNormalization({
        layer: depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, depthwiseInitializer: kernelInitializer() }),
      }),
    ],
  ],
  'spectral, as Keras': [
    [8, 5],
    () => [tfn.spectralNormalization({ layer: dense({ units: 4, kernelInitializer: kernelInitializer() }), reparameterize: false })],
  ],
  'spectral, embedding': [
    [8, 5],
    () => [tfn.spectralNormalization({ layer: embedding({ inputDim: 7, outputDim: 3, embeddingsInitializer: kernelInitializer() }) })],
    'integers',
  ],
  'batch-instance': [image, () => [tfn.batchInstanceNormalization({ rhoInitializer: tf.initializers.constant({ value: 0.5 }) })]],
  'switchable': [image, () => [tfn.switchableNormalization()]],
  'switchable, dense, without batch': [[8, 6], () => [tfn.switchableNormalization({ useBatchStatistics: false })]],
  'renormalization': [[8, 6], () => [tfn.batchRenormalization({ rampSteps: { rmax: [0, 10], dmax: [0, 8] } })]],
  'renormalization, no ramp': [image, () => [tfn.batchRenormalization({ rampSteps: null, renormClipping: { rmax: 2, rmin: 0.4 } })]],
  'mean-only': [image, () => [tfn.meanOnlyBatchNormalization()]],
  'unit': [[8, 6], () => [tfn.unitNormalization()]],
  'feature': [[8, 3], () => [tfn.featureNormalization({ mean: [1, 2, 3], variance: [4, 5, 6] })]],
};

/** Attention has three inputs, and QKNormalization two. */
const ATTENTION = {
  'query-key': () => {
    const inputs = [1, 2].map(() => tf.input({ shape: [4, 6] }));
    const [q, k] = tfn.qkNormalization({ sequenceLength: 4 }).apply(inputs);
    return tf.model({ inputs, outputs: tf.layers.dot({ axes: -1 }).apply([q, k]) });
  },
  'query-key attention': () => {
    const inputs = [1, 2, 3].map(() => tf.input({ shape: [2, 4, 6] }));
    return tf.model({ inputs, outputs: tfn.qkNormAttention({ sequenceLength: 4, causal: true }).apply(inputs) });
  },
};

const size = (shape) => shape.reduce((a, b) => a * b, 1);
const values = (shape, integers) =>
  Array.from({ length: size(shape) }, (_, i) => (integers ? (i * i + 3 * i) % 7 : Math.round(1e3 * (2 * Math.sin(1 + 2.3 * i + i * i) + 1)) / 1e3));

async function describe(name, model, shapes, integers) {
  const inputs = shapes.map((shape) => ({ shape, data: values(shape, integers) }));
  const xs = inputs.map(({ shape, data }) => tf.tensor(data, shape));
  const y = model.predict(xs);
  const target = tf.randomNormal(y.shape, 0, 1, 'float32', 5);
  if (model.trainableWeights.length > 0) {
    model.compile({ optimizer: tf.train.sgd(0.05), loss: 'meanSquaredError' });
    await model.fit(xs, target, { epochs: 3, batchSize: y.shape[0], shuffle: false, verbose: 0 });
  }
  let saved;
  await model.save(tf.io.withSaveHandler(async (artifacts) => {
    saved = artifacts;
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  }));
  const { modelTopology, weightSpecs, weightData } = saved;
  const expected = model.predict(xs);
  return {
    name,
    modelTopology,
    weightSpecs,
    weightData: Buffer.from(weightData).toString('base64'),
    inputs,
    expected: { shape: expected.shape, data: Array.from(expected.dataSync(), (value) => Number(value.toPrecision(8))) },
  };
}

const models = [];
for (const [name, [shape, layers, integers]] of Object.entries(MODELS)) {
  const model = tf.sequential();
  for (const [i, layer] of layers().entries()) {
    if (i === 0) layer.batchInputShape = [null, ...shape.slice(1)];
    model.add(layer);
  }
  models.push(await describe(name, model, [shape], integers === 'integers'));
}
models.push(await describe('query-key', ATTENTION['query-key'](), [[8, 4, 6], [8, 4, 6]]));
models.push(await describe('query-key attention', ATTENTION['query-key attention'](), [[3, 2, 4, 6], [3, 2, 4, 6], [3, 2, 4, 6]]));
writeFileSync(new URL('models.json', import.meta.url), `[\n${models.map((model) => JSON.stringify(model)).join(',\n')}\n]\n`);
