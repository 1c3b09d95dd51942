/** The formats of files by their names, and models read from any of them. */
import { existsSync, type Stats, statSync } from 'node:fs';
import { extname } from 'node:path';
import * as tf from '@tensorflow/tfjs';
// All layers of this package, so that files may have any of them.
import '../../index.ts';
import { loadModel, type SafetensorsOptions } from '../index.ts';
import { reading, UsageError } from './messages.ts';
import { readingFrom, readModelJson } from './model-json.ts';
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

/** What is at a path; undefined if it is nothing, or in what is no folder. */
export const foundAt = (path: string): Stats | undefined => (existsSync(path) ? statSync(path) : undefined);

/**
 * The bytes of the file at a path.
 * @throws if there is no file with something in it
 */
export function sizeOfFile(path: string): number {
  const found = foundAt(path);
  if (found === undefined) throw new Error(`${path} is not there; check the name of the file and of its folder`);
  if (found.isDirectory()) throw new Error(`${path} is a folder; give the file in it`);
  if (found.size === 0) throw new Error(`${path} is empty; get or write it again`);
  return found.size;
}

/** The model in a file of any format. */
export async function loadFile(path: string): Promise<tf.LayersModel> {
  sizeOfFile(path);
  await startTensorFlow();
  return reading(path, async () => {
    const json = formatOf(path) === 'json' ? await readModelJson(path) : undefined;
    const bar = progress(`reading ${path}`);
    const source = json ? readingFrom(path, json, bar.report) : path;
    return loadModel(source, { onProgress: bar.report }).finally(bar.done);
  });
}
