/** Opens a file of Keras, of either form: the archive, if it is one, and the HDF5 file with the weights. */
import { fail } from '../../kernels/core/errors.ts';
import { Archive } from './archive.ts';
import { Hdf5File } from './hdf5.ts';
import { describeArchive, describeOther, kindOf } from './kinds.ts';

export interface OpenFile {
  /** What Keras saved of the model, JSON; undefined if the file holds weights alone. */
  readonly config: string | undefined;
  /** Keras's version, or whatever stands there. */
  readonly version: unknown;
  /** Whether `saveKeras` wrote it: then layers have the masks that TensorFlow.js gives them, and the graph does not say which. */
  readonly isOurs: boolean;
  /** The caller closes it. */
  readonly weights: Hdf5File;
}

/** The name in the metadata by which a file of `saveKeras` is known. Keras does not look at it. */
export const SAVED_HERE = 'saved_by_tfjs_normalizations';

export async function openFile(who: string, bytes: Uint8Array): Promise<OpenFile> {
  const kind = kindOf(bytes);
  if (kind === 'zip') return openArchive(who, new Archive(who, bytes));
  if (kind === 'json') {
    fail(
      who,
      'the file is JSON, as a model.json is, whose weights are in other files; give its URL, or all files to tf.io.browserFiles',
    );
  }
  if (kind === 'other') fail(who, `the file is neither a .keras nor an .h5 file: ${describeOther(bytes)}`);
  const weights = await Hdf5File.open(who, bytes);
  try {
    const config = weights.attribute('', 'model_config');
    const version = weights.attribute('', 'keras_version');
    return { config: typeof config === 'string' ? config : undefined, version, isOurs: false, weights };
  } catch (error) {
    weights.close();
    throw error;
  }
}

async function openArchive(who: string, archive: Archive): Promise<OpenFile> {
  const text = async (name: string) => {
    const bytes = await archive.read(name);
    return bytes && new TextDecoder().decode(bytes);
  };
  const config = await text('config.json');
  if (config === undefined) fail(who, `the file is no .keras file: ${describeArchive(archive.names)}`);
  const metadata = await text('metadata.json');
  const weights = await archive.read('model.weights.h5');
  if (!weights) {
    const names = archive.names.slice(0, 5).join(', ');
    fail(who, `the .keras file has no model.weights.h5, but ${names}; save it again with model.save, in one part`);
  }
  const [, version] = metadata?.match(/"keras_version":\s*"([^"]*)"/) ?? [];
  const isOurs = metadata?.includes(SAVED_HERE) ?? false;
  return { config, version, isOurs, weights: await Hdf5File.open(who, weights) };
}
