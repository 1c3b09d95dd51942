/** Normalizations in graph models: found in every spelling, whatever nodes are called; what is none stays as it is. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import type { GraphNode } from '../../layers/models/surgery/graph-node.ts';
import { OPERATION } from '../../layers/models/surgery/graph-operation.ts';
import { accelerate, registerGraphNormalizations } from '../../layers/models/surgery/index.ts';
import { GRAPHS, graphOf, LOOKALIKES } from '../support/graphs.ts';
import { normals } from '../support/random.ts';

beforeAll(() => tf.setBackend('cpu'));

const nodesOf = (artifacts: tf.io.ModelArtifacts) => (artifacts.modelTopology as { node: GraphNode[] }).node;
const load = (artifacts: tf.io.ModelArtifacts) => tf.loadGraphModel({ load: async () => artifacts });
const inputOf = (shape: readonly number[]) => tf.tensor(normals(5, tf.util.sizeFromShape([...shape]), 0.3), [...shape]);
const predict = (model: tf.GraphModel, x: tf.Tensor) => tf.tidy(() => (model.predict(x) as tf.Tensor).dataSync());

async function artifactsOf(model: tf.GraphModel): Promise<tf.io.ModelArtifacts> {
  let saved: tf.io.ModelArtifacts | undefined;
  const save = async (own: tf.io.ModelArtifacts) => {
    saved = own;
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' as const } };
  };
  await model.save({ save });
  return saved!;
}

/** The same graph with other names, its nodes in another order, and the inputs of sums and products the other way round. */
function disguised(artifacts: tf.io.ModelArtifacts): tf.io.ModelArtifacts {
  const nodes = nodesOf(artifacts);
  const names = new Map(nodes.map(({ name, op }, i) => [name, op === 'Placeholder' ? name : `n${i * 7}`]));
  const named = (name: string) => names.get(name.replace(/:0$/, ''))!;
  const node = nodes.map((one) => {
    const input = one.input!.map(named);
    const isCommutative = ['Mul', 'AddV2', 'Maximum', 'SquaredDifference'].includes(one.op);
    return { ...one, name: named(one.name), input: isCommutative ? input.reverse() : input };
  });
  const outputs = {
    y: { name: `${named(Object.values((artifacts.signature as { outputs: object }).outputs)[0]!.name)}:0` },
  };
  return {
    ...artifacts,
    modelTopology: { ...artifacts.modelTopology, node: node.reverse() },
    weightSpecs: artifacts.weightSpecs!.map((spec) => ({ ...spec, name: named(spec.name) })),
    signature: { inputs: { x: { name: 'x:0' } }, outputs } as unknown as NonNullable<tf.io.ModelArtifacts['signature']>,
  };
}

const LAYER = GRAPHS['layer normalization of Keras: Mean, SquaredDifference, Rsqrt, AddV2']!;

describe('is found:', () => {
  describe.each(Object.entries(GRAPHS))('%s', (_, graph) => {
    test.each([
      ['as it is exported', (artifacts: tf.io.ModelArtifacts) => artifacts],
      ['under other names, in other orders', disguised],
    ])('%s', async (_, change) => {
      const artifacts = change(graphOf(graph));
      const [x, plain] = [inputOf(graph.shape), await load(artifacts)];
      const expected = predict(plain, x);
      const { model, changed, left } = await accelerate<tf.GraphModel>(artifacts);
      expect([changed.map(({ className }) => className), left]).toEqual([[graph.className], []]);
      expect(predict(model, x)).toBeClose(expected, { atol: 1e-5 });
      const ops = nodesOf(await artifactsOf(model)).map(({ op }) => op);
      expect(ops.filter((op) => op === OPERATION)).toHaveLength(1);
      expect(ops).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(Rsqrt|Sqrt|Mean|Sum|Square.*)$/)]));
      expect(predict(plain, x)).toEqual(expected);
    });
  });
});

describe('is left as it is:', () => {
  test.each(Object.entries(LOOKALIKES))('%s', async (_, graph) => {
    for (const artifacts of [graphOf(graph), disguised(graphOf(graph))]) {
      const x = inputOf(graph.shape);
      const expected = predict(await load(artifacts), x);
      const { model, changed } = await accelerate<tf.GraphModel>(artifacts);
      expect(changed).toEqual([]);
      expect(nodesOf(await artifactsOf(model))).toEqual(nodesOf(artifacts));
      expect(predict(model, x)).toEqual(expected);
    }
  });

  test('a step that waits for another', async () => {
    const artifacts = graphOf(LAYER);
    const node = nodesOf(artifacts).map((one) => (one.op === 'Rsqrt' ? { ...one, input: [...one.input!, '^x'] } : one));
    const { changed, left } = await accelerate<tf.GraphModel>({
      ...artifacts,
      modelTopology: { ...artifacts.modelTopology, node },
    });
    expect(changed).toEqual([]);
    expect(left[0]!.message).toMatch(/^its step .*Rsqrt.* waits for another$/);
  });

  test('with a reason where the statistics are there', async () => {
    const { left } = await accelerate<tf.GraphModel>(graphOf(LOOKALIKES['a variance that is used elsewhere']!));
    expect(left).toEqual([
      {
        layer: expect.stringMatching(/Rsqrt/),
        className: 'Rsqrt',
        message: expect.stringMatching(/^its step .* is also used elsewhere/),
      },
    ]);
    const other = await accelerate<tf.GraphModel>(graphOf(LOOKALIKES['channels first, for which there is no kernel']!));
    expect(other.left[0]!.message).toMatch(/is no normalization, or its axes or sizes are not known/);
  });
});

describe('accelerate', () => {
  test('several in one graph, one after the other', async () => {
    const steps = (...kinds: string[]) => ({
      shape: [2, 5, 6],
      steps: (g: Parameters<typeof LAYER.steps>[0], x: string) =>
        kinds.reduce((y, kind) => GRAPHS[kind]!.steps(g, y), x),
    });
    const kinds = Object.keys(GRAPHS).filter((name) => GRAPHS[name]!.shape.length === 3);
    const graph = steps(...kinds, ...kinds);
    const { model, changed } = await accelerate<tf.GraphModel>(graphOf(graph));
    expect(changed).toHaveLength(2 * kinds.length);
    expect(predict(model, inputOf(graph.shape))).toBeClose(predict(await load(graphOf(graph)), inputOf(graph.shape)), {
      atol: 1e-4,
    });
  });

  test('takes artifacts, a handler, and a model, which stays as it is; saved, the new model is loaded again', async () => {
    const artifacts = graphOf(LAYER);
    const x = inputOf(LAYER.shape);
    const plain = await load(artifacts);
    const expected = predict(plain, x);
    for (const source of [artifacts, tf.io.fromMemory(artifacts), plain]) {
      const { model, changed } = await accelerate<tf.GraphModel>(source as tf.io.ModelArtifacts);
      expect(changed).toHaveLength(1);
      await registerGraphNormalizations();
      const again = await load(await artifactsOf(model));
      expect(predict(again, x)).toBeClose(expected, { atol: 1e-5 });
    }
    expect(nodesOf(await artifactsOf(plain))).toHaveLength(nodesOf(artifacts).length);
  });

  test('leaves no tensors but the weights of the model', async () => {
    const artifacts = graphOf(LAYER);
    const before = tf.memory().numTensors;
    const { model } = await accelerate<tf.GraphModel>(artifacts);
    tf.dispose(predict(model, inputOf(LAYER.shape)) as never);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before + 1); // the input
  });

  test('refuses what is no graph model, and one without weights', async () => {
    for (const [source, message] of [
      [3, 'source must be a URL, a handler, artifacts or a graph model; received 3'],
      [{ modelTopology: { model_config: {} } }, 'holds no graph model'],
      [{ ...graphOf(LAYER), weightData: undefined }, 'the weights are missing'],
    ] as const) {
      await expect(accelerate(source as never)).rejects.toThrow(message);
    }
    await expect(accelerate(graphOf(LAYER), { axis: 1 } as never)).rejects.toThrow("unknown option 'axis'");
  });
});
