/** The memory of the WebAssembly kernels. What they compute is tested through the kernels of the cpu backend. */
import { expect, test } from '@jest/globals';
import { Host } from '../../kernels/cpu/host.ts';

test('there is room behind the last array for the rest of a vector, also where the memory was full', () => {
  const host = new Host();
  host.clear();
  const start = host.take(0);
  let size = 1;
  while (host.read(start, size).length === size) size *= 2; // to the end of the memory
  const free = host.read(start, size).length;
  const address = host.take(free);
  expect(address).toBe(start);
  expect(host.read(address + 4 * free, 3)).toHaveLength(3);
});
