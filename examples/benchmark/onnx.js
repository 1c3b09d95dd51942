/**
 * onnxruntime as a yardstick: models of one normalization each, written here as protobuf, run by onnxruntime-web (WebAssembly)
 * and onnxruntime-node (native), one thread each. Both are installed, 430 MB, when this first runs.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageFolder } from '../../test/support/on-demand.mjs';
import { EPSILON } from './workloads.js';

const FLOAT = 1;

// Protobuf: a message is a list of fields; a field is its number and wire type, then its content.
const varint = (value) => {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
};
const int = (field, value) => [...varint(field * 8), ...varint(value)];
const float = (field, value) => [...varint(field * 8 + 5), ...new Uint8Array(new Float32Array([value]).buffer)];
const message = (field, ...parts) => {
  const content = parts.flat();
  return [...varint(field * 8 + 2), ...varint(content.length), ...content];
};
const string = (field, text) => message(field, [...new TextEncoder().encode(text)]);

// ONNX's messages, with their field numbers.
const floatAttribute = (name, value) => message(5, string(1, name), float(2, value), int(20, 1));
const intAttribute = (name, value) => message(5, string(1, name), int(3, value), int(20, 2));
const values = (field, name, dimensions) => {
  const shape = dimensions.map((dimension) => message(1, string(2, dimension)));
  return message(field, string(1, name), message(2, message(1, int(1, FLOAT), message(2, ...shape))));
};

/** y = operator(x, gamma, beta) over [rows, c], or over images with the channels in axis 1, as ONNX has them. */
function model(operator, groups) {
  const overRows = operator === 'LayerNormalization';
  const attributes = [floatAttribute('epsilon', EPSILON)];
  if (overRows) attributes.push(intAttribute('axis', 1));
  if (operator === 'GroupNormalization') attributes.push(intAttribute('num_groups', groups));
  const inputs = ['x', 'gamma', 'beta'].map((name) => string(1, name));
  const node = message(1, ...inputs, string(2, 'y'), string(4, operator), ...attributes);
  const x = overRows ? ['rows', 'c'] : ['n', 'c', 'h', 'w'];
  const arguments_ = [values(11, 'x', x), values(11, 'gamma', ['c']), values(11, 'beta', ['c']), values(12, 'y', x)];
  const graph = message(7, node, string(2, operator), ...arguments_);
  // IR version 10 and operator set 21: the first in which GroupNormalization has a gamma per channel.
  return new Uint8Array([...int(1, 10), ...graph, ...message(8, int(2, 21))]);
}

const load = (name, file) => import(pathToFileURL(join(packageFolder(name), 'dist', file)).href);

const runtimes = {
  'ort-web': async () => {
    const runtime = await load('onnxruntime-web', 'ort.wasm.bundle.min.mjs');
    runtime.env.wasm.numThreads = 1;
    return runtime;
  },
  'ort-node': async () => (await load('onnxruntime-node', 'index.js')).default,
};

const loading = new Map();

/** Each runtime once, also where it does not load. */
function runtime(name) {
  if (!loading.has(name)) loading.set(name, runtimes[name]());
  return loading.get(name);
}

/**
 * Functions that run ONNX's operator in each onnxruntime that loads here; nothing of one that does not.
 *
 * @param {string | undefined} operator
 * @param {number} groups for GroupNormalization
 * @param {number[]} shape of x, channels-last
 * @param {{x: Float32Array, gamma: Float32Array, beta: Float32Array}} data
 * @param {(message: string) => void} warn is told why one does not load
 * @returns {Promise<Record<string, () => Promise<unknown>>>}
 */
export async function onnxRunners(operator, groups, shape, data, warn) {
  const runners = {};
  if (operator === undefined) return runners;
  const [n, h, w, c] = shape;
  const dimensions = shape.length === 4 ? [n, c, h, w] : shape; // which numbers stand where does not matter to the time
  for (const name of Object.keys(runtimes)) {
    try {
      const { InferenceSession, Tensor } = await runtime(name);
      const threads = { intraOpNumThreads: 1, interOpNumThreads: 1 };
      const session = await InferenceSession.create(model(operator, groups), threads);
      const parameter = (values) => new Tensor('float32', values, [values.length]);
      const feeds = {
        x: new Tensor('float32', data.x, dimensions),
        gamma: parameter(data.gamma),
        beta: parameter(data.beta),
      };
      await session.run(feeds);
      runners[name] = () => session.run(feeds);
    } catch (error) {
      warn(`${name} does not run here: ${error.message}`);
    }
  }
  return runners;
}
