/** Style transfer: the page's network against pictures by onnxruntime, and what the page does with it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type * as TensorFlow from '@tensorflow/tfjs';
import type { Page } from 'playwright-core';
import { describeGallery, runTask, screenshot, tensorsOf } from '../support/gallery.ts';

/** What the page exposes. */
interface Exposed {
  gallery: {
    tf: typeof TensorFlow;
    weights: object;
    model: TensorFlow.LayersModel;
    styles: { shares: number[] };
    setStyle(model: TensorFlow.LayersModel, weights: object, shares: number[]): void;
    styleNetwork(weights: object, normalization?: object): TensorFlow.LayersModel;
    plainInstanceNormalization: object;
    predictInSteps(model: TensorFlow.LayersModel, x: TensorFlow.Tensor): Promise<TensorFlow.Tensor>;
    paintThumbnail(model: TensorFlow.LayersModel, weights: object, style: number): Promise<Canvas>;
    makeThumbnails(): Promise<void>;
    repaint(): Promise<void>;
    measured: { ours: number[]; plain: number[]; difference: number };
  };
}
interface Canvas {
  width: number;
  height: number;
  dataset: Record<string, string>;
  toDataURL(): string;
  captureStream(): { getTracks(): { readyState: string }[] };
  getContext(kind: string): {
    fillStyle: string;
    fillRect(...box: number[]): void;
    drawImage(...what: unknown[]): void;
    getImageData(x: number, y: number, width: number, height: number): { data: Uint8ClampedArray };
  };
}
declare const window: Exposed & { stream: ReturnType<Canvas['captureStream']> };
declare const document: { createElement(name: string): Canvas; querySelector(selector: string): Canvas };
declare const Image: new () => { src: string; decode(): Promise<void> };

/** Where there is no GPU, the first picture compiles for half a minute. */

const GOLDENS = join(__dirname, '..', 'goldens', 'style26');
const PAGE = join(__dirname, '..', '..', 'examples', 'gallery', 'style-transfer');
/** The published tolerance of the expected pictures, whose values are in [0, 1]. */
const TOLERANCE = 2e-3;

const floats = (path: string): Float32Array => new Float32Array(new Uint8Array(readFileSync(path)).buffer);

interface Case {
  readonly name: string;
  readonly shape: number[];
  readonly styles: Record<string, number>;
}
const cases: Case[] = readdirSync(GOLDENS)
  .filter((file) => file.endsWith('.json'))
  .map((file) => ({ name: file.slice(0, -5), ...JSON.parse(readFileSync(join(GOLDENS, file), 'utf8')) }));

/** The tensors of weights.bin, read without TensorFlow.js. */
function weightsOfFile(): Map<string, { shape: number[]; values: Float32Array }> {
  const [{ weights }] = JSON.parse(readFileSync(join(PAGE, 'weights_manifest.json'), 'utf8'));
  const all = floats(join(PAGE, 'weights.bin'));
  let start = 0;
  return new Map(
    weights.map(({ name, shape }: { name: string; shape: number[] }) => {
      const size = shape.reduce((a, b) => a * b);
      const values = all.subarray(start, start + size);
      start += size;
      return [name, { shape, values }];
    }),
  );
}

/** Gammas and betas of a mix, by block: the sum of share times row. */
function expectedParameters(shares: readonly number[]): Record<string, number[]> {
  const result: Record<string, number[]> = {};
  for (const [name, { shape, values }] of weightsOfFile()) {
    if (name.endsWith('.kernel')) continue;
    const channels = shape[1];
    result[name] = Array.from({ length: channels }, (_, channel) =>
      shares.reduce((sum, share, style) => sum + share * values[style * channels + channel], 0),
    );
  }
  return result;
}

const parametersOfPage = (page: Page): Promise<Record<string, number[]>> =>
  page.evaluate(async () => {
    const result: Record<string, number[]> = {};
    for (const layer of window.gallery.model.layers) {
      const weights = layer.getWeights();
      if (weights.length !== 2) continue;
      for (const [i, name] of ['gamma', 'beta'].entries()) {
        result[layer.name.replace('norm', name)] = Array.from(await weights[i].data());
      }
    }
    return result;
  });

async function checkParameters(page: Page, shares: readonly number[]): Promise<void> {
  const [found, expected] = [await parametersOfPage(page), expectedParameters(shares)];
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) {
    expect(found[name]).toBeClose(values, { rtol: 1e-6, atol: 1e-6, what: name });
  }
}

const sharesOf = (styles: Readonly<Record<number, number>>) =>
  Array.from({ length: 26 }, (_, style) => styles[style] ?? 0);

const painted = (page: Page) => page.locator('canvas[data-state=done]').waitFor();
/** After a change: the page has begun with it when this is asked. */
const repainted = (page: Page) => page.evaluate(() => window.gallery.repaint());
const pixels = (page: Page) => page.evaluate(() => document.querySelector('canvas[data-state]').toDataURL());
const pictureCount = async (page: Page) =>
  Number(await page.locator('canvas[data-state]').getAttribute('data-pictures'));
/** Waits for so many pictures at least. */
const pictures = (page: Page, count: number) =>
  page.waitForFunction(
    (count) => Number(document.querySelector('canvas[data-state]').dataset.pictures) >= count,
    count,
  );

const slide = (page: Page, style: number, value: number) =>
  page.locator(`input[name=style-${style + 1}]`).fill(String(value));
const thumbnail = (page: Page, style: number) =>
  page.getByRole('button', { name: new RegExp(`^Style ${style + 1}: `) });
const message = (page: Page) => page.locator('.message');

test('the numbers of the explanation are those of the file', () => {
  const all = [...weightsOfFile()];
  const count = (end: string) =>
    all.filter(([name]) => name.endsWith(end)).reduce((sum, [, { values }]) => sum + values.length, 0);
  expect(count('.kernel')).toBe(140_364);
  expect((count('.gamma') + count('.beta')) / 26).toBe(990);
});

describeGallery('style transfer', ({ open }) => {
  const opened = async (settings: Record<string, string | number> = {}) => {
    const page = await open('style-transfer', { settings: { size: 64, ...settings } });
    await painted(page);
    return page;
  };

  // Tensors are counted alike on every backend; webgl, drawn by software, and cpu take seconds for a picture.
  describe.each([
    ['webgl', 3, 1],
    ['wasm', 10, 2],
    ['cpu', 1, 1],
  ])('%s', (backend, changes, measurements) => {
    test.each(cases)('$name is painted as by onnxruntime', async ({ name, shape, styles }) => {
      const chosen = Object.keys(styles).map(Number);
      const page = await opened({
        backend,
        styles: chosen.map((style) => style + 1).join(),
        amounts: chosen.map((style) => 100 * styles[style]).join(),
      });
      const input = Array.from(floats(join(GOLDENS, `${name}.input.bin`)));
      const { outputs, plain, kernels } = await page.evaluate(
        async ({ input, shape }) => {
          const { gallery } = window;
          const { tf, model, weights } = gallery;
          const x = tf.tensor4d(input, shape as [number, number, number, number]);
          const plainModel = gallery.styleNetwork(weights, gallery.plainInstanceNormalization);
          gallery.setStyle(plainModel, weights, gallery.styles.shares);
          const read = async (y: TensorFlow.Tensor) => Array.from(await y.data());
          const { kernels, result } = await tf.profile(() => model.predict(x) as TensorFlow.Tensor);
          return {
            kernels: kernels.map(({ name }) => name),
            outputs: [await read(result as TensorFlow.Tensor), await read(await gallery.predictInSteps(model, x))],
            plain: await read(plainModel.predict(x) as TensorFlow.Tensor),
          };
        },
        { input, shape },
      );
      const expected = floats(join(GOLDENS, `${name}.output.bin`));
      for (const output of outputs) expect(output).toBeClose(expected, { rtol: 0, atol: TOLERANCE, what: name });
      expect(plain).toBeClose(outputs[0], { rtol: 0, atol: 1e-4, what: 'plain ops against ours' });
      await checkParameters(page, sharesOf(styles));
      // The built page has our kernels, and does not make do with ordinary ops.
      expect(kernels.filter((name) => name === 'tfjs-normalizations/2/Normalize')).toHaveLength(18);
      expect(kernels).not.toContain('Mean');
    });

    test(`${changes} more pictures, and measurements (${measurements}), leave no tensor behind`, async () => {
      const page = await opened({ backend, rounds: 1 });
      const before = await tensorsOf(page);
      for (let i = 0; i < changes; i++) {
        await thumbnail(page, (7 * i + 1) % 26).click();
        await repainted(page);
      }
      expect(await pictureCount(page)).toBeGreaterThan(changes);
      expect(await tensorsOf(page)).toBe(before);
      for (let i = 0; i < measurements; i++) await runTask(page, 'Measure');
      expect(await tensorsOf(page)).toBe(before);
    });
  });

  test('sliders and clicks mix gammas and betas', async () => {
    const page = await opened({ styles: '5,20', amounts: '50,50' });
    await checkParameters(page, sharesOf({ 4: 0.5, 19: 0.5 }));
    const half = await pixels(page);
    await slide(page, 4, 20);
    await slide(page, 19, 60);
    await repainted(page);
    await checkParameters(page, sharesOf({ 4: 0.25, 19: 0.75 }));
    expect(await page.locator('.mix output').allTextContents()).toEqual(['25 %', '75 %']);
    expect(await thumbnail(page, 19).textContent()).toBe('75 %');
    expect(await pixels(page)).not.toBe(half);

    await page.locator('input[name=mix]').check();
    await thumbnail(page, 0).click(); // at 50 of 20 + 60 + 50
    await repainted(page);
    await checkParameters(page, sharesOf({ 4: 20 / 130, 19: 60 / 130, 0: 50 / 130 }));
    await page.getByRole('button', { name: /^Take out Style 20: / }).click();
    await thumbnail(page, 0).click();
    await thumbnail(page, 4).click(); // the last one stays
    await repainted(page);
    await checkParameters(page, sharesOf({ 4: 1 }));

    await page.locator('input[name=mix]').uncheck();
    await thumbnail(page, 11).click();
    await thumbnail(page, 12).click({ modifiers: ['Shift'] });
    await slide(page, 11, 0);
    await slide(page, 12, 0);
    await repainted(page);
    await checkParameters(page, sharesOf({ 11: 0.5, 12: 0.5 }));
    const pressed = await page
      .locator('.style[aria-pressed=true]')
      .evaluateAll((all) => all.map((one) => one.ariaLabel));
    expect(pressed.map((name) => name?.split(':')[0])).toEqual(['Style 12', 'Style 13']);
  });

  test('one slider leads from a style to another, and the formula points at their numbers', async () => {
    const page = await opened({ styles: '5,20', amounts: '50,50' });
    await page.locator('input[name=between]').fill('25');
    await repainted(page);
    await checkParameters(page, sharesOf({ 4: 0.75, 19: 0.25 }));
    expect(await page.locator('.mix output').allTextContents()).toEqual(['75 %', '25 %']);
    await page.waitForFunction(() =>
      (globalThis as unknown as { location: { search: string } }).location.search.includes('amounts=75,25'),
    );
    const gammas = Object.entries(expectedParameters(sharesOf({ 4: 0.75, 19: 0.25 })))
      .filter(([name]) => name.endsWith('.gamma'))
      .flatMap(([, values]) => values);
    await page.locator('.barcode .letter').first().hover();
    const [low, high] = [Math.min(...gammas), Math.max(...gammas)].map((value) => value.toFixed(2));
    expect(await page.locator('.said').textContent()).toBe(
      `γ, the scale of a channel: ${gammas.length} of them, from ${low} to ${high}.`,
    );
    await page
      .locator('.strip canvas')
      .first()
      .hover({ position: { x: 1, y: 5 } });
    expect(await page.locator('.said').textContent()).toMatch(/^Channel 1 of 495, in block contract\.0: y = -?\d/);
  });

  test('the picture is what the model makes of the photo', async () => {
    const page = await opened({ photo: 'coffee' });
    const largest = await page.evaluate(async () => {
      const { tf, model } = window.gallery;
      const [photo, painting] = ['.pictures canvas', 'canvas[data-state]'].map((selector) => {
        const canvas = document.querySelector(selector);
        return Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data);
      });
      const opaque = (rgba: number[]) => rgba.filter((_, i) => i % 4 < 3);
      const y = model.predict(tf.tensor4d(opaque(photo), [1, 64, 64, 3]).div(255)) as TensorFlow.Tensor;
      const expected = Array.from(await y.data());
      return Math.max(...opaque(painting).map((byte, i) => Math.abs(byte - 255 * expected[i])));
    });
    expect(largest).toBeLessThan(1);
  });

  test('thumbnails show what the network paints', async () => {
    const page = await opened();
    const address = await thumbnail(page, 0).evaluate((button) => /url\("(.+?)"\)/.exec(button.style.background)![1]);
    const distances = await page.evaluate(async (address) => {
      const { gallery } = window;
      const sheet = new Image();
      sheet.src = address;
      await sheet.decode();
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [13 * 128, 2 * 128];
      canvas.getContext('2d').drawImage(sheet, 0, 0);
      const data = (of: Canvas, x = 0, y = 0) => of.getContext('2d').getImageData(x, y, 128, 128).data;
      const model = gallery.styleNetwork(gallery.weights);
      const distances: number[][] = [];
      for (const style of [0, 7, 25]) {
        const painted = data(await gallery.paintThumbnail(model, gallery.weights, style));
        distances.push(
          Array.from({ length: 26 }, (_, other) => {
            const tile = data(canvas, (other % 13) * 128, Math.floor(other / 13) * 128);
            return painted.reduce((sum, byte, i) => sum + Math.abs(byte - tile[i]), 0) / painted.length;
          }),
        );
      }
      return distances;
    }, address);
    for (const [i, style] of [0, 7, 25].entries()) {
      const [nearest, second] = [...distances[i]].sort((a, b) => a - b);
      expect(distances[i].indexOf(nearest)).toBe(style);
      expect(nearest).toBeLessThan(8); // of 255: what JPEG loses
      expect(second).toBeGreaterThan(2 * nearest);
    }
  });

  test('measuring tells medians of both networks', async () => {
    const page = await opened({ rounds: 3 });
    await runTask(page, 'Measure');
    const { ours, plain, difference } = await page.evaluate(() => window.gallery.measured);
    expect([ours.length, plain.length]).toEqual([3, 3]);
    const [oursMedian, plainMedian] = [ours, plain].map((times) => times.sort((a, b) => a - b)[1]);
    expect(Math.min(oursMedian, plainMedian)).toBeGreaterThan(0);
    const shown = await page.locator('.speed b').allTextContents();
    const text = (time: number) => `${time.toFixed(time < 100 ? 1 : 0)} ms`;
    expect(shown).toEqual([text(oursMedian), text(plainMedian)]);
    expect(await page.locator('.speeds strong').textContent()).toBe(`${(plainMedian / oursMedian).toFixed(2)} times`);
    expect(difference).toBeLessThan(1e-4);
    await screenshot(page, 'style-transfer-measured');
  });

  test('measuring can be stopped, and the page goes on', async () => {
    const page = await opened({ rounds: 40, size: 192 });
    const before = await tensorsOf(page);
    await page.getByRole('button', { name: 'Measure', exact: true }).click();
    await page.locator('.task output', { hasText: /^Round \d/ }).waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.locator('.task[data-state=stopped]').waitFor();
    await thumbnail(page, 3).click();
    await repainted(page);
    await checkParameters(page, sharesOf({ 3: 1 }));
    expect(await tensorsOf(page)).toBe(before);
  });

  test('a picture of the reader keeps its shape', async () => {
    const page = await opened();
    const url = await page.evaluate(() => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [300, 157];
      const context = canvas.getContext('2d');
      context.fillStyle = 'red';
      context.fillRect(0, 0, 150, 157); // the other half is transparent
      return canvas.toDataURL();
    });
    const upload = page.locator('input[name=upload]');
    const file = { name: 'mine.png', mimeType: 'image/png', buffer: Buffer.from(url.split(',')[1], 'base64') };
    await upload.setInputFiles(file);
    await page.locator('canvas[data-pictures="2"][data-state=done]').waitFor();
    const [photo, painting] = await page.locator('.pictures canvas').evaluateAll((all) =>
      (all as unknown as Canvas[]).map((canvas) => {
        const at = (x: number) => Array.from(canvas.getContext('2d').getImageData(x, 9, 1, 1).data);
        return { size: [canvas.width, canvas.height], left: at(9), right: at(54) };
      }),
    );
    expect([photo.size, painting.size]).toEqual([
      [64, 32],
      [64, 32],
    ]);
    expect([photo.left, photo.right]).toEqual([
      [255, 0, 0, 255],
      [255, 255, 255, 255],
    ]);
    expect(await page.locator('.photo[aria-pressed=true]').count()).toBe(0);

    await upload.setInputFiles({ name: 'text.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
    await message(page).filter({ hasText: 'cannot read' }).waitFor();
    await page.locator('button[name=astronaut]').click();
    await page.locator('canvas[data-pictures="3"][data-state=done]').waitFor();
    expect(await message(page).textContent()).toBe('');
    await upload.setInputFiles(file);
    await page.locator('canvas[data-pictures="4"][data-state=done]').waitFor();
  });

  test('without a camera, or refused, the page says so and stays', async () => {
    const page = await opened();
    const camera = page.locator('button[name=camera]');
    const refuse = (name: string) =>
      page.evaluate((name) => {
        const { mediaDevices } = (globalThis as unknown as { navigator: { mediaDevices: object } }).navigator;
        Object.assign(mediaDevices, { getUserMedia: () => Promise.reject(new DOMException('no', name)) });
      }, name);
    await camera.click(); // this browser really has none
    await message(page)
      .filter({ hasText: /camera/ })
      .waitFor();
    await message(page).filter({ hasNotText: 'Waiting' }).waitFor();
    for (const [name, text] of [
      ['NotAllowedError', 'refused'],
      ['NotFoundError', 'has no camera'],
      ['NotReadableError', 'another program'],
      ['AbortError', 'does not start: no'],
    ]) {
      await refuse(name);
      await camera.click();
      await message(page).filter({ hasText: text }).waitFor();
      expect(await camera.textContent()).toBe('Camera');
    }
    await page.evaluate(() => {
      const { navigator } = globalThis as unknown as { navigator: object };
      Object.defineProperty(navigator, 'mediaDevices', { value: undefined });
    });
    await camera.click();
    await message(page).filter({ hasText: 'https' }).waitFor();
    expect(await page.locator('button[name=chelsea]').getAttribute('aria-pressed')).toBe('true');
    await repainted(page);
    expect(await pictureCount(page)).toBe(2);
  });

  test('the camera is painted until it is stopped, and then given back', async () => {
    const page = await opened();
    const before = await tensorsOf(page);
    await page.evaluate(() => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [320, 240];
      const context = canvas.getContext('2d');
      let place = 0;
      setInterval(() => {
        place = (place + 30) % 280;
        context.fillStyle = 'white';
        context.fillRect(0, 0, 320, 240);
        context.fillStyle = 'green';
        context.fillRect(place, place / 2, 60, 90);
      }, 50);
      const { mediaDevices } = (globalThis as unknown as { navigator: { mediaDevices: object } }).navigator;
      const getUserMedia = async () => {
        window.stream = canvas.captureStream();
        return window.stream;
      };
      Object.assign(mediaDevices, { getUserMedia });
    });
    const states = () => page.evaluate(() => window.stream.getTracks().map(({ readyState }) => readyState));
    const camera = page.locator('button[name=camera]');
    for (const end of ['button[name=camera]', 'button[name=coffee]']) {
      const count = await pictureCount(page);
      await camera.click();
      await pictures(page, count + 3);
      const first = await pixels(page);
      // The camera gives new pictures at its own pace: several may be painted of one.
      for (let more = 5; more < 100 && (await pixels(page)) === first; more += 5) await pictures(page, count + more);
      expect((await pixels(page)) === first).toBe(false);
      expect(await camera.textContent()).toBe('Stop the camera');
      expect(await states()).toEqual(['live']);
      await page.locator(end).click();
      expect(await states()).toEqual(['ended']);
      // The photograph takes the place of the camera's picture when it has been loaded.
      const height = end.includes('camera') ? 48 : 64;
      await page.locator(`canvas[data-state][width="64"][height="${height}"]`).waitFor();
      await painted(page);
      const stopped = await pictureCount(page);
      await page.waitForTimeout(500);
      expect(await pictureCount(page)).toBe(stopped);
    }
    expect(await tensorsOf(page)).toBe(before);
  });

  test('the picture is downloaded', async () => {
    const page = await opened({ size: 192, styles: '9,20' });
    const download = page.waitForEvent('download');
    await page.locator('button[name=download]').click();
    const file = await download;
    expect(file.suggestedFilename()).toBe('style-9-20.png');
    const chunks: Buffer[] = [];
    for await (const chunk of await file.createReadStream()) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    expect(`data:image/png;base64,${bytes.toString('base64')}`).toBe(await pixels(page));
    await screenshot(page, 'style-transfer');
  });
});
