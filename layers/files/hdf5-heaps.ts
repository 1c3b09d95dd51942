/**
 * A check without which h5wasm never comes back from some damaged files. HDF5 keeps texts in global heaps, lists of objects with
 * their sizes of 64 bits. In WebAssembly the library counts with 32 bits: a size of 2^64 - 1 becomes 0, and it stays at that object.
 */

const SIGNATURE = [0x47, 0x43, 0x4f, 0x4c, 1, 0, 0, 0]; // 'GCOL', and the version
const HEADER_BYTES = 16;

/** What is wrong with the global heaps of an HDF5 file; undefined if they are sound. */
export function brokenHeap(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isOld = (bytes[8] as number) < 2;
  const sizes = isOld ? [bytes[13], bytes[14]] : [bytes[9], bytes[10]];
  if (sizes.some((size) => size !== 8)) return `its addresses have ${sizes} bytes, not 8`;
  const size64 = (at: number) => view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  for (let at = bytes.indexOf(SIGNATURE[0] as number); at !== -1; at = bytes.indexOf(SIGNATURE[0] as number, at + 1)) {
    if (at + HEADER_BYTES > bytes.length || !SIGNATURE.every((byte, i) => bytes[at + i] === byte)) continue;
    const end = at + size64(at + 8);
    if (end > bytes.length) return `the heap at ${at} is cut off`;
    for (let object = at + HEADER_BYTES; object + HEADER_BYTES <= end; ) {
      const isFree = view.getUint16(object, true) === 0;
      const size = size64(object + 8);
      // The size of free space counts its header; that of an object does not, and is filled up to a multiple of 8.
      const length = isFree ? size : HEADER_BYTES + Math.ceil(size / 8) * 8;
      if (length < HEADER_BYTES || object + length > end) return `an object in the heap at ${at} has ${size} bytes`;
      object += length;
    }
  }
  return undefined;
}
