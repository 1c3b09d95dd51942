/** Reads model artifacts from a URL or handler, and refuses what is no model of layers, with the way to get one. */
import { io } from '@tensorflow/tfjs-core';
import { fail, show } from '../../kernels/core/errors.ts';
import { checkCall, checkFunction, optionNames } from '../../kernels/functions/checks.ts';
import { isRecord, isSaved } from './keras/saved.ts';

/** The options of loading: those of `io.LoadOptions`. */
const LOAD_OPTIONS = optionNames(
  'strict',
  'onProgress',
  'requestInit',
  'fetchFunc',
  'weightPathPrefix',
  'fromTFHub',
  'weightUrlConverter',
  'streamWeights',
);

/** Checks the options of a function that loads something, `more` being what follows them. */
export function checkLoading(
  who: string,
  options: io.LoadOptions,
  more: readonly unknown[],
  names = LOAD_OPTIONS,
): void {
  checkCall(who, options, names, more);
  checkFunction(who, 'onProgress', options.onProgress);
  checkFunction(who, 'fetchFunc', options.fetchFunc);
}

const CONVERT = 'convert it with tensorflowjs_converter and load the model.json that it writes';

const READ = "import { loadModel } from 'tfjs-normalizations/files'";

/** The kinds of files by the end of their names, and what to do with each. */
const KINDS: readonly (readonly [end: RegExp, remedy: string])[] = [
  [/\.(keras|h5|hdf5)$/, `a file of Keras; ${READ}`],
  [/\.pb$/, `a SavedModel of TensorFlow; ${CONVERT} by tf.loadGraphModel`],
  [/\.tflite$/, 'a model of TensorFlow Lite; load it with tfjs-tflite'],
  [/\.onnx$/, 'a model of ONNX; run it with onnxruntime-web'],
  [
    /\.(pt|pth|safetensors|ckpt)$/,
    'a file of weights; build the model of layers, and give it the weights with setWeights',
  ],
  [/\.bin$/, 'a file of weights; load the model.json that lies beside it'],
];

/** The handler that reads the files at a URL or place. */
export function handlerOf(who: string, url: string, options: io.LoadOptions): io.IOHandler {
  const handlers = io.getLoadHandlers(url, options);
  if (handlers.length > 1) fail(who, `there are ${handlers.length} ways to load from '${url}'; give a handler`);
  return handlers[0] ?? io.browserHTTPRequest(url, options);
}

/** The artifacts that a handler loads. If it fails, the error also says which kind of file the name stands for. */
export async function readArtifacts(who: string, handler: io.IOHandler, place?: string): Promise<io.ModelArtifacts> {
  if (typeof handler?.load !== 'function') {
    if (/Blob|File|Buffer|Uint8/.test(Object.prototype.toString.call(handler)))
      fail(who, `the first argument is a file; ${READ}`);
    fail(who, 'the first argument must be a URL or a handler with a method load, such as tf.io.browserFiles makes');
  }
  try {
    return await handler.load();
  } catch (error) {
    const { message = String(error) } = error as Partial<Error>;
    return fail(who, message + hint(message, place), error);
  }
}

function hint(message: string, place = ''): string {
  const [path = ''] = place.toLowerCase().split(/[?#]/);
  const kind = KINDS.find(([end]) => end.test(path))?.[1];
  if (kind) return ` The name is that of ${kind}.`;
  if (/parse URL|fetch failed/.test(message) && !/^https?:/.test(path)) {
    return ' In Node a path needs @tensorflow/tfjs-node, and file:// before it, or a .keras file: npx tfjs-normalizations convert.';
  }
  // tf.io.browserFiles
  if (/^Failed to (read|weights)/.test(message))
    return ' Files must stay as they were when they were chosen: choose them again.';
  if (/JSON|Unexpected token/.test(message)) {
    return (
      ' loadModel reads the model.json that TensorFlow.js or its converter wrote; what is there may be another file, or the ' +
      'HTML page of a server that does not have it: open the URL to see.'
    );
  }
  return '';
}

/** Refuses artifacts that hold no model of layers. */
export function checkArtifacts(who: string, artifacts: unknown): asserts artifacts is io.ModelArtifacts {
  if (!isRecord(artifacts))
    fail(who, `the handler must give an object with modelTopology; received ${show(artifacts)}`);
  const { modelTopology: topology, format, weightSpecs, weightsManifest } = artifacts;
  const isGraph = format === 'graph-model' || (isRecord(topology) && Array.isArray(topology.node));
  if (isGraph || topology instanceof ArrayBuffer) {
    fail(
      who,
      'the file is a graph model (of operations, not of layers); load it with tf.loadGraphModel, or convert the Keras model ' +
        'with --output_format tfjs_layers_model',
    );
  }
  if (topology === undefined || topology === null) {
    const isWeights = Boolean(weightSpecs ?? weightsManifest);
    const held = isWeights ? 'weights alone' : `no modelTopology, but ${listed(artifacts)}`;
    fail(who, `the file holds ${held}; load the model.json with the model itself, and its weights beside it`);
  }
  if (!isRecord(topology))
    fail(who, `modelTopology must be an object; received ${show(topology)}; convert the model again`);
  const model = topology.model_config ?? topology;
  if (isSaved(model)) return;
  fail(
    who,
    `modelTopology must describe a model by its class_name and config; received ${listed(topology)}; save or convert the ` +
      'model again',
  );
}

const listed = (record: object) => {
  const keys = Object.entries(record).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  return keys.length === 0 ? 'nothing' : `${keys.slice(0, 5).join(', ')}${keys.length > 5 ? ', ...' : ''}`;
};
