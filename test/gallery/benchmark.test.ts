/** The benchmark page: what it shows is what it measured, and the draws are the known ones. */
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeGallery, runTask, screenshot, tensorsOf } from '../support/gallery.ts';

interface Result {
  readonly name: string;
  readonly shape: number[];
  readonly us: Record<string, number>;
  readonly draws?: Record<string, number>;
  readonly gpuUs?: { readonly ours: number; readonly copy: number };
}
interface Report {
  readonly backend: string;
  readonly device: string;
  readonly effort: string;
  readonly results: Result[];
}
declare const window: { gallery: { report(): Report } };

const START = 'Measure on this machine';
const WAYS = ['', 'Gradient'];
const PAIRS = [
  ['layer', 'builtIn'],
  ['ours', 'composed'],
] as const;

const reported = (page: Page) => page.evaluate(() => window.gallery.report());
const openQuick = { norms: 'layer,batch', sizes: '64x128,8x32x32x64', effort: 'quick' };

/** The cells of the table, by contest, then by line, then by what they are of. */
const cells = (page: Page) =>
  page
    .locator('.results tbody')
    .evaluateAll((bodies) =>
      bodies.map((body) =>
        Array.from(body.querySelectorAll('tr'), (line) =>
          Object.fromEntries(
            Array.from(line.querySelectorAll<HTMLElement>('td[data-of]'), (td) => [td.dataset.of!, td.textContent!]),
          ),
        ),
      ),
    );

/** Microseconds of '1.23 ms'. */
function microseconds(text: string): number {
  const [, value, unit] = /^([\d.]+) (us|ms|s)$/.exec(text)!;
  return Number(value) * { us: 1, ms: 1e3, s: 1e6 }[unit as 'us' | 'ms' | 's'];
}

/** Three digits are shown. */
const near = (shown: number, value: number) => expect(Math.abs(shown / value - 1)).toBeLessThan(6e-3);

async function expectTable(page: Page, results: readonly Result[]): Promise<void> {
  const table = await cells(page);
  expect(table.length).toBe(results.length);
  for (const [place, { us, draws }] of results.entries()) {
    for (const [i, suffix] of WAYS.entries()) {
      const line = table[place][i];
      for (const [ours, theirs] of PAIRS.map((pair) => pair.map((candidate) => candidate + suffix))) {
        for (const candidate of [ours, theirs]) {
          if (us[candidate] === undefined) expect(line[candidate]).toBe('-');
          else near(microseconds(line[candidate]), us[candidate]);
        }
        if (us[theirs] !== undefined) near(Number.parseFloat(line[`${ours}-faster`]), us[theirs] / us[ours]);
        if (draws && us[theirs] !== undefined) {
          expect(line[`${ours}-draws`]).toBe(`${draws[ours]} : ${draws[theirs]}`);
        }
      }
    }
  }
}

describeGallery('benchmark', ({ open }) => {
  test('measures on webgl: table, draws and download', async () => {
    const page = await open('benchmark', { settings: { ...openQuick, backend: 'webgl' } });
    // It does not come empty: there are the results of the repository.
    expect(await page.locator('.source').textContent()).toMatch(/^Not yet yours: results of \d{4}-\d\d-\d\d on /);
    expect(await page.locator('.results tbody').count()).toBeGreaterThan(2);
    expect(await page.locator('figure svg').count()).toBeGreaterThan(1);
    const download = page.getByRole('button', { name: 'Download as JSON' });
    expect(await download.isDisabled()).toBe(true);
    await screenshot(page, 'benchmark-before');

    await runTask(page, START);
    const report = await reported(page);
    expect(report).toMatchObject({ backend: 'webgl', effort: 'quick' });
    expect(report.device).not.toBe('');
    expect(await page.locator('.source').textContent()).toContain(`Measured here, on ${report.device}.`);
    const [layer, batch] = report.results;
    expect(report.results.map(({ name, shape }) => [name, shape])).toEqual([
      ['layer', [64, 128]],
      ['batch', [8, 32, 32, 64]],
    ]);
    for (const { us } of report.results) {
      for (const time of Object.values(us)) expect(time).toBeGreaterThan(0);
    }
    // Layer normalization 2 and 5; batch normalization 3 and 4, and its moving averages take 2.
    expect(layer.draws).toMatchObject({ layer: 2, layerGradient: 7, ours: 2, oursGradient: 7 });
    expect(batch.draws).toMatchObject({ layer: 5, layerGradient: 9 });
    for (const { draws } of report.results) {
      for (const [ours, theirs] of PAIRS) expect(draws![theirs]).toBeGreaterThan(3 * draws![ours]);
    }
    await expectTable(page, report.results);

    const [file] = await Promise.all([page.waitForEvent('download'), download.click()]);
    const written = JSON.parse(await text(await file.createReadStream()));
    expect(Number.isNaN(Date.parse(written.date))).toBe(false);
    expect(written).toEqual({ ...(await reported(page)), date: written.date });
    expect(file.suggestedFilename()).toBe('tfjs-normalizations-webgl.json');
    await screenshot(page, 'benchmark');
  });

  test('measures on webgpu: dispatches, and GB/s where the GPU has a clock', async () => {
    const settings = { ...openQuick, backend: 'webgpu', norms: 'rms', sizes: '64x128' };
    const page = await open('benchmark', { settings });
    await runTask(page, START);
    const { backend, results } = await reported(page);
    expect(backend).toBe('webgpu');
    expect(results[0].draws).toMatchObject({ ours: 1, oursGradient: 3 });
    await expectTable(page, results);
    const text = await page.locator('.bandwidths').textContent();
    if (results[0].gpuUs?.ours && results[0].gpuUs.copy)
      expect(text).toMatch(/RMS.* 64×128 [\d.]+ (us|ms), [\d.]+ GB\/s \(a copy [\d.]+ (us|ms), [\d.]+ GB\/s\)/);
    else expect(text).toBe('');
  });

  test('measures on cpu, without draws', async () => {
    const settings = { ...openQuick, backend: 'cpu', norms: 'layer,rms,group', sizes: '64x128,2x16x16x32' };
    const page = await open('benchmark', { settings });
    await runTask(page, START);
    const { results } = await reported(page);
    expect(results.map(({ name }) => name)).toEqual(['layer', 'rms', 'group']);
    for (const { us, draws } of results) {
      expect(draws).toBeUndefined();
      expect(us.builtIn === undefined).toBe(us.builtInGradient === undefined);
    }
    expect(results.map(({ us }) => us.builtIn !== undefined)).toEqual([true, false, false]);
    await expectTable(page, results);
  });

  test('stops, fills the table as it goes, and leaks nothing', async () => {
    const settings = { ...openQuick, norms: 'rms,group', sizes: '64x128,2x16x16x32' };
    const page = await open('benchmark', { settings });
    await runTask(page, START);
    const tensors = await tensorsOf(page);
    await runTask(page, START);
    expect(await tensorsOf(page)).toBe(tensors);
    await page.getByRole('button', { name: START }).click();
    await page.waitForFunction(() => window.gallery.report().results.length === 1);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('.task[data-state="stopped"]').waitFor();
    const { results } = await reported(page);
    expect(results.length).toBe(1);
    const [rms, group] = await cells(page);
    near(microseconds(rms[0].ours), results[0].us.ours);
    expect(new Set(Object.values(group[0]))).toEqual(new Set(['…']));
    expect(await tensorsOf(page)).toBe(tensors);
    await runTask(page, START);
    expect((await reported(page)).results.length).toBe(2);
    expect(await tensorsOf(page)).toBe(tensors);
  });

  test('stays responsive, and says so where there is nothing to measure', async () => {
    const page = await open('benchmark', { settings: { norms: 'rms', sizes: '8x32x32x64' } });
    await runTask(page, START);
    expect(await page.locator('.task output').textContent()).toMatch(/^Nothing to measure/);
    await page.getByRole('checkbox', { name: '64×128' }).check();
    // Frames that pass while it measures: calls of a few ms leave room for many.
    await page.evaluate(() => {
      const count = () => {
        frames.count++;
        requestAnimationFrame(count);
      };
      const frames = { count: 0 };
      Object.assign(window, { frames });
      requestAnimationFrame(count);
    });
    await runTask(page, START);
    expect(
      await page.evaluate(() => (window as unknown as { frames: { count: number } }).frames.count),
    ).toBeGreaterThan(10);
  });

  test('a link shares a result, and a damaged one is refused', async () => {
    const page = await open('benchmark', { settings: { ...openQuick, backend: 'cpu', norms: 'rms', sizes: '64x128' } });
    await runTask(page, START);
    const { results, device } = await reported(page);
    await page.evaluate(() =>
      Object.assign(navigator.clipboard, {
        writeText: async (text: string) => void Object.assign(globalThis, { copied: text }),
      }),
    );
    await page.getByRole('button', { name: 'Copy a link to this result' }).click();
    const copied = await page.waitForFunction(() => (globalThis as { copied?: string }).copied);
    const link = (await copied.jsonValue())!;
    const other = await open('benchmark', { settings: { backend: 'cpu' } });
    await other.goto(link);
    await other.reload();
    await other.locator('.source', { hasText: `A shared result, measured elsewhere: cpu on ${device}` }).waitFor();
    await expectTable(other, results);
    await other.goto(`${link.slice(0, -9)}x`);
    await other.reload();
    await other.locator('.source', { hasText: 'a result that is damaged, and is not shown' }).waitFor();
  });
});
