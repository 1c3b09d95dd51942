/** The batch size lab: short trainings, whose table must be what the networks themselves say of the test digits. */
import { expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeGallery, runTask, screenshot, tensorsOf } from '../support/gallery.ts';

const ALL = [
  'none',
  'BatchNormalization',
  'GroupNormalization',
  'LayerNormalization',
  'InstanceNormalization',
  'BatchRenormalization',
  'MeanOnlyBatchNormalization',
];

interface Exposed {
  predict(kind: string): Promise<number[][]>;
  digits: { labels: Uint8Array };
}

const cell = (page: Page, kind: string, name: string) =>
  page.locator(`tr[data-kind=${kind}] [data-cell=${name}]`).textContent();

/** Accuracy and cross-entropy, from the probabilities that the network gives. */
async function measured(page: Page, kind: string): Promise<{ accuracy: number; loss: number }> {
  const { labels, rows } = await page.evaluate(async (kind) => {
    const { predict, digits } = (globalThis as unknown as { gallery: Exposed }).gallery;
    return { labels: [...digits.labels], rows: await predict(kind) };
  }, kind);
  const right = labels.filter((label, i) =>
    rows[i]!.every((share, other) => other === label || share < rows[i]![label]!),
  );
  const losses = labels.map((label, i) => -Math.log(rows[i]![label]!));
  const loss = losses.reduce((sum, value) => sum + value, 0) / labels.length;
  return { accuracy: right.length / labels.length, loss };
}

async function expectTable(page: Page, kinds: readonly string[]): Promise<void> {
  for (const kind of kinds) {
    const { accuracy, loss } = await measured(page, kind);
    expect(await cell(page, kind, 'accuracy')).toBe(`${(100 * accuracy).toFixed(1)} %`);
    expect(Math.abs(Number(await cell(page, kind, 'loss')) - loss)).toBeLessThan(1e-3);
    expect(Number(await cell(page, kind, 'milliseconds'))).toBeGreaterThan(0);
  }
}

describeGallery('batch size lab', ({ open }) => {
  test('shows the numbers of the networks that it trained, on webgl', async () => {
    const norms = ALL.slice(1, 3);
    const settings = { norms: norms.join(), batch: 16, images: 80, backend: 'webgl' };
    const page = await open('batch-size', { settings });
    await runTask(page, 'Train');
    await expectTable(page, norms);
  });

  test('shows the numbers of the networks that it trained, and learns', async () => {
    const norms = ALL.slice(1, 3);
    const page = await open('batch-size', { settings: { norms: norms.join(), batch: 8, images: 640, rate: 0.02 } });
    await runTask(page, 'Train');
    await expectTable(page, norms);
    for (const norm of norms) expect((await measured(page, norm)).accuracy).toBeGreaterThan(0.3);
    const labels = await page.locator('.lab svg[aria-label]').evaluateAll((all) => all.map((svg) => svg.ariaLabel));
    expect(labels).toEqual([
      'Accuracy against the batch size',
      'The mean of one channel, batch by batch',
      'Accuracy on digits that were not trained with',
      'Loss in training',
    ]);
    await screenshot(page, 'batch-size');
  });

  test('every normalization trains on a single digit at a time', async () => {
    for (const [backend, norms] of [
      ['wasm', ALL.slice(0, 4)],
      ['wasm', ALL.slice(4, 6)],
      ['cpu', ALL.slice(6)],
    ] as const) {
      const settings = { norms: norms.join(), batch: 1, images: 80, backend };
      const page = await open('batch-size', { settings });
      await runTask(page, 'Train');
      await expectTable(page, norms);
      for (const norm of norms) expect(Number.isFinite((await measured(page, norm)).loss)).toBe(true);
    }
  });

  test('leaves nothing behind, after a stop, too, and is the same again', async () => {
    const norms = ['BatchRenormalization', 'MeanOnlyBatchNormalization'];
    const settings = { norms: norms.join(), batch: 16, images: 80 };
    const page = await open('batch-size', { settings });
    const atFirst = await tensorsOf(page);
    await runTask(page, 'Train');
    const [after, { loss }] = [await tensorsOf(page), await measured(page, norms[0]!)];
    expect(after).toBeGreaterThan(atFirst);

    await page.locator('input[name=images]').fill('6960');
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    await page.getByText(/^Step \d+ of 435/).waitFor();
    await page.getByRole('group', { name: 'Train' }).getByRole('button', { name: 'Stop' }).click();
    await page.locator('.task[data-state=stopped]').waitFor();
    expect(await page.locator('input[name=images]').isEnabled()).toBe(true);

    await page.locator('input[name=images]').fill('80');
    for (let run = 0; run < 2; run++) await runTask(page, 'Train');
    expect(await tensorsOf(page)).toBe(after);
    expect((await measured(page, norms[0]!)).loss).toBeCloseTo(loss, 4);

    await page.locator('select[name=batch]').selectOption('2');
    expect(await tensorsOf(page)).toBe(atFirst);
    expect(await cell(page, norms[0]!, 'accuracy')).toBe('–');
  });

  test('says of how many values each mean is taken', async () => {
    const page = await open('batch-size', { settings: { norms: ALL.slice(1, 5).join(), batch: 2 } });
    const counts = (kind: string) => page.locator(`tr[data-kind=${kind}] td`).first().textContent();
    expect(await counts('BatchNormalization')).toBe('200 · 50 · 18');
    expect(await counts('GroupNormalization')).toBe('200 · 100 · 72');
    expect(await counts('LayerNormalization')).toBe('800 · 400 · 288');
    expect(await counts('InstanceNormalization')).toBe('100 · 25 · 9');
    await page.locator('select[name=batch]').selectOption('1');
    expect(await counts('BatchNormalization')).toBe('100 · 25 · 9');
  });
});
