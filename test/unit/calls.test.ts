/** Shared layers of a file: TensorFlow.js numbers their calls in the order in which it makes them, and not as the file does. */
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { orderedCalls } from '../../layers/models/calls.ts';

type Reference = [string, number, number, object];
const call = (...of: [string, number][]): Reference[] => of.map(([name, number]) => [name, number, 0, {}]);

const input = (name: string) => ({
  class_name: 'InputLayer',
  name,
  config: { name, batch_input_shape: [null, 2], dtype: 'float32' },
  inbound_nodes: [],
});
const dense = (name: string, ...nodes: Reference[][]) => ({
  class_name: 'Dense',
  name,
  config: { name, units: 2, use_bias: false },
  inbound_nodes: nodes,
});

function graph(layers: object[], outputs: [string, number][]) {
  const ends = (of: [string, number][]) => of.map(([name, number]) => [name, number, 0]);
  const config = { name: 'graph', layers, input_layers: ends([['x', 0]]), output_layers: ends(outputs) };
  return { class_name: 'Functional', config };
}

/** The file has the call of `shared` on `own` first; but `own` takes the result of its other call. */
const CROSSED = graph(
  [input('x'), dense('shared', call(['own', 0]), call(['x', 0])), dense('own', call(['shared', 1]))],
  [['shared', 0]],
);

const artifactsOf = (modelTopology: object) => {
  const weights = { 'shared/kernel': [1, 2, 3, 4], 'own/kernel': [0, 1, 1, 0] };
  const weightSpecs = Object.keys(weights).map((name) => ({ name, shape: [2, 2], dtype: 'float32' as const }));
  return { modelTopology, weightSpecs, weightData: new Float32Array(Object.values(weights).flat()).buffer };
};

describe('orderedCalls', () => {
  test('numbers calls as they will be made, in nodes and outputs', () => {
    const { layers, output_layers } = orderedCalls(CROSSED).config as unknown as {
      layers: { inbound_nodes: Reference[][] }[];
      output_layers: unknown;
    };
    expect(output_layers).toEqual([['shared', 1, 0]]);
    expect(layers[2]!.inbound_nodes).toEqual([call(['shared', 0])]);
    expect(layers[1]!.inbound_nodes).toEqual([call(['own', 0]), call(['x', 0])]);
  });

  test('gives a graph that TensorFlow.js computes as the file says', async () => {
    const model = await tf.loadLayersModel(tf.io.fromMemory(artifactsOf(orderedCalls(CROSSED))));
    // x shared own shared, by hand: [1, 0] [[1, 2], [3, 4]] = [1, 2]; swapped [2, 1]; times the first once more [5, 8].
    const y = model.predict(tf.tensor([[1, 0]])) as tf.Tensor;
    expect(Array.from(y.dataSync())).toEqual([5, 8]);
  });

  test('leaves what is in order as it is, also within another form', () => {
    const ordered = graph([input('x'), dense('shared', call(['x', 0]), call(['shared', 0]))], [['shared', 1]]);
    expect(orderedCalls(ordered)).toEqual(ordered);
    const whole = { model_config: CROSSED, keras_version: '2' };
    expect(orderedCalls(whole)).toEqual({ ...whole, model_config: orderedCalls(CROSSED) });
    expect(orderedCalls({ other: 1 })).toEqual({ other: 1 });
  });

  test('numbers the calls of a model within', () => {
    const outer = graph([input('x'), { ...CROSSED, name: 'graph', inbound_nodes: [call(['x', 0])] }], [['graph', 1]]);
    const [, inner] = orderedCalls(outer).config.layers as unknown as [object, typeof CROSSED];
    expect(inner.config).toEqual(orderedCalls(CROSSED).config);
  });

  test('leaves out what no output needs', () => {
    const used = [input('x'), dense('shared', call(['x', 0]))];
    const shared = dense('shared', call(['own', 0]), call(['x', 0]));
    const whole = graph(
      [input('x'), shared, dense('own', call(['x', 0])), dense('end', call(['shared', 0]))],
      [['shared', 1]],
    );
    expect(orderedCalls(whole)).toEqual(graph(used, [['shared', 0]]));
    const unused = graph([input('x'), input('y'), dense('shared', call(['x', 0]))], [['shared', 0]]);
    expect(orderedCalls(unused)).toEqual(graph(used, [['shared', 0]]));
  });

  test.each([
    ['two layers of one name', graph([input('x'), dense('a', call(['x', 0])), dense('a', call(['x', 0]))], [['a', 0]])],
    ["is called 'b' by the graph", graph([input('x'), { ...dense('a', call(['x', 0])), name: 'b' }], [['b', 0]])],
    ['no outputs', graph([input('x'), dense('a', call(['x', 0]))], [])],
  ])('refuses a graph: %s', (what, topology) => {
    expect(() => orderedCalls(topology)).toThrow(what);
  });

  test.each([
    [
      'of a call that the file does not have',
      graph([input('x'), dense('a', call(['x', 3]))], [['a', 0]]),
      /call 3 of 'x'/,
    ],
    ['of a layer that it does not have', graph([input('x'), dense('a', call(['b', 0]))], [['a', 0]]), /call 0 of 'b'/],
    [
      'that waits for itself',
      graph([input('x'), dense('a', call(['b', 0])), dense('b', call(['a', 0]))], [['b', 0]]),
      /never comes; save the model again/,
    ],
    ['that is none', graph([input('x'), dense('a', 7 as unknown as Reference[])], [['a', 0]]), /is called on 7/],
  ])('refuses a graph with an input %s', (_, topology, message) => {
    expect(() => orderedCalls(topology)).toThrow(message);
  });
});
