/** The formats of files by their names, and models read from any of them. */
import { closeSync, openSync } from 'node:fs';
import { extname } from 'node:path';
import * as tf from '@tensorflow/tfjs';
// All layers of this package, so that files may have any of them.
import '../../index.ts';
import { loadModel, type SafetensorsOptions } from '../index.ts';
import { UsageError } from './messages.ts';
import { readingFrom } from './model-json.ts';
import { progress } from './progress.ts';

/** Options of the command line. */
export interface Options {
  readonly model: string | undefined;
  readonly force: boolean;
  readonly plain: boolean;
  readonly channelsLast: boolean;
  readonly modules: Readonly<Record<string, string>>;
}

export type Format = 'json' | 'keras' | 'h5' | 'safetensors';
const FORMATS: Readonly<Record<string, Format>> = {
  '.json': 'json',
  '.keras': 'keras',
  '.h5': 'h5',
  '.hdf5': 'h5',
  '.safetensors': 'safetensors',
};

export function formatOf(path: string): Format {
  const format = FORMATS[extname(path).toLowerCase()];
  if (format) return format;
  throw new UsageError(`${path} ends in none of ${Object.keys(FORMATS).join(', ')}`);
}

export const safetensorsOptions = ({ plain, channelsLast, modules }: Options): SafetensorsOptions => ({
  mode: plain ? 'plain' : 'pytorch',
  channelsLast,
  modules,
});

/** Starts a backend, without the advice to install TensorFlow.js's package for Node, which is not needed here. */
export async function startTensorFlow(): Promise<void> {
  tf.env().set('PROD', true);
  await tf.ready();
}

/** The model in a file of any format. */
export async function loadFile(path: string): Promise<tf.LayersModel> {
  await startTensorFlow();
  // So that a path where nothing is has the message of Node, whatever reads it.
  closeSync(openSync(path, 'r'));
  const bar = progress(`reading ${path}`);
  const source = formatOf(path) === 'json' ? readingFrom(path, bar.report) : path;
  return loadModel(source, { onProgress: bar.report }).finally(bar.done);
}
