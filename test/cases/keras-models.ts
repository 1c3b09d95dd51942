/** Models that Keras saved: loaded, trained, saved and loaded again, in this process or in the page. */
import * as tf from '@tensorflow/tfjs';
import { loadModel } from '../../layers/index.ts';
import { type Data, take } from './tensors.ts';

/** A model as the page can receive it. */
export interface KerasModel {
  readonly modelTopology: object;
  readonly weightSpecs: tf.io.WeightsManifestEntry[];
  readonly bytes: number[];
  readonly inputs: readonly { readonly shape: number[]; readonly data: number[] }[];
  /** Whether to train, before the model is saved. */
  readonly train: boolean;
}

export const loadTrainSave = async ({ modelTopology, weightSpecs, bytes, inputs, train }: KerasModel) => {
  const x = inputs.map(({ data, shape }) => tf.tensor(data, shape));
  const predict = (model: tf.LayersModel): Promise<Data[]> => Promise.all([model.predict(x)].flat().map(take));
  const weightsOf = (model: tf.LayersModel) => Promise.all(model.weights.map((weight) => weight.read().data()));
  const model = await loadModel(
    tf.io.fromMemory({ modelTopology, weightSpecs, weightData: Uint8Array.from(bytes).buffer }),
  );
  const classes = model.layers.map((layer) => layer.getClassName());
  const outputs = await predict(model);
  const before = await weightsOf(model);

  const losses = train ? await trainSteps(model, x) : [];
  const after = await weightsOf(model);
  const moved = after.filter((data, i) => data.some((value, j) => value !== before[i]![j])).length;
  const trained = await predict(model);

  await makeOwn(model);
  const saved: tf.io.ModelArtifacts[] = [];
  await model.save(
    tf.io.withSaveHandler(async (given) => {
      saved.push(given);
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  const file = () =>
    tf.io.fromMemory({ ...saved[0]!, modelTopology: JSON.parse(JSON.stringify(saved[0]!.modelTopology)) });
  const again: Data[][] = [];
  for (const load of [loadModel, tf.loadLayersModel]) {
    const loaded = await load(file());
    again.push(await predict(loaded));
    disposeAll(loaded);
  }
  tf.dispose(x);
  disposeAll(model);
  return { classes, outputs, losses, moved, trained, again };
};

/** TensorFlow.js keeps the weights of models within that are called more than once. */
function disposeAll(model: tf.LayersModel): void {
  const values = model.weights.map((weight) => weight.read());
  model.dispose();
  tf.dispose(values);
}

/** Three steps towards zeros; the losses. */
async function trainSteps(model: tf.LayersModel, x: tf.Tensor[]): Promise<number[]> {
  const batchSize = x[0]!.shape[0]!;
  const optimizer = tf.train.sgd(0.01);
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const targets = model.outputs.map(({ shape }) => tf.zeros([batchSize, ...shape.slice(1)] as number[]));
  const { history } = await model.fit(x, targets, { epochs: 3, batchSize, verbose: 0 });
  tf.dispose(targets);
  optimizer.dispose();
  return history.loss as number[];
}

/** Gives the weights arrays of this realm, which Jest keeps apart: TensorFlow.js saves what is `instanceof Float32Array`. */
async function makeOwn(model: tf.LayersModel): Promise<void> {
  for (const weight of model.weights) {
    const value = tf.tensor(Array.from(await weight.read().data()), weight.shape as number[], weight.dtype);
    weight.write(value);
    value.dispose();
  }
}
