/** Federated training in a page: three workers with digits of their own, merged. */
import { expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeGallery, runTask, screenshot, tensorsOf } from '../support/gallery.ts';

/** What the page exposes. */
declare const window: { gallery: { rounds(): { title: string; accuracies: number[] }[] } };
const roundsOf = (page: Page) => page.evaluate(() => window.gallery.rounds());

describeGallery('federated', ({ open }) => {
  test('three clients, none of which has all digits, and a network that knows them all', async () => {
    const page = await open('federated', { settings: { rounds: 3, samples: 2000 } });
    expect(await page.locator('.clients canvas').count()).toBe(3);
    const workers: string[] = [];
    page.on('worker', (worker) => workers.push(worker.url()));
    await runTask(page, 'Train');
    expect(workers).toHaveLength(3);
    const rounds = await roundsOf(page);
    expect(rounds.map(({ title }) => title)).toEqual(['round 1', 'round 2', 'round 3', 'recalibrated']);
    const [one, two, three, merged] = rounds[2]!.accuracies as [number, number, number, number];
    // A client that knows three or four digits of ten.
    for (const client of [one, two, three]) expect(client).toBeLessThan(50);
    expect(merged).toBeGreaterThan(Math.max(one, two, three) + 10);
    expect(rounds[3]!.accuracies[3]).toBeGreaterThan(merged - 5);
    const cells = await page.locator('tbody tr').last().locator('td').allTextContents();
    expect(cells).toEqual(rounds[3]!.accuracies.map((accuracy) => `${accuracy.toFixed(1)} %`));
    // The page hears of the end of a worker a little later.
    while (page.workers().length > 0) await page.waitForTimeout(50);
    for (const [colorScheme, width] of [
      ['light', 1200],
      ['dark', 1200],
      ['light', 375],
    ] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await screenshot(page, `federated-trained-${width}-${colorScheme}`);
    }
    const tensors = await tensorsOf(page);
    await runTask(page, 'Train');
    expect(await tensorsOf(page)).toBe(tensors);
    expect(await roundsOf(page)).toEqual(rounds);
  });

  test('goes round by round, and stops with its clients', async () => {
    const page = await open('federated', { settings: { rounds: 20, samples: 500 } });
    await page.getByRole('button', { name: 'One round' }).click();
    await page.locator('.task[data-state=paused]').waitFor();
    expect(await roundsOf(page)).toHaveLength(1);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('.task[data-state=stopped]').waitFor();
    // The page hears of the end of a worker a little later.
    while (page.workers().length > 0) await page.waitForTimeout(50);
  });
});
