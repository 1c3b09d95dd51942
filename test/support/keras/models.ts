/** Models made of branches, random graphs of layers that are called several times, and inputs for them. */
import * as tf from '@tensorflow/tfjs';
import { batchNormalization, instanceNormalization, switchableNormalization } from '../../../layers/index.ts';
import { sizeOf, weightValues } from '../layer-inputs.ts';
import { lastPart } from '../layers.ts';
import { normals, uniforms } from '../random.ts';
import { type Branches, masked, predicted, trained } from './branches.ts';

type Symbolic = tf.SymbolicTensor;

/** A model for Keras with its inputs, and the names of its outputs for messages. */
export interface Subject {
  readonly model: tf.LayersModel;
  readonly inputs: tf.Tensor[];
  readonly outputs: readonly string[];
}

const BATCH = 4;

/** One model of all branches. If it is to be trained, outputs are flat: TensorFlow.js adds up losses of one shape only. */
function modelOfBranches(branches: Branches, isTrained = false): Subject {
  const flat = (output: Symbolic) =>
    isTrained && output.rank > 2 ? (tf.layers.flatten().apply(output) as Symbolic) : output;
  const all = Object.entries(branches).map(([name, branch]) => {
    const inputs = branch.shapes.map((shape, i) =>
      tf.input({ shape: [...shape], dtype: branch.below?.[i] ? 'int32' : 'float32' }),
    );
    return { name, branch, inputs, outputs: [branch.apply(inputs)].flat().map(flat) };
  });
  const model = tf.model({
    inputs: all.flatMap(({ inputs }) => inputs),
    outputs: all.flatMap(({ outputs }) => outputs),
  });
  fill(model);
  return {
    model,
    inputs: all.flatMap(({ branch }, i) =>
      branch.shapes.map((shape, j) => inputOf(shape, 100 * i + j, branch.below?.[j], branch.zeros)),
    ),
    outputs: all.flatMap(({ name, outputs }) => outputs.map(() => name)),
  };
}

/** Values for all weights, but those of wrappers, of which some go with others. */
function fill(model: tf.LayersModel): void {
  for (const layer of model.layers) {
    if ('layers' in layer) fill(layer as tf.LayersModel);
    else if (!('effectiveKernels' in layer)) tf.tidy(() => layer.weights.forEach(fillWeight));
  }
}

function fillWeight(weight: tf.LayerVariable): void {
  const shape = weight.shape as number[];
  const values = weightValues(lastPart(weight.originalName), sizeOf(shape));
  weight.write(tf.tensor(values, shape, weight.dtype));
}

function inputOf(shape: readonly number[], seed: number, below?: number, zeros = false): tf.Tensor {
  const whole = [BATCH, ...shape];
  const size = whole.reduce((a, b) => a * b, 1);
  const draw = uniforms(seed);
  if (below)
    return tf.tensor(
      Int32Array.from({ length: size }, () => Math.floor(below * draw())),
      whole,
      'int32',
    );
  const x = tf.tensor(normals(seed, size), whole);
  const kept = tf.tensor(Float32Array.from({ length: size / shape.at(-1)! }, () => (draw() < 0.4 ? 0 : 1)));
  return zeros ? tf.mul(x, kept.reshape([...whole.slice(0, -1), 1])) : x;
}

/** A random graph: layers and models are called once or more, on results of others of the same shape. */
function randomGraph(seed: number): Subject {
  const draw = uniforms(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(draw() * list.length)]!;
  const width = 3;
  const within = (): tf.LayersModel => {
    if (draw() < 0.5) {
      return tf.sequential({
        layers: [tf.layers.dense({ units: width, inputShape: [5, width] }), batchNormalization()],
      });
    }
    const input = tf.input({ shape: [5, width] });
    const inner = tf.layers.dense({ units: width, activation: 'tanh' });
    return tf.model({ inputs: input, outputs: inner.apply(inner.apply(input)) as Symbolic });
  };
  const makers = [
    () => tf.layers.dense({ units: width }),
    () => tf.layers.conv1d({ filters: width, kernelSize: 3, padding: 'same' }),
    () => switchableNormalization(),
    () => instanceNormalization(),
    () => tf.layers.lstm({ units: width, returnSequences: true, recurrentActivation: 'sigmoid' }),
    within,
  ];
  const inputs = Array.from({ length: 1 + Math.floor(draw() * 2) }, () => tf.input({ shape: [5, width] }));
  const layers = Array.from({ length: 4 }, () => pick(makers)());
  const tensors = [...inputs];
  for (let i = 0; i < 8; i++) {
    const input = pick(tensors);
    // TensorFlow.js disposes of a tensor too early that is added to itself.
    const other = pick(tensors.filter((tensor) => tensor !== input));
    const isMerge = other !== undefined && draw() < 0.3;
    tensors.push((isMerge ? tf.layers.add().apply([input, other]) : pick(layers).apply(input)) as Symbolic);
  }
  // All inputs are used, and some results twice.
  const outputs = [
    tf.layers.average().apply([...inputs, tensors.at(-1)!]) as Symbolic,
    ...(draw() < 0.5 ? [tensors.at(-2)!] : []),
  ];
  const model = tf.model({ inputs, outputs });
  fill(model);
  return {
    model,
    inputs: inputs.map((_, i) => inputOf([5, width], seed + i)),
    outputs: outputs.map((_, i) => `output ${i}`),
  };
}

/** Sequential models: with and without a layer of the input, and with models in them. */
function sequentials(): Record<string, Subject> {
  const of = (layers: tf.layers.Layer[], shape: number[]): Subject => {
    const model = tf.sequential({ layers });
    fill(model);
    return { model, inputs: [inputOf(shape, 7)], outputs: ['output'] };
  };
  const inner = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [4] }), tf.layers.reLU()] });
  return {
    'Sequential with the shape of its input': of(
      [tf.layers.dense({ units: 3, inputShape: [4] }), batchNormalization()],
      [4],
    ),
    'Sequential with a layer of its input': of(
      [tf.layers.inputLayer({ inputShape: [4] }), tf.layers.dense({ units: 3 })],
      [4],
    ),
    'Sequential with a Sequential in it': of([inner, tf.layers.dense({ units: 2 })], [4]),
  };
}

/** All models by their names, each made when it is needed, with so many random graphs. */
export const subjects = (graphs: number): Record<string, () => Subject> => ({
  'layers that learn': () => modelOfBranches(trained(), true),
  'other layers': () => modelOfBranches(predicted()),
  ...Object.fromEntries(
    Object.entries(masked()).map(([name, branch]) => [name, () => modelOfBranches({ [name]: branch })]),
  ),
  ...Object.fromEntries(Object.entries(sequentials()).map(([name, subject]) => [name, () => subject])),
  ...Object.fromEntries(Array.from({ length: graphs }, (_, i) => [`random graph ${i}`, () => randomGraph(i + 1)])),
});
