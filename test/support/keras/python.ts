/** Python with Keras, for tests: whether it is here, and runs of it that end. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { zipSync } from 'fflate';
import { setUpKeras } from '../setup-keras.mjs';
import type { Subject } from './models.ts';

const ROOT = join(__dirname, '..', '..', '..');
export const EXAMPLE = join(ROOT, 'examples', 'keras');

/** The path of a python that has Keras, or why there is none; that is an error under REQUIRE_BACKENDS. */
export function findKeras():
  | { readonly python: string; readonly absent?: undefined }
  | { readonly python?: undefined; readonly absent: string } {
  try {
    return { python: setUpKeras() };
  } catch (error) {
    if (process.env.REQUIRE_BACKENDS) throw error;
    return { absent: (error as Error).message.split('\n')[0]! };
  }
}

/**
 * Runs a script on one of Keras's backends, or on the one that the variable KERAS_BACKEND names; what it printed. It is killed after
 * `seconds`.
 */
export async function runPython(
  python: string,
  backend: 'jax' | 'numpy',
  seconds: number,
  ...args: string[]
): Promise<string> {
  // What runs once need not be compiled well.
  const flags = '--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true';
  const ofKeras = {
    KERAS_BACKEND: process.env.KERAS_BACKEND ?? backend,
    JAX_PLATFORMS: 'cpu',
    XLA_FLAGS: flags,
    PYTHONDONTWRITEBYTECODE: '1',
  };
  const env = { ...process.env, ...ofKeras };
  const options = { env, timeout: 1000 * seconds, killSignal: 'SIGKILL', maxBuffer: 1 << 26 } as const;
  const { stdout } = await promisify(execFile)(python, args, options);
  return stdout;
}

interface Values {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly values: readonly number[];
}
const valuesOf = (tensor: tf.Tensor): Values => ({
  shape: tensor.shape,
  dtype: tensor.dtype,
  values: Array.from(tensor.dataSync()),
});

export const tensorOf = ({ shape, dtype, values }: Values): tf.Tensor =>
  tf.tensor(values as number[], [...shape], dtype as 'float32');

/** What Keras is asked of one file: see check.py. */
export interface Question {
  readonly name: string;
  readonly file: string;
  readonly inputs: readonly Values[];
  readonly outputs: readonly Values[];
  readonly step?: {
    readonly learningRate: number;
    readonly targets: readonly Values[];
    readonly outputs: readonly Values[];
  };
}

/** By output: how far Keras's is from TensorFlow.js's, as a share of the largest value. */
export interface Answer {
  readonly error?: string;
  readonly prediction?: readonly number[];
  readonly step?: readonly number[];
}

const LEARNING_RATE = 0.05;
const predict = ({ model, inputs }: Subject): tf.Tensor[] =>
  [model.predict(inputs.length > 1 ? inputs : inputs[0]!)].flat();

/** What the model predicts, and, if it is to be trained, what after one step of SGD towards other outputs. */
export async function questionOf(name: string, file: string, subject: Subject, isTrained: boolean): Promise<Question> {
  const { model, inputs } = subject;
  const outputs = predict(subject);
  const question = { name, file, inputs: inputs.map(valuesOf), outputs: outputs.map(valuesOf) };
  if (!isTrained) return question;
  const targets = outputs.map((output, i) => tf.randomNormal(output.shape, 0, 1, 'float32', i + 1));
  model.compile({ optimizer: tf.train.sgd(LEARNING_RATE), loss: 'meanSquaredError' });
  await model.trainOnBatch(inputs.length > 1 ? inputs : inputs[0]!, targets.length > 1 ? targets : targets[0]!);
  const step = { learningRate: LEARNING_RATE, targets: targets.map(valuesOf), outputs: predict(subject).map(valuesOf) };
  return { ...question, step };
}

/** Asks all questions. Each file that Keras opened it has written once more, as `<name>.back.keras`. */
export async function askKeras(
  python: string,
  folder: string,
  questions: readonly Question[],
): Promise<Record<string, Answer>> {
  const ask = async (backend: 'jax' | 'numpy', asked: readonly Question[]) => {
    const [question, answer] = ['questions', 'answers'].map((name) => join(folder, `${name}-${backend}.json`));
    writeFileSync(question!, JSON.stringify(asked));
    await runPython(python, backend, 400, join(__dirname, 'check.py'), folder, question!, answer!, EXAMPLE);
    return JSON.parse(readFileSync(answer!, 'utf8'));
  };
  mkdirSync(folder, { recursive: true });
  // NumPy does not train, but compiles nothing either, and so takes a tenth of JAX's time.
  const answers = await Promise.all([
    ask(
      'jax',
      questions.filter(({ step }) => step),
    ),
    ask(
      'numpy',
      questions.filter(({ step }) => !step),
    ),
  ]);
  return Object.assign({}, ...answers);
}

/** A port that nobody listens on. */
export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** NumPy's file of several arrays: a zip of a file for each, whose head is the text of a Python dictionary. */
export function npz(arrays: Readonly<Record<string, tf.Tensor>>): Uint8Array {
  const files = Object.entries(arrays).map(([name, tensor]) => {
    const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${tensor.shape.join(', ')},), }`;
    const head = Buffer.from(`${dictionary.padEnd(117)}\n`, 'latin1');
    const begin = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, head.length, 0]);
    return [`${name}.npy`, new Uint8Array(Buffer.concat([begin, head, Buffer.from(tensor.dataSync().slice().buffer)]))];
  });
  return zipSync(Object.fromEntries(files), { level: 0 });
}
