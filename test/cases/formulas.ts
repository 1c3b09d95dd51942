/** Layers and kernels whose formulas are published, with all gradients; and models of recurrent layers with theirs. */
import * as tf from '@tensorflow/tfjs';
import { standardizedKernel } from '../../kernels/functions/weights.ts';
import { loadModel } from '../../layers/index.ts';
import { layerClass, variableOf } from '../support/layers.ts';
import type { KerasModel } from './keras-models.ts';
import { type Data, take, takeAll, withTensors } from './tensors.ts';

export interface Values {
  readonly shape: number[];
  readonly data: number[];
}

/** y, and the gradients of sum(y dy) in x and in the weights, in order. Without a class: of a standardized kernel. */
export const formula = ({
  className,
  options,
  x,
  weights,
  dy,
}: {
  readonly className?: string | undefined;
  readonly options: Readonly<Record<string, unknown>>;
  readonly x: Values;
  readonly weights: readonly Values[];
  readonly dy: Values;
}) =>
  withTensors(async (make) => {
    const [input, upstream] = [x, dy].map(({ data, shape }) => make(Float32Array.from(data), shape)) as [
      tf.Tensor,
      tf.Tensor,
    ];
    if (className === undefined) {
      const { value: y, grad } = tf.valueAndGrad((w) => standardizedKernel(w, [3], options.epsilon as number))(
        input,
        upstream,
      );
      return takeAll({ y, 'gradient 0': grad });
    }
    const layer = new (layerClass(className))(options);
    layer.build([...x.shape]);
    layer.setWeights(weights.map(({ data, shape }) => make(Float32Array.from(data), shape)));
    const variables = layer.trainableWeights.map(variableOf);
    const apply = (x: tf.Tensor) => layer.apply(x) as tf.Tensor;
    const { value: y, grads } = tf.valueAndGrads(apply as (...xs: tf.Tensor[]) => tf.Tensor)(
      [input, ...variables],
      upstream,
    );
    for (const weight of layer.weights) weight.dispose();
    return takeAll({ y, ...Object.fromEntries(grads.map((grad, i) => [`gradient ${i}`, grad])) } as Record<
      string,
      tf.Tensor
    >);
  });

/** What a model makes of its input, and the gradients of sum(y dy) in all weights, in order. */
export const modelGradients = ({
  model: { modelTopology, weightSpecs, bytes },
  x,
  dy,
}: {
  readonly model: Omit<KerasModel, 'inputs' | 'train'>;
  readonly x: Values;
  readonly dy: Values;
}): Promise<{ y: Data; gradients: Data[] }> =>
  withTensors(async (make) => {
    const weightData = Uint8Array.from(bytes).buffer;
    const model = await loadModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
    const [input, upstream] = [x, dy].map(({ data, shape }) => make(Float32Array.from(data), shape)) as [
      tf.Tensor,
      tf.Tensor,
    ];
    const variables = model.trainableWeights.map(variableOf);
    const apply = () => model.apply(input) as tf.Tensor;
    const { value: y, grads } = tf.valueAndGrads(apply as (...xs: tf.Tensor[]) => tf.Tensor)(variables, upstream);
    const results = { y: await take(y), gradients: await Promise.all(grads.map(take)) };
    for (const weight of model.weights) weight.dispose();
    return results;
  });
