/** The sum of two arrays, as of x and a residual, or of two gradients. */
import { add, lanesLeft, storeLanes } from './lanes';

/** sum = a + b, `size` values each; sum may be a or b. */
export function addArrays(a: usize, b: usize, sum: usize, size: i32): void {
  const bytes = <usize>size << 2, bytes32 = bytes & ~31;
  let i: usize = 0;
  for (; i < bytes32; i += 32) {
    const s0 = add(v128.load(a + i), v128.load(b + i)), s1 = add(v128.load(a + i, 16), v128.load(b + i, 16));
    v128.store(sum + i, s0); v128.store(sum + i, s1, 16);
  }
  for (; i < bytes; i += 16) storeLanes(sum + i, add(v128.load(a + i), v128.load(b + i)), lanesLeft(i, bytes));
}
