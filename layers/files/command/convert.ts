/** `tfjs-normalizations convert FROM TO`. */
import { mkdirSync, readdirSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { loadSafetensors, pytorchNotes, saveKeras, saveSafetensors } from '../index.ts';
import { formatOf, foundAt, loadFile, type Options, safetensorsOptions, sizeOfFile } from './formats.ts';
import { reading, UsageError } from './messages.ts';
import { isPartOf, writeWhole, writingTo } from './model-json.ts';
import { progress } from './progress.ts';

/** Converts a file; writes what was done to stdout, and to stderr what to look at in PyTorch. */
export async function convert(from: string, to: string, options: Options): Promise<void> {
  const target = formatOf(to);
  if (target === 'h5') throw new UsageError(`.h5 files are read only; write ${to.replace(/\.\w+$/, '.keras')}`);
  const isWeights = formatOf(from) === 'safetensors';
  if (isWeights && options.model === undefined) {
    throw new UsageError(`${from} holds weights alone; --model FILE names the model that they are for`);
  }
  if (isWeights && target === 'safetensors')
    throw new UsageError('from .safetensors to .safetensors there is nothing to do');
  if (!isWeights && options.model !== undefined)
    throw new UsageError(`--model is for weights alone; ${from} has its model`);
  if (isWeights) sizeOfFile(from);
  refuseToReplace(to, options.force);

  const model = await loadFile(isWeights ? (options.model as string) : from);
  if (isWeights) {
    const bar = progress(`reading ${from}`);
    const how = { ...safetensorsOptions(options), onProgress: bar.report };
    await reading(from, () => loadSafetensors(model, from, how)).finally(bar.done);
  }
  makeFolder(dirname(to), to);
  if (target === 'json') await model.save(writingTo(to));
  else if (target === 'keras') await writeWhole(to, await saveKeras(model));
  else {
    const bar = progress(`writing ${to}`);
    await saveSafetensors(model, to, { ...safetensorsOptions(options), onProgress: bar.report }).finally(bar.done);
    const notes = options.plain ? [] : pytorchNotes(model, { channelsLast: options.channelsLast });
    for (const note of notes) process.stderr.write(`in PyTorch ${note}\n`);
  }
  process.stdout.write(`${to}: ${model.countParams()} parameters of ${model.name}\n`);
}

/** One folder after the other: in a place such as /proc, where none can be made, Node's `recursive` never ends. */
function makeFolder(folder: string, file: string): void {
  if (foundAt(folder)) return;
  makeFolder(dirname(folder), file);
  try {
    mkdirSync(folder);
  } catch (error) {
    throw new Error(
      `${file} cannot be written: its folder cannot be made (${(error as Error).message}); choose another`,
    );
  }
}

/** Refuses to write over files, the weights of a model.json among them. */
function refuseToReplace(path: string, force: boolean): void {
  const folder = dirname(path);
  const found = foundAt(folder);
  if (found === undefined) return;
  if (!found.isDirectory()) throw new Error(`${folder} is no folder; choose another place for ${basename(path)}`);
  if (foundAt(path)?.isDirectory()) {
    throw new Error(`${path} is a folder; name a file, as in ${join(path, `model${extname(path)}`)}`);
  }
  const own = (name: string) => name === basename(path) || isPartOf(name, path);
  const there = readdirSync(folder).find(own);
  if (there !== undefined && !force) throw new Error(`${there} is in ${folder} already; --force replaces it`);
}
