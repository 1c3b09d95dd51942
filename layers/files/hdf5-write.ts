/** Writes an HDF5 file by h5wasm. */
import type { File, Group } from 'h5wasm';
import { fail } from '../../kernels/core/errors.ts';
import { callLibrary, loadHdf5, removeFile } from './hdf5-library.ts';

export interface Dataset {
  /** The groups that it is in, and its name, such as `layers/dense/vars/0`. */
  readonly path: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/** h5wasm keeps the file in memory that is addressed by 32 bits. */
const MOST_BYTES = 2 ** 31 - 1;

/** Numbers the files, so that two may be written at once. */
let count = 0;

/** The bytes of a file with a group and these datasets. `who` is the name of the function for messages. */
export async function writeHdf5(who: string, group: string, datasets: readonly Dataset[]): Promise<Uint8Array> {
  const size = datasets.reduce((sum, { values }) => sum + values.byteLength, 0);
  if (size > MOST_BYTES)
    fail(who, `the weights have ${size} bytes, and an HDF5 file 2 GB at most here; use model.save`);
  const { open, module } = await loadHdf5(who);
  const name = `/written-${count++}.h5`;
  try {
    callLibrary(module, Number.POSITIVE_INFINITY, () => {
      const file = open(name, 'w') as File;
      const groups = new Map<string, Group>([['', file]]);
      groupAt(groups, group);
      for (const { path, shape, values } of datasets) {
        const [parent, key] = splitPath(path);
        const dtype = values instanceof Int32Array ? '<i4' : '<f4';
        groupAt(groups, parent).create_dataset({ name: key, data: values, shape: [...shape], dtype });
      }
      file.close();
    });
    const bytes = module.FS.readFile(name);
    // h5wasm reports errors on the console alone.
    if (bytes.length < size) fail(who, `h5wasm could write only ${bytes.length} of ${size} bytes; free some memory`);
    return bytes;
  } finally {
    removeFile(module, name);
  }
}

/** The group at `path`; those that are missing on the way are made. */
function groupAt(groups: Map<string, Group>, path: string): Group {
  const known = groups.get(path);
  if (known) return known;
  const [parent, name] = splitPath(path);
  const made = groupAt(groups, parent).create_group(name);
  groups.set(path, made);
  return made;
}

/** What is before the last slash, and what is after it. */
function splitPath(path: string): [parent: string, name: string] {
  const at = path.lastIndexOf('/');
  return [path.slice(0, Math.max(0, at)), path.slice(at + 1)];
}
