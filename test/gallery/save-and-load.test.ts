/** Save and load: what is loaded predicts what was saved, and trains on. */
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import type { Download, Page } from 'playwright-core';
import { describeGallery, type OpenOptions, runTask, screenshot, stands, tensorsOf } from '../support/gallery.ts';

/** What the page exposes. */
declare const window: {
  gallery: {
    predictions(): number[][];
    losses(): number[];
    memories(): { predictions: number[][]; losses: number[] } | undefined;
  };
};

const predictionsOf = (page: Page) => page.evaluate(() => window.gallery.predictions());
const lossesOf = (page: Page) => page.evaluate(() => window.gallery.losses());

const largest = (a: number[][], b: number[][]) =>
  Math.max(...a.flatMap((row, i) => row.map((value, k) => Math.abs(value - b[i]![k]!))));

/** Presses a button of the storage, and waits for what it says. */
async function press(page: Page, label: string, says: RegExp): Promise<void> {
  await page.getByRole('button', { name: label, exact: true }).click();
  await page.locator('.storage > output').filter({ hasText: says }).waitFor();
}

async function reload(page: Page): Promise<void> {
  await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Reload the page' }).click()]);
  await stands(page);
}

describeGallery('save-and-load', (gallery) => {
  const open = (options: OpenOptions) => gallery.open('save-and-load', options);

  test('a model outlives the page: the same predictions, and the same training from there', async () => {
    const page = await open({ settings: { steps: 6 } });
    const untrained = await predictionsOf(page);
    await runTask(page, 'Train');
    const before = await predictionsOf(page);
    expect(largest(untrained, before)).toBeGreaterThan(0.01);
    await press(page, 'Save in this browser', /^Saved as ‘digits’/);
    await runTask(page, 'Train');
    const unbroken = await lossesOf(page);
    expect(unbroken).toHaveLength(12);

    await reload(page);
    expect(largest(await predictionsOf(page), untrained)).toBeLessThan(1e-6);
    await press(page, 'Load digits', /^Loaded ‘digits’, which was trained for 6 steps/);
    const after = await predictionsOf(page);
    expect(largest(before, after)).toBeLessThan(1e-6);
    const shown = Number(await page.locator('.comparison').getAttribute('data-difference'));
    expect(shown).toBe(largest(before, after));
    expect(await page.locator('.comparison strong').textContent()).toBe(shown === 0 ? '0' : shown.toExponential(1));
    await screenshot(page, 'save-and-load');

    // Batches, weights, moving averages and the optimizer's moments are where they were.
    await runTask(page, 'Train');
    const resumed = await lossesOf(page);
    expect(resumed).toHaveLength(12);
    for (const [i, loss] of resumed.entries()) expect(Math.abs(loss - unbroken[i]!)).toBeLessThan(1e-3);
    expect(await page.locator('.comparison').getAttribute('data-difference')).toBeNull();
  });

  test('saved models are listed and deleted', async () => {
    const page = await open({ settings: { backend: 'cpu' } });
    await page.locator('input[name=name]').fill('one');
    await press(page, 'Save in this browser', /‘one’/);
    await page.locator('input[name=name]').fill('two');
    await press(page, 'Save in this browser', /‘two’/);
    const names = () => page.locator('.saved tbody tr td:first-child').allTextContents();
    expect((await names()).sort()).toEqual(['one', 'two']);
    const [, date, size] = await page.locator('.saved tr[data-name=one] td').allTextContents();
    expect(Math.abs(Date.parse(date!) - Date.now())).toBeLessThan(3600e3);
    expect(Number.parseInt(size!, 10)).toBeGreaterThan(50);
    await press(page, 'Delete one', /^Deleted/);
    expect(await names()).toEqual(['two']);
    await reload(page);
    expect(await names()).toEqual(['two']);
    await press(page, 'Delete two', /^Deleted/);
    expect(await page.locator('.saved').textContent()).toContain('Nothing is saved');
    await page.locator('input[name=name]').fill(' ');
    await press(page, 'Save in this browser', /needs a name/);
  });

  test('a download is loaded from its files, on another backend', async () => {
    const page = await open({ settings: { steps: 2, backend: 'cpu' } });
    await runTask(page, 'Train');
    const before = await predictionsOf(page);
    const downloads: Download[] = [];
    const both = new Promise<void>((resolve) => {
      page.on('download', (download) => {
        if (downloads.push(download) === 2) resolve();
      });
    });
    await press(page, 'Download', /^Downloaded/);
    await both;
    const files = await Promise.all(
      downloads.map(async (download) => ({
        name: download.suggestedFilename(),
        mimeType: 'application/octet-stream',
        buffer: await buffer(await download.createReadStream()),
      })),
    );
    expect(files.map(({ name }) => name).sort()).toEqual(['digits.json', 'digits.weights.bin']);
    const other = await open({ settings: { steps: 2, backend: 'wasm' } });
    const status = other.locator('.storage > output');
    await other.locator('input[name=files]').setInputFiles(files.slice(0, 1));
    await status.filter({ hasText: /^Choose both files/ }).waitFor();
    await other.locator('input[name=files]').setInputFiles(files);
    await status.filter({ hasText: /^Loaded/ }).waitFor();
    const after = await predictionsOf(other);
    expect(largest(before, after)).toBeLessThan(1e-5);
    expect(await other.locator('.comparison').textContent()).toContain('saved on cpu, and runs on wasm');
    await runTask(other, 'Train');
    const losses = await lossesOf(other);
    expect(losses).toHaveLength(4);
    expect(losses.every(Number.isFinite)).toBe(true);
  });

  test('a stopped training leaves a model that can be saved', async () => {
    const page = await open({ settings: { steps: 300 } });
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    await page.locator('.task output', { hasText: /^Step ([2-9]|\d\d)/ }).waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.locator('.task[data-state=stopped]').waitFor();
    const steps = (await lossesOf(page)).length;
    expect(steps).toBeLessThan(300);
    await press(page, 'Save in this browser', /^Saved/);
    await press(page, 'Load digits', new RegExp(`^Loaded ‘digits’, which was trained for ${steps} steps`));
  });

  test('training, saving and loading ten times leaves nothing behind', async () => {
    const page = await open({ settings: { steps: 1 } });
    const round = async () => {
      await runTask(page, 'Train');
      await press(page, 'Save in this browser', /^Saved/);
      await press(page, 'Load digits', /^Loaded/);
      await press(page, 'Start with a new network', /^A new/);
    };
    await round();
    const before = await tensorsOf(page);
    for (let i = 0; i < 10; i++) await round();
    expect(await tensorsOf(page)).toBe(before);
  });

  test('a file of Keras is opened, shows its normalizations, and is saved in other formats', async () => {
    const page = await open({ settings: { backend: 'cpu' } });
    const field = page.locator('input[name=model-files]');
    const line = page.locator('.dropped > output');
    const keras = (name: string) => join(__dirname, '..', 'goldens', 'keras-files', name);
    const choose = async (folder: string, file: string): Promise<void> => {
      await field.setInputFiles(keras(`${folder}/${file}`));
      await line.filter({ hasText: new RegExp(`^${file}: \\d+ layers, [\\d,]+ parameters, `) }).waitFor();
    };
    for (const [folder, file] of [
      ['2.15', 'cnn.h5'],
      ['3.15', 'cnn.keras'],
    ] as const) {
      await choose(folder, file);
      const shown = await page.locator('.dropped tbody th').allTextContents();
      expect(shown).toContain('Batch');
      expect(await line.textContent()).toMatch(
        shown.length === 1 ? /one normalization/ : new RegExp(`${shown.length} normalizations`),
      );
    }
    const before = await tensorsOf(page);
    await choose('2.15', 'cnn.h5');
    await choose('3.15', 'cnn.keras');
    expect(await tensorsOf(page)).toBe(before);
    for (const [button, name, start] of [
      ['Save as .keras', 'cnn.keras', 'PK'],
      ['Save as model.json', 'cnn.json', '{"modelTopology'],
      ['Save as safetensors', 'cnn.safetensors', '{'],
    ] as const) {
      // A model.json comes with a second file, which may arrive after it.
      const downloading = page.waitForEvent('download', (download) => download.suggestedFilename() === name);
      await page.getByRole('button', { name: button, exact: true }).click();
      const download = await downloading;
      const text = (await buffer(await download.createReadStream())).toString('latin1');
      // A safetensors file begins with the length of its header.
      expect(text.slice(name.endsWith('safetensors') ? 8 : 0)).toMatch(new RegExp(`^\\${start}`));
    }
    await field.setInputFiles({ name: 'broken.keras', mimeType: 'application/zip', buffer: Buffer.from('no model') });
    await page.locator('.dropped > output[data-state=failed]').waitFor();
    expect((await line.textContent())!.length).toBeGreaterThan(20);
    await field.setInputFiles({ name: 'model.json', mimeType: 'application/json', buffer: Buffer.from('{}') });
    await line.filter({ hasText: /together with the weight files/ }).waitFor();
  });
});
