/** Every layer saved and loaded on every backend, in a page through the storage of browsers too. */
import { expect, test } from '@jest/globals';
import { describeEverywhere } from '../support/backends.ts';
import { SUBJECTS, titled } from '../support/layer-table.ts';

function expectSame(value: Awaited<ReturnType<typeof import('../cases/serialization.ts').saveAndLoad>>): void {
  expect(Array.from(value.after)).toEqual(Array.from(value.before));
  expect(Array.from(value.before).every(Number.isFinite)).toBe(true);
  expect(value).toMatchObject({ ours: true, config: true, names: true });
}

describeEverywhere('saved and loaded', ({ name, run }) => {
  const inPage = name.startsWith('webg') || name.startsWith('browser-');
  test.each(titled(SUBJECTS))('%s', async (_, subject) => {
    const { value, leaked } = await run('saveAndLoad', { ...subject, url: 'memory' });
    expectSame(value);
    expect(leaked).toEqual({ tensors: 0, data: 0 });
  });

  if (!inPage) return;
  test.each(['indexeddb', 'localstorage'])('%s', async (scheme) => {
    for (const subject of SUBJECTS) {
      const { value, leaked } = await run('saveAndLoad', { ...subject, url: `${scheme}://${subject.className}` });
      expectSame(value);
      expect(leaked).toEqual({ tensors: 0, data: 0 });
    }
  });
});
