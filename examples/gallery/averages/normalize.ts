/** The real layer on the chosen backend: its outputs, and on which inputs one of them depends. */
import * as tf from '@tensorflow/tfjs';
import { type Cell, indexOf, type Shape } from './cells.ts';
import { givenWith } from './conditions.ts';
import { type Name, normalizationOf, type Settings, setParameters } from './normalizations.ts';

type Array4 = [number, number, number, number];
export const dimensions = ({ examples, rows, columns, channels }: Shape): Array4 => [examples, rows, columns, channels];

/** What the layer is called with for x, as a function of x: what comes beside it is that of x now. */
export function inputsFor(
  name: Name,
  { gamma, beta }: Settings,
  now: tf.Tensor4D,
): (x: tf.Tensor) => tf.Tensor | tf.Tensor[] {
  const { condition, added = 0 } = normalizationOf(name);
  if (!condition) return (x) => x;
  const given = givenWith({ condition, gamma, beta, added }, now);
  return (x) => [x, ...given];
}

/** A layer as set, built for blocks of this shape. */
export function makeLayer(name: Name, settings: Settings, shape: Shape): tf.layers.Layer {
  const { options, make, prepare } = normalizationOf(name);
  const layer = make(options(settings));
  // TensorFlow.js can dispose of a layer only if its first call has built it.
  tf.tidy(() => {
    const zeros: tf.Tensor4D = tf.zeros(dimensions(shape));
    layer.apply(inputsFor(name, settings, zeros)(zeros));
  });
  prepare?.(layer, settings);
  setParameters(layer, settings);
  return layer;
}

/** What a training call gives for the block `before`, and then for `x`. */
export function normalize(name: Name, settings: Settings, before: tf.Tensor4D, x: tf.Tensor4D): tf.Tensor[] {
  const [examples, rows, columns, channels] = x.shape;
  const layer = makeLayer(name, settings, { examples, rows, columns, channels });
  const call = (input: tf.Tensor4D) =>
    layer.apply(inputsFor(name, settings, input)(input), { training: true }) as tf.Tensor;
  call(before).dispose(); // moving averages, where there are such, now know the block
  const outputs = [call(before), call(x)];
  layer.dispose();
  return outputs;
}

/**
 * The inputs that the output at `cell` depends on, told by the layer's own gradient: 1 where it is not 0. That is a property
 * of the layer, so the block is random: among real activations are zeros, which hide a dependence.
 */
export async function dependence(name: Name, settings: Settings, shape: Shape, cell: Cell): Promise<Uint8Array> {
  const layer = makeLayer(name, settings, shape);
  const gradient = tf.tidy(() => {
    const x: tf.Tensor4D = tf.randomNormal(dimensions(shape), 0, 1, 'float32', 7);
    const inputs = inputsFor(name, settings, x);
    const buffer = tf.buffer(dimensions(shape));
    buffer.values[indexOf(shape, cell)] = 1;
    const chosen = buffer.toTensor();
    return tf.grad((x: tf.Tensor) => tf.sum(tf.mul(chosen, layer.apply(inputs(x), { training: true }) as tf.Tensor)))(
      x,
    );
  });
  const values = await gradient.data();
  gradient.dispose();
  layer.dispose();
  return Uint8Array.from(values, (value) => (value === 0 ? 0 : 1));
}
