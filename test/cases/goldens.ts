/** Runs what a golden file describes through a real layer: weights in, steps with gradients and state, values out. */
import * as tf from '@tensorflow/tfjs';
import { type Layer, layerClass, variableOf } from '../support/layers.ts';
import { type Data, take } from './tensors.ts';

interface Values {
  readonly shape: number[];
  readonly data: number[];
}
type Named = Values & { readonly name: string };

export interface GoldenRun {
  readonly className: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The layer gives queries and keys, and y is their product. */
  readonly scores: boolean;
  readonly steps: readonly {
    readonly training: boolean;
    /** All weights when the step starts. */
    readonly weights: readonly Named[];
    readonly inputs: readonly Named[];
    readonly mask?: Values | undefined;
    /** The gradient of y; absent: no gradients are taken. */
    readonly upstream?: Values | undefined;
  }[];
}

export interface StepResult {
  readonly y: Data;
  /** Of inputs and of trainable weights. */
  readonly gradients: Record<string, Data>;
  /** All weights after the step. */
  readonly weights: Record<string, Data>;
}

const exists = (className: string) => typeof layerClass(className) === 'function';

/** Undefined if the package has no such layer. */
export async function runGolden(run: GoldenRun): Promise<StepResult[] | undefined> {
  if (!exists(run.className)) return undefined;
  const layer = new (layerClass(run.className))(run.options);
  const shapes = run.steps[0]!.inputs.map(({ shape }) => shape);
  layer.build(shapes.length === 1 ? shapes[0]! : shapes);
  const results: StepResult[] = [];
  for (const step of run.steps) {
    assign(layer, step.weights);
    results.push(await runStep(layer, run, step));
  }
  for (const weight of layer.weights) weight.dispose();
  return results;
}

/** Writes the named weights; one that the layer lacks is an error. */
function assign(layer: Layer, values: readonly Named[]): void {
  for (const { name, shape, data } of values) {
    const weight = layer.weights.find((weight) => nameOf(weight) === name);
    if (!weight) throw new Error(`no weight ${name} among ${layer.weights.map((w) => w.originalName)}`);
    const value = tf.tensor(data, shape, weight.dtype);
    weight.write(value);
    value.dispose();
  }
}

async function runStep(layer: Layer, run: GoldenRun, step: GoldenRun['steps'][number]): Promise<StepResult> {
  const inputs = step.inputs.map(({ shape, data }) => tf.tensor(data, shape));
  const mask = step.mask && tf.tensor(step.mask.data, step.mask.shape, 'bool');
  const call = (...x: tf.Tensor[]): tf.Tensor => {
    // An attention mask is an input, everyone else's a keyword.
    const isInput = layer.getClassName() === 'QKNormAttention' && mask !== undefined;
    const given = isInput ? [...x, mask] : x;
    const kwargs = isInput ? { training: step.training } : { training: step.training, mask };
    const out = layer.apply(given.length === 1 ? given[0]! : given, kwargs);
    return run.scores ? tf.matMul((out as tf.Tensor[])[0]!, (out as tf.Tensor[])[1]!, false, true) : (out as tf.Tensor);
  };
  const gradients: Record<string, Data> = {};
  let y: tf.Tensor;
  if (step.upstream) {
    const upstream = tf.tensor(step.upstream.data, step.upstream.shape);
    const names = [...step.inputs.map(({ name }) => name), ...layer.trainableWeights.map(nameOf)];
    const variables = layer.trainableWeights.map(variableOf);
    const f = (...args: tf.Tensor[]) => call(...args.slice(0, inputs.length));
    const { value, grads } = tf.valueAndGrads(f)([...inputs, ...variables], upstream);
    for (const [i, name] of names.entries()) gradients[name] = await take(grads[i]!);
    y = value;
    upstream.dispose();
  } else {
    y = tf.tidy(() => call(...inputs));
  }
  const weights: Record<string, Data> = {};
  for (const weight of layer.weights) weights[nameOf(weight)] = await weight.read().data();
  tf.dispose([...inputs, ...(mask ? [mask] : [])]);
  return { y: await take(y), gradients, weights };
}

/** All parts: a layer that is built by itself adds none to those it chose. */
const nameOf = ({ originalName }: Layer['weights'][number]) => originalName.replace(/_\d+$/, '');
