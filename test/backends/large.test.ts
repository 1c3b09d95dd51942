/** Sums of millions of values lose no digits, whatever route a backend takes. */
import { expect, test } from '@jest/globals';
import { describeBackends } from '../support/backends.ts';

describeBackends(
  'very many values',
  (backend) => {
    test.each([
      ['batch', 2_097_152, 1, 0],
      ['batch', 401_408, 3, 2],
      ['image', 1_048_576, 1, 5],
    ] as const)('%s of %d rows and %d channels, mean %d', async (of, rows, c, mean) => {
      const { value, leaked } = await backend.run('errorsOfLarge', { of, rows, c, mean });
      expect(value.y).toBeLessThan(1e-5);
      expect(value.dx).toBeLessThan(1e-5);
      expect(leaked).toEqual({ tensors: 0, data: 0 });
    });
  },
  { only: ['cpu', 'wasm', 'tensorflow', 'browser-wasm'] },
);
