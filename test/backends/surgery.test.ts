/** Models before and after surgery predict the same on every backend, and take fewer draws on webgl. */
import { expect, test } from '@jest/globals';
import type { BeforeAndAfter } from '../cases/surgery.ts';
import { describeBackends } from '../support/backends.ts';
import { GRAPHS } from '../support/graphs.ts';

const FLAWLESS = { tensors: 0, data: 0 };

/** How many draws fewer, where they are counted. */
const saved = ({ draws }: BeforeAndAfter): number => (draws ? draws.before - draws.after : Number.NaN);

describeBackends('surgery', ({ name, run }) => {
  test('a network with folded normalizations', async () => {
    const { value, leaked } = await run('foldedNetwork', {});
    expect(value.changed).toBe(4);
    expect(value.after).toBeClose(value.before, { atol: 1e-5 });
    // A draw for each normalization, and one for each of three ReLUs that end at 6.
    if (name === 'webgl') expect(saved(value)).toBe(4 + 3);
    expect(leaked).toEqual(FLAWLESS);
  });

  test.each(Object.keys(GRAPHS))('accelerated: %s', async (graph) => {
    const { value, leaked } = await run('acceleratedGraph', { name: graph });
    expect(value.changed).toBe(1);
    expect(value.after).toBeClose(value.before, { atol: 1e-4 });
    if (name === 'webgl') expect(saved(value)).toBeGreaterThan(0);
    expect(leaked).toEqual(FLAWLESS);
  });

  test('recalibrated statistics are exact whatever computes the layers', async () => {
    for (const mean of [0, 1e4]) {
      const { value } = await run('recalibrated', { mean, size: 50 });
      const columns = [0, 1, 2].map((c) => Array.from(value.data).filter((_, i) => i % 3 === c));
      const means = columns.map((column) => column.reduce((a, b) => a + b, 0) / 50);
      const variances = columns.map((column, c) => column.reduce((sum, v) => sum + (v - means[c]!) ** 2, 0) / 50);
      expect(value.mean).toBeClose(means, { rtol: 1e-6, atol: 1e-6 });
      expect(value.variance).toBeClose(variances, { rtol: 1e-6, atol: 1e-6 });
    }
  });
});
