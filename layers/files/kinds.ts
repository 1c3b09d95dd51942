/** What kind of file bytes are, by how they begin. */

export type Kind = 'hdf5' | 'zip' | 'json' | 'other';

const text = (bytes: Uint8Array, length: number) => String.fromCharCode(...bytes.subarray(0, length));

export function kindOf(bytes: Uint8Array): Kind {
  const start = text(bytes, 8);
  if (start === '\x89HDF\r\n\x1a\n') return 'hdf5';
  if (start.startsWith('PK\x03\x04') || start.startsWith('PK\x05\x06')) return 'zip';
  return firstCharacter(bytes) === '{' ? 'json' : 'other';
}

/** The first character that is no space; a byte order mark is one here. */
const firstCharacter = (bytes: Uint8Array) =>
  text(bytes, 64)
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart()[0];

/** What a file that is neither HDF5, zip nor JSON seems to be, and what to do with it. */
export function describeOther(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'it is empty; get it again';
  const start = text(bytes, 64);
  if (firstCharacter(bytes) === '<') {
    return 'it is an HTML page, perhaps that of a server that does not have the file; open the URL to see';
  }
  if (start.startsWith('version https://git-lfs'))
    return 'it is a pointer of Git LFS; get the file itself with git lfs pull';
  if (start.startsWith('\x1f\x8b')) return 'it is compressed by gzip; decompress it';
  if (start.startsWith('\x80') && start.charCodeAt(1) < 6)
    return 'it is a pickle of Python, as old files of PyTorch are; save the model in Keras';
  if (start.slice(4, 8) === 'TFL3') return 'it is a model of TensorFlow Lite; load it with tfjs-tflite';
  if (start[8] === '{') return 'it is a file of safetensors, which holds weights alone; load them into a model';
  return 'it begins like no kind of file that is known here; save the model as a .keras file';
}

/** What a zip archive without a model of Keras seems to be, by the names in it. */
export function describeArchive(names: readonly string[]): string {
  const has = (end: RegExp) => names.some((name) => end.test(name));
  if (has(/(^|\/)data\.pkl$/))
    return 'it is a checkpoint of PyTorch; save the model in Keras, or its weights as safetensors';
  if (has(/(^|\/)saved_model\.pb$/)) {
    return 'it is a zipped SavedModel of TensorFlow; convert it with tensorflowjs_converter, or save it in Keras as a .keras file';
  }
  if (has(/(^|\/)config\.json$/))
    return 'it is a zipped folder with config.json within another folder; zip its contents alone';
  const some = names.slice(0, 3).map((name) => `'${name.slice(0, 40)}'`);
  return `it is a zip archive of ${names.length} files (${some.join(', ')}${names.length > 3 ? ', ...' : ''}), none of which is config.json`;
}
