/** The critic page: what it says of singular values, slopes and samples, computed once more in float64 from the weights. */
import { expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeGallery, runTask, screenshot, tensorsOf } from '../support/gallery.ts';

const SETTINGS = { steps: 5, critic: 1 };

interface Layer {
  kernel: number[][];
  bias: number[];
  /** The vectors of a normalized one. */
  vector_u?: number[][];
  vector_v?: number[][];
}
interface Seen {
  sigmas: number[];
  landscape: number[];
  samples: number[];
  slope: number;
  cells: string[];
  layers: Layer[];
}
interface Weight {
  name: string;
  read(): { arraySync(): number[][] };
}
interface Exposed {
  gallery: {
    contestants: {
      result: Record<'sigmas' | 'landscape' | 'samples', Float32Array> & { slope: number };
      cells: { textContent: string }[];
      gan: { critic: { layers: { weights: Weight[] }[] } };
    }[];
    chart: { points: { series: string; x: number; y: number; panel: string }[] };
  };
}
declare const window: Exposed;

const see = (page: Page): Promise<Seen[]> =>
  page.evaluate(() => {
    const named = ({ weights }: { weights: Weight[] }) =>
      Object.fromEntries(weights.map((weight) => [weight.name.split('/').pop(), weight.read().arraySync()]));
    return window.gallery.contestants.map(({ result, cells, gan }) => ({
      sigmas: [...result.sigmas],
      landscape: [...result.landscape],
      samples: [...result.samples],
      slope: result.slope,
      cells: cells.map((cell) => cell.textContent),
      layers: gan.critic.layers.filter(({ weights }) => weights.length > 0).map(named) as unknown as Layer[],
    }));
  });

const transposed = (w: number[][]) => w[0]!.map((_, j) => w.map((row) => row[j]!));
const times = (w: number[][], x: number[]) => w.map((row) => row.reduce((sum, value, j) => sum + value * x[j]!, 0));
const norm = (x: number[]) => Math.hypot(...x);

/** As the critic works with it: W / (v W u^T) where it is normalized. */
function effective({ kernel, vector_u: u, vector_v: v }: Layer): number[][] {
  if (!u || !v) return kernel;
  const sigma = times([v[0]!], times(kernel, u[0]!))[0]!;
  return kernel.map((row) => row.map((value) => value / sigma));
}

/** By cyclic Jacobi rotations of W^T W: no power iteration. */
function largestSingularValue(w: number[][]): number {
  const t = w.length < w[0]!.length ? w : transposed(w);
  const a = t.map((row) => times(t, row));
  const n = a.length;
  for (let sweep = 0; sweep < 12; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(a[p]![q]!) < 1e-300) continue;
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
        const tangent = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(tangent, 1);
        const s = tangent * c;
        for (const row of a) [row[p], row[q]] = [c * row[p]! - s * row[q]!, s * row[p]! + c * row[q]!];
        for (let k = 0; k < n; k++) {
          const [ap, aq] = [a[p]![k]!, a[q]![k]!];
          a[p]![k] = c * ap - s * aq;
          a[q]![k] = s * ap + c * aq;
        }
      }
    }
  }
  return Math.sqrt(Math.max(...a.map((row, i) => row[i]!)));
}

function critic(layers: Layer[], point: number[]): number {
  const kernels = layers.map((layer) => transposed(effective(layer)));
  return kernels.reduce((x, kernel, i) => {
    const y = times(kernel, x).map((value, j) => value + layers[i]!.bias[j]!);
    return i < kernels.length - 1 ? y.map((value) => Math.max(value, 0.2 * value)) : y;
  }, point)[0]!;
}

describeGallery('critic', ({ open }) => {
  test('Jacobi finds the singular values that are known', () => {
    expect(
      largestSingularValue([
        [3, 0],
        [4, 5],
      ]),
    ).toBeCloseTo(Math.sqrt(45), 10);
    const [a, b] = [
      [1, -2, 2],
      [3, 0, -1, 1],
    ];
    expect(largestSingularValue(a.map((x) => b.map((y) => x * y)))).toBeCloseTo(norm(a) * norm(b), 10);
  });

  test.each(['webgl', 'wasm'])('shows before and after training what the weights say, on %s', async (backend) => {
    const page = await open('critic', { settings: { ...SETTINGS, backend } });
    const before = await see(page);
    await runTask(page, 'Train both');
    const after = await see(page);
    await screenshot(page, `critic-${backend}`);
    // The two start alike but for the division.
    expect(before[1]!.layers.map(({ kernel }) => kernel)).toEqual(before[0]!.layers.map(({ kernel }) => kernel));
    expect(before[1]!.samples).toEqual(before[0]!.samples);
    expect(after[0]!.samples).not.toEqual(before[0]!.samples);

    for (const { layers, sigmas, landscape, slope, cells } of [...before, ...after]) {
      expect(sigmas).toHaveLength(4);
      layers.forEach((layer, i) => {
        const exact = largestSingularValue(effective(layer));
        expect(sigmas[i]! / exact).toBeLessThan(1 + 1e-4);
        expect(sigmas[i]! / exact).toBeGreaterThan(0.98); // power iteration comes from below
      });
      const bound = sigmas.reduce((product, sigma) => product * sigma);
      const format = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
      expect(cells.slice(0, 2)).toEqual([format(bound), format(slope)]);
      expect(slope).toBeLessThan(bound * 1.05);

      // The landscape: 40 by 40 places in [-3, 3], rows from above.
      const size = Math.sqrt(landscape.length);
      const middle = (cell: number) => ((2 * cell + 1) / size - 1) * 3;
      for (const at of [0, size - 1, 777, size * size - size, size * size - 1]) {
        const value = critic(layers, [middle(at % size), -middle(Math.floor(at / size))]);
        expect(Math.abs(landscape[at]! - value)).toBeLessThan(1e-4 * (1 + Math.abs(value)));
      }
      const slopes = landscape.flatMap((value, i) => [
        (i + 1) % size ? landscape[i + 1]! - value : 0,
        i + size < landscape.length ? landscape[i + size]! - value : 0,
      ]);
      expect(slope).toBeCloseTo(Math.max(...slopes.map(Math.abs)) / (6 / size), 5);
    }
    for (const sigma of after[1]!.sigmas) expect(Math.abs(sigma - 1)).toBeLessThan(0.2);
    const points = await page.evaluate(() => window.gallery.chart.points.slice(-8).map(({ x, y }) => [x, y]));
    expect(points).toEqual(after.flatMap(({ sigmas }) => sigmas.map((sigma) => [SETTINGS.steps, sigma])));
  });

  test('the same seed gives the same numbers, and repeated runs leave nothing behind', async () => {
    const page = await open('critic', { settings: SETTINGS });
    const seen: string[] = [];
    for (let run = 0; run < 3; run++) {
      await runTask(page, 'Train both');
      const numbers = (await see(page)).map(({ sigmas, samples }) => [sigmas, samples]);
      seen.push(JSON.stringify([await tensorsOf(page), numbers]));
    }
    expect(new Set(seen).size).toBe(1);
  });

  test('stops, and starts again', async () => {
    const page = await open('critic', { settings: { ...SETTINGS, steps: 2000, backend: 'cpu' } });
    await page.getByRole('button', { name: 'Train both' }).click();
    await page.getByText(/^Step \d+ of 2000/).waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('.task[data-state="stopped"]').waitFor();
    const tensors = await tensorsOf(page);
    await page.locator('input[name=steps]').fill('5');
    await runTask(page, 'Train both');
    expect(await tensorsOf(page)).toBe(tensors);
    expect((await see(page)).flatMap(({ sigmas }) => sigmas).every(Number.isFinite)).toBe(true);
  });
});
