/** A model that an earlier release has saved: loaded by TensorFlow.js, with the present classes, and run once. */
import * as tf from '@tensorflow/tfjs';
import '../../layers/index.ts';
import { take } from './tensors.ts';

/** An entry of test/goldens/release-0.1.0/models.json. */
export interface SavedModel {
  readonly name: string;
  readonly modelTopology: object;
  readonly weightSpecs: tf.io.WeightsManifestEntry[];
  /** base64 */
  readonly weightData: string;
  readonly inputs: readonly { readonly shape: number[]; readonly data: number[] }[];
  readonly expected: { readonly shape: number[]; readonly data: number[] };
}

export const predictSaved = async ({ modelTopology, weightSpecs, weightData, inputs }: SavedModel) => {
  const bytes = Uint8Array.from(atob(weightData), (character) => character.charCodeAt(0));
  const model = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData: bytes.buffer }));
  const x = inputs.map(({ data, shape }) => tf.tensor(data, shape));
  const y = model.predict(x) as tf.Tensor;
  const { shape } = y;
  const data = await take(y);
  tf.dispose(x);
  model.dispose();
  return { shape, data };
};
