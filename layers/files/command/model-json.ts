/** The model.json of TensorFlow.js and its weights as files, without TensorFlow.js's package for Node. */
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, relative, resolve, sep } from 'node:path';
import { io } from '@tensorflow/tfjs-core';
import { fail, show } from '../../../kernels/core/errors.ts';
import { isRecord } from '../../models/keras/saved.ts';
import { writeFile } from '../sink.ts';

/** How many bytes of weights are in one file at most. */
const SHARD = 64 * 2 ** 20;

/**
 * What a model.json says.
 * @throws if the file is none
 */
export async function readModelJson(path: string): Promise<io.ModelJSON> {
  const text = await readFile(path, 'utf8');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail(path, `the file is no JSON (${(error as Error).message}); give the model.json of TensorFlow.js`);
  }
  if (isRecord(json) && isRecord(json.modelTopology)) return json as unknown as io.ModelJSON;
  return fail(path, 'the file has no modelTopology, so that it is no model; give the model.json of TensorFlow.js');
}

/** Reads the model of a model.json; `onProgress` is told the share of its files of weights that has been read. */
export const readingFrom = (
  path: string,
  json: io.ModelJSON,
  onProgress: (fraction: number) => void,
): io.IOHandler => ({
  async load() {
    return io.getModelArtifactsForJSON(json, async (manifest) => {
      const paths = manifest.flatMap((group) => group.paths.map((one) => withinFolder(path, one)));
      const sizes = await Promise.all(paths.map((one) => sizeOfWeights(path, one)));
      // One buffer: of several, TensorFlow.js 4.22 reads zeros where the last is longer than the others.
      const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
      let end = 0;
      for (const [i, one] of paths.entries()) {
        bytes.set(await readFile(one), end);
        end += sizes[i] as number;
        onProgress(end / bytes.length);
      }
      return [manifest.flatMap(({ weights }) => weights), bytes.buffer];
    });
  },
});

/** The file of weights `name`, which a model.json may only have beside itself or in folders there. */
function withinFolder(model: string, name: unknown): string {
  const folder = resolve(dirname(model));
  const path = typeof name === 'string' ? resolve(folder, name) : '';
  if (path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return path;
  return fail(model, `the weights must be in the folder of the model; the file names ${show(name)}`);
}

async function sizeOfWeights(model: string, path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return found.size;
  const name = relative(dirname(model), path);
  return fail(model, `its weights are in the file '${name}', which is not beside it; put it there, or get both again`);
}

/** Writes a model.json and its weights. The model.json comes last: where it is, the model is complete. */
export const writingTo = (path: string): io.IOHandler => ({
  async save({ weightSpecs = [], weightData = [], ...artifacts }) {
    const bytes = new Uint8Array(io.CompositeArrayBuffer.join(weightData));
    const count = Math.ceil(bytes.length / SHARD);
    const paths = shardNames(path, count);
    for (const [i, name] of paths.entries()) {
      await writeWhole(resolve(dirname(path), name), bytes.subarray(i * SHARD, (i + 1) * SHARD));
    }
    const { modelTopology, format, generatedBy, convertedBy = null, userDefinedMetadata } = artifacts;
    const json = { format, generatedBy, convertedBy, userDefinedMetadata, modelTopology };
    const weightsManifest = [{ paths, weights: weightSpecs }];
    await writeWhole(path, new TextEncoder().encode(JSON.stringify({ ...json, weightsManifest })));
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  },
});

function shardNames(path: string, count: number): string[] {
  const name = basename(path).replace(/\.json$/, '');
  if (count <= 1) return count === 1 ? [`${name}.weights.bin`] : [];
  return Array.from({ length: count }, (_, i) => `${name}.weights-${i + 1}of${count}.bin`);
}

/** Whether `name` is that of a file of weights of the model.json at `path`. */
export const isPartOf = (name: string, path: string): boolean => {
  const own = `${basename(path).replace(/\.json$/, '')}.weights`;
  return path.endsWith('.json') && name.startsWith(own) && /^(-\d+of\d+)?\.bin$/.test(name.slice(own.length));
};

/** Writes a file that is there only when it is complete. */
export const writeWhole = (path: string, bytes: Uint8Array): Promise<void> =>
  writeFile(path, path, bytes.length, (write) => write(bytes));
