/** The reparameterization page: its predictions, norms and differences, computed once more in float64 from the weights. */
import { describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import * as descent from '../../examples/gallery/reparameterization/descent.ts';
import { describeGallery, runTask, screenshot, tensorsOf } from '../support/gallery.ts';

const SHIFT = 3;
const SETTINGS = { steps: 10, shift: SHIFT };

interface Layer {
  kernel: number[][];
  bias: number[];
  g?: number[];
}
interface Unit {
  kind: string;
  unit: number;
  now: number;
  g?: number;
}
interface Weight {
  name: string;
  read(): { arraySync(): number[][] };
}
interface Exposed {
  gallery: {
    state(): {
      regressions: { model: { layers: { weights: Weight[] }[] } }[];
      predictions: Float32Array[];
      units: Unit[];
    };
    look(): Promise<void>;
    chart: { points: { series: string; x: number; y: number }[] };
  };
}
declare const window: Exposed;

const see = (page: Page): Promise<{ networks: Layer[][]; predictions: number[][]; units: Unit[] }> =>
  page.evaluate(() => {
    const { regressions, predictions, units } = window.gallery.state();
    const named = ({ weights }: { weights: Weight[] }) =>
      Object.fromEntries(weights.map((weight) => [weight.name.split('/').pop(), weight.read().arraySync()]));
    return {
      networks: regressions.map(({ model }) => model.layers.map(named)) as unknown as Layer[][],
      predictions: predictions.map((one) => [...one]),
      units,
    };
  });

const columns = (kernel: number[][]) => kernel[0]!.map((_, j) => kernel.map((row) => row[j]!));
const effective = ({ kernel, g }: Layer) =>
  columns(kernel).map((v, j) => (g ? v.map((value) => (value * g[j]!) / Math.hypot(...v)) : v));

function predict(network: Layer[], point: number[]): number {
  const output = network.reduce((x, layer, i) => {
    const y = effective(layer).map((w, j) => w.reduce((sum, value, k) => sum + value * x[k]!, layer.bias[j]!));
    return i < network.length - 1 ? y.map(Math.tanh) : y;
  }, point);
  return output[0]!;
}

const furthest = (x: number[], y: number[]) => Math.max(...x.map((value, i) => Math.abs(value - y[i]!)));

/** The places of a picture of 40 by 40, rows from above. */
const grid = Array.from({ length: 1600 }, (_, i) => {
  const middle = (cell: number) => ((2 * cell + 1) / 40 - 1) * 1.5;
  return [middle(i % 40), -middle(Math.floor(i / 40))] as const;
});
const surface = grid.map(([x, y]) => Math.sin(2 * x + 1.5 * Math.sin(2 * y)));

describeGallery('reparameterization', ({ open }) => {
  test.each(['webgl', 'wasm'])(
    'predicts and draws what the weights say, with and without the normalization, on %s',
    async (backend) => {
      const page = await open('reparameterization', { settings: { ...SETTINGS, backend } });
      await page.evaluate(() => window.gallery.look());
      const before = await see(page);
      await runTask(page, 'Train all three');
      await runTask(page, 'Remove weight normalization');
      const after = await see(page);
      await screenshot(page, `reparameterization-${backend}`);

      for (const { networks, predictions, units } of [before, after]) {
        const expected = networks.map((network) => grid.map(([x, y]) => predict(network, [x + SHIFT, y + SHIFT])));
        predictions.forEach((values, i) => {
          expect(furthest(values, expected[i]!)).toBeLessThan(2e-4);
        });
        const norms = networks.flatMap((network) => effective(network[1]!).map((w) => Math.hypot(...w)));
        units.forEach(({ now, g }, i) => {
          expect(Math.abs(now / norms[i]! - 1)).toBeLessThan(1e-4);
          if (g !== undefined) expect(Math.abs(now / g - 1)).toBeLessThan(1e-4);
        });
        expect(units.filter(({ g }) => g !== undefined)).toHaveLength(64);
      }
      // The plain one and the one that is only wrapped start alike.
      expect(furthest(before.predictions[0]!, before.predictions[1]!)).toBeLessThan(1e-4);
      const shown = await page.locator('.pictures .number').allTextContents();
      shown.forEach((text, i) => {
        const error = after.predictions[i]!.reduce((sum, y, at) => sum + (y - surface[at]!) ** 2, 0) / 1600;
        expect(Math.abs(Number(text) / error - 1)).toBeLessThan(0.06);
      });
      const rows = await page.locator('tbody tr').evaluateAll((all) => all.map((row) => row.textContent!));
      expect(rows).toHaveLength(2);
      // (2 + 1 + 1) 32 + (32 + 1 + 1) 32 + 32 + 1 + 1 parameters, g among them, and the mark of dataInit.
      expect(rows[0]).toContain('WeightNormalization → Dense1250 → 1185');
      expect(rows[1]).toContain('WeightNormalization → Dense1253 → 1185');
      for (const cell of await page.locator('tbody td:last-child').allTextContents()) {
        expect(Number(cell)).toBeLessThan(1e-5);
      }
    },
  );

  test('learns with dataInit what the others do not, and all three without a shift', async () => {
    const lastLosses = async (shift: number) => {
      const page = await open('reparameterization', { settings: { steps: 100, shift } });
      await runTask(page, 'Train all three');
      return page.evaluate(() => window.gallery.chart.points.slice(-3).map(({ y }) => y));
    };
    const [plain, wrapped, withData] = await lastLosses(3);
    expect(plain! / withData!).toBeGreaterThan(5);
    expect(wrapped! / withData!).toBeGreaterThan(5);
    for (const loss of await lastLosses(0)) expect(loss).toBeLessThan(0.15);
  });

  test('repeated runs are the same and leave nothing behind', async () => {
    const page = await open('reparameterization', { settings: SETTINGS });
    const seen: string[] = [];
    for (let run = 0; run < 3; run++) {
      await runTask(page, 'Train all three');
      await runTask(page, 'Remove weight normalization');
      seen.push(JSON.stringify([await tensorsOf(page), (await see(page)).predictions]));
    }
    expect(new Set(seen).size).toBe(1);
  });

  test('stops, and starts again', async () => {
    const page = await open('reparameterization', { settings: { backend: 'cpu', steps: 1000 } });
    await page.getByRole('button', { name: 'Train all three' }).click();
    await page.getByText(/^Step \d+ of 1000/).waitFor();
    await page.getByRole('button', { name: 'Stop' }).first().click();
    await page.locator('.task[data-state="stopped"]').waitFor();
    const tensors = await tensorsOf(page);
    await page.locator('input[name=steps]').fill('10');
    await runTask(page, 'Train all three');
    expect(await tensorsOf(page)).toBe(tensors);
    expect((await see(page)).predictions.flat().every(Number.isFinite)).toBe(true);
  });

  test('v and g make w, by the sliders, the pointer and the arrow keys, and descent takes the gradients of the layer', async () => {
    const page = await open('reparameterization', { settings: { vx: 1, vy: 0, g: 2, valley: 'along', descent: 0.1 } });
    const numbers = page.locator('.geometry .number');
    expect(await numbers.textContent()).toContain('= (2.00, 0.00)');
    const canvas = page.getByRole('application');
    await canvas.focus();
    for (let i = 0; i < 10; i++) await page.keyboard.press('ArrowUp');
    expect(await numbers.textContent()).toContain('= (1.41, 1.41)');
    const { width, height } = (await canvas.boundingBox())!;
    // v to (0, 1.6): half of the way up from the middle of [-3.2, 3.2]^2.
    await canvas.click({ position: { x: width / 2, y: height / 4 } });
    expect(await numbers.textContent()).toContain('= (0.00, 2.00)');
    await page.waitForFunction(() => location.search.includes('vy=1.6'));
    const losses = async () => (await page.locator('.verdict').getAttribute('data-losses'))!.split(',').map(Number);
    const [onW, onV] = await losses();
    expect(onW! / onV!).toBeGreaterThan(10);
    await page.locator('select[name=valley]').selectOption('round');
    for (const loss of await losses()) expect(loss).toBeLessThan(1e-3);
  });
});

describe('descent', () => {
  test.each(['along', 'across', 'round'] as const)('its gradients are those of differences: %s', (valley) => {
    const [v, g] = [[-0.7, 1.3] as const, 1.7];
    const at = (v: readonly [number, number], g: number) => descent.loss(valley, descent.weightOf(v, g));
    const { dg, dv } = descent.gradientsOf(descent.gradient(valley, descent.weightOf(v, g)), v, g);
    const h = 1e-5;
    expect(dg).toBeCloseTo((at(v, g + h) - at(v, g - h)) / (2 * h), 5);
    expect(dv[0]).toBeCloseTo((at([v[0] + h, v[1]], g) - at([v[0] - h, v[1]], g)) / (2 * h), 5);
    expect(dv[1]).toBeCloseTo((at([v[0], v[1] + h], g) - at([v[0], v[1] - h], g)) / (2 * h), 5);
  });
});
