/** The attention page: logits, entropy and attention, computed once more in float64 from queries and keys. */
import { expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeGallery, runTask, screenshot, tensorsOf } from '../support/gallery.ts';

const SETTINGS = { steps: 10, timed: 3 };
const LENGTH = 10;
const WIDTH = 16;

interface Tensor {
  arraySync(): number[][][][];
  dispose(): void;
}
interface Examined {
  largest: number;
  entropy: number;
  accuracy: number;
  g?: number;
  shown: { symbols: number[]; predicted: number[]; solved: number[]; weights: Record<string, number> };
}
interface Exposed {
  gallery: {
    state(): {
      transformers: { queriesAndKeys(inputs: unknown): Tensor[]; predict(inputs: unknown): Tensor }[];
      examined: Examined[];
      inputs(): Tensor;
      tested: { symbols: number[][]; solved: number[][] };
    };
    charts: Record<'logitChart' | 'entropyChart', { points: { series: string; x: number; y: number }[] }>;
    times?: { name: string; samples: number[]; median: number }[];
  };
}
declare const window: Exposed;

const see = (page: Page) =>
  page.evaluate(() => {
    const { transformers, examined, tested, inputs } = window.gallery.state();
    const x = inputs();
    const networks = transformers.map((one, i) => {
      const tensors = [...one.queriesAndKeys(x), one.predict(x)];
      const [query, key, predicted] = tensors.map((tensor) => tensor.arraySync());
      for (const tensor of tensors) tensor.dispose();
      const { shown, ...numbers } = examined[i]!;
      return {
        query: query!,
        key: key!,
        predicted: predicted! as unknown as number[][],
        ...numbers,
        shown: { ...shown, weights: Object.values(shown.weights) },
      };
    });
    x.dispose();
    return { networks, tested };
  });

const dot = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
function unit(x: number[]): number[] {
  const length = Math.hypot(...x);
  return x.map((value) => value / length);
}

function softmax(row: number[]): number[] {
  const most = Math.max(...row);
  const exps = row.map((value) => Math.exp(value - most));
  const sum = exps.reduce((a, b) => a + b);
  return exps.map((value) => value / sum);
}

describeGallery('attention', ({ open }) => {
  test.each(['webgl', 'wasm'])(
    'shows the logits and the attention that queries and keys give, on %s',
    async (backend) => {
      const page = await open('attention', { settings: { ...SETTINGS, backend } });
      const start = await see(page);
      await runTask(page, 'Train both');
      const end = await see(page);
      await screenshot(page, `attention-${backend}`);
      for (const { networks, tested } of [start, end]) {
        expect(tested.solved).toEqual(tested.symbols.map((symbols) => [...symbols].reverse()));
        networks.forEach(({ query, key, predicted, largest, entropy, accuracy, g, shown }, i) => {
          const logit = (q: number[], k: number[]) =>
            i === 0 ? dot(q, k) / Math.sqrt(WIDTH) : g! * dot(unit(q), unit(k));
          const rows = query.flatMap((heads, example) =>
            heads.flatMap((queries, head) => queries.map((q) => key[example]![head]!.map((k) => logit(q, k)))),
          );
          expect(Math.abs(largest / Math.max(...rows.flat().map(Math.abs)) - 1)).toBeLessThan(1e-3);
          const weights = rows.map(softmax);
          const entropies = weights.map((row) => -row.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0));
          const mean = entropies.reduce((a, b) => a + b) / entropies.length / Math.log(LENGTH);
          expect(Math.abs(entropy - mean)).toBeLessThan(1e-3);
          const pictured = weights.slice(0, 2 * LENGTH).flat();
          expect(shown.weights).toHaveLength(pictured.length);
          const off = shown.weights.map((weight, at) => Math.abs(weight - pictured[at]!));
          expect(Math.max(...off)).toBeLessThan(1e-3);
          const right = predicted.flat().filter((symbol, at) => symbol === tested.solved.flat()[at]).length;
          expect(accuracy).toBeCloseTo(right / (64 * LENGTH), 6);
          expect(shown.predicted).toEqual(predicted[0]);
        });
        // No cosine is larger than 1.
        expect(networks[1]!.largest).toBeLessThan(networks[1]!.g! * (1 + 1e-5));
      }
      const points = await page.evaluate(() => window.gallery.charts.logitChart.points);
      expect(points.slice(-2).map(({ x, y }) => [x, y])).toEqual(end.networks.map(({ largest }) => [10, largest]));
      const shown = await page.locator('.task output').first().textContent();
      expect(shown).toContain(`the largest logit is ${end.networks[0]!.largest.toFixed(1)} with`);
      expect(shown).toContain(`and ${end.networks[1]!.largest.toFixed(1)} with`);
    },
  );

  test('RMS and Layer are timed in turns, by median', async () => {
    const page = await open('attention', { settings: { ...SETTINGS, backend: 'cpu' } });
    const tensors = await tensorsOf(page);
    await runTask(page, 'Time RMS and Layer');
    const times = (await page.evaluate(() => window.gallery.times))!;
    expect(times.map(({ name, samples }) => [name, samples.length])).toEqual([
      ['Layer', 3],
      ['RMS', 3],
    ]);
    for (const { samples, median } of times) expect(median).toBe([...samples].sort((a, b) => a - b)[1]);
    const cells = await page.locator('tbody td').allTextContents();
    expect(cells).toEqual(times.map(({ median }) => `${median.toFixed(2)} ms`));
    const ratio = (times[1]!.median / times[0]!.median).toFixed(2);
    expect(await page.locator('.task output').last().textContent()).toContain(`takes ${ratio} of the time`);
    expect(await tensorsOf(page)).toBe(tensors);
  });

  test('the logits grow with the usual attention and stay with the normalized one', async () => {
    const page = await open('attention', { settings: { steps: 60 } });
    await runTask(page, 'Train both');
    const [usual, normalized] = (await see(page)).networks;
    expect(usual!.largest).toBeGreaterThan(3 * normalized!.largest);
    expect(usual!.entropy).toBeLessThan(normalized!.entropy);
    for (const { accuracy } of [usual!, normalized!]) expect(accuracy).toBeGreaterThan(0.9);
  });

  test('repeated runs are the same and leave nothing behind', async () => {
    const page = await open('attention', { settings: { ...SETTINGS, steps: 5, task: 'sort', norm: 'rms' } });
    const seen: string[] = [];
    for (let run = 0; run < 3; run++) {
      await runTask(page, 'Train both');
      const { networks } = await see(page);
      seen.push(JSON.stringify([await tensorsOf(page), networks.map(({ largest, entropy }) => [largest, entropy])]));
    }
    expect(new Set(seen).size).toBe(1);
  });

  test('stops, and starts again', async () => {
    const page = await open('attention', { settings: { backend: 'cpu', steps: 500 } });
    await page.getByRole('button', { name: 'Train both' }).click();
    await page.getByText(/^Step \d+ of 500/).waitFor();
    await page.getByRole('button', { name: 'Stop' }).first().click();
    await page.locator('.task[data-state="stopped"]').first().waitFor();
    const tensors = await tensorsOf(page);
    await page.locator('input[name=steps]').fill('5');
    await runTask(page, 'Train both');
    expect(await tensorsOf(page)).toBe(tensors);
  });

  test('answers a sequence of the reader, refuses what is none, and shows what another g would do', async () => {
    const page = await open('attention', { settings: { steps: 5 } });
    const field = page.locator('input[name=sequence]');
    await field.fill('9876543210');
    await page.waitForFunction(() => window.gallery.state().tested.symbols[0]!.join('') === '9876543210');
    await page
      .locator('.answer', { hasText: /^9 8 7 6 5 4 3 2 1 0 → / })
      .first()
      .waitFor();
    await field.fill('12');
    expect(await page.locator('.control small').textContent()).toBe('A sequence has 10 digits from 0 to 9.');
    expect((await see(page)).tested.symbols[0]!.join('')).toBe('9876543210');
    await field.fill('9876543210');
    const pair = page.locator('.pair').last();
    const numbers = async () => {
      const [, g, cosine, share] = /g q̂·k̂ = ([\d.]+) × ([-\d.]+) = .+ share ([\d.]+)/.exec(
        (await pair.textContent())!,
      )!;
      return { g: Number(g), cosine: Number(cosine), share: Number(share) };
    };
    // The strongest pair of its row: a larger g gives it all of the attention, a small one its tenth.
    const learned = await numbers();
    await page.locator('input[name=g]').fill('40');
    const sharp = await numbers();
    await page.locator('input[name=g]').fill('0.5');
    const soft = await numbers();
    expect([sharp.g, soft.g]).toEqual([40, 0.5]);
    expect(sharp.cosine).toBeCloseTo(learned.cosine, 1);
    expect(sharp.share).toBeGreaterThan(learned.share);
    expect(soft.share).toBeLessThan(learned.share);
  });
});
