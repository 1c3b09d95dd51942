/** What is averaged with what: the picture against the layer's own behaviour. */
import { expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeGallery, screenshot, tensorsOf } from '../support/gallery.ts';

interface Cell {
  readonly example: number;
  readonly row: number;
  readonly column: number;
  readonly channel: number;
}

/** What the page exposes. */
interface Exposed {
  gallery: {
    result(): { name: string; x: Float32Array; y: Float32Array; past: Float32Array };
    chosen(): Cell;
    choose(cell: Cell): void;
    lit(): Float32Array;
    pointed(): Float32Array | undefined;
    stages(): Float32Array[];
    reach(): number;
    apply(values: ArrayLike<number>): Promise<number[]>;
  };
}
declare const window: Exposed & {
  document: { querySelector(selector: string): { textContent: string | null } | null };
};

const SIZES = [4, 28, 28, 6] as const;
const indexOf = ({ example, row, column, channel }: Cell) => ((example * 28 + row) * 28 + column) * 6 + channel;

/** Group sizes of a cell's statistics, by the definitions of the papers. */
const members: Record<string, number> = {
  BatchNormalization: 4 * 28 * 28,
  InstanceNormalization: 28 * 28,
  LayerNormalization: 28 * 28 * 6,
  RMSNormalization: 28 * 28 * 6,
  GroupNormalization: 28 * 28 * 3,
  BatchInstanceNormalization: 4 * 28 * 28,
  SwitchableNormalization: 28 * 28 * 6 + 3 * 28 * 28,
  BatchRenormalization: 4 * 28 * 28,
  MeanOnlyBatchNormalization: 4 * 28 * 28,
  AdaptiveInstanceNormalization: 28 * 28,
  ConditionalBatchNormalization: 4 * 28 * 28,
  FeaturewiseLinearModulation: 1,
  AdaptiveLayerNormalization: 6,
  SpatiallyAdaptiveNormalization: 4 * 28 * 28,
};

/** The layer's answer about the chosen cell, once it is the expected one. */
const measured = async (page: Page, count: number) => {
  await page.locator(`.measured[aria-busy=false][data-count="${count}"]`).waitFor();
  return page.locator('.measured').getAttribute('data-wrong');
};

/** Which outputs change if the input at the chosen cell does, and which cells the page shows in colour. */
const perturbed = (page: Page) =>
  page.evaluate(async () => {
    const { gallery } = window;
    const { example, row, column, channel } = gallery.chosen();
    const at = ((example * 28 + row) * 28 + column) * 6 + channel;
    let state = 1;
    const x = Float32Array.from({ length: gallery.result().x.length }, () => {
      state = (state * 48271) % 2147483647;
      return state / 2147483647 - 0.4;
    });
    const before = await gallery.apply(x);
    x[at] = 300;
    const after = await gallery.apply(x);
    const lit = gallery.lit();
    const changed = before.map((value, i) => value !== after[i]);
    const isLit = Array.from(lit, (value) => value > 0);
    return {
      changed: changed.filter(Boolean).length,
      lit: isLit.filter(Boolean).length,
      differ: changed.filter((value, i) => value !== isLit[i]).length,
    };
  });

/** Another normalization, and waits until its result is there. */
async function choose(page: Page, norm: string): Promise<void> {
  await page.locator('select[name=norm]').selectOption(norm);
  await page.waitForFunction((name) => window.gallery.result().name === name, norm);
}

describeGallery('averages', ({ open }) => {
  test('what is in colour is what the layer averages', async () => {
    const page = await open('averages');
    for (const [norm, count] of Object.entries(members)) {
      await choose(page, norm);
      expect({ norm, ...(await perturbed(page)) }).toEqual({ norm, changed: count, lit: count, differ: 0 });
      expect({ norm, wrong: await measured(page, count) }).toEqual({ norm, wrong: '0' });
      const values = await page.locator('[data-value]').allTextContents();
      const [x, hand, y] = values.map((text) => Number(text.replace('−', '-')));
      const { real, realInput } = await page.evaluate(() => {
        const { example, row, column, channel } = window.gallery.chosen();
        const at = ((example * 28 + row) * 28 + column) * 6 + channel;
        const { x, y } = window.gallery.result();
        return { real: y[at], realInput: x[at] };
      });
      expect(x).toBeCloseTo(realInput!, 3);
      expect(y).toBeCloseTo(real!, 3);
      expect(hand).toBeCloseTo(y!, 3);
      await screenshot(page, norm === 'GroupNormalization' ? 'averages' : `averages-${norm}`);
    }
  });

  test.each([
    ['LayerNormalization', { over: 'position' }, 6],
    ['GroupNormalization', { groups: 6 }, 28 * 28],
    ['BatchInstanceNormalization', { rho: 0 }, 28 * 28],
    ['SwitchableNormalization', { layer: 0, batch: 0 }, 28 * 28],
    ['BatchNormalization', { examples: 1 }, 28 * 28],
    ['GroupNormalization', { groups: 3, images: 'digits', backend: 'cpu' }, 28 * 28 * 2],
  ] as const)('%s with %j shares %d cells', async (norm, settings, count) => {
    const page = await open('averages', { settings: { norm, ...settings } });
    expect(await measured(page, count)).toBe('0');
    if (!('examples' in settings))
      expect(await perturbed(page)).toMatchObject({ changed: count, lit: count, differ: 0 });
  });

  test('the numbers of the chosen cell are those of its group', async () => {
    const page = await open('averages', { settings: { norm: 'GroupNormalization', light: 1 } });
    await page.evaluate(() => window.gallery.choose({ example: 2, row: 5, column: 7, channel: 4 }));
    const cells = (await page.locator('tr[data-source=group] td').allTextContents()).slice(-3);
    const values = await page.evaluate(() => Array.from(window.gallery.result().x));
    const group = values.filter((_, i) => Math.floor(i / (28 * 28 * 6)) === 2 && i % 6 >= 3);
    const mean = group.reduce((sum, value) => sum + value, 0) / group.length;
    const variance = group.reduce((sum, value) => sum + (value - mean) ** 2, 0) / group.length;
    expect(cells[0]).toBe('2,352');
    const [shownMean, shownVariance] = cells.slice(1).map((text) => Number(text.replace('−', '-')));
    expect(shownMean).toBeCloseTo(mean, 3);
    expect(shownVariance).toBeCloseTo(variance, 3);
    expect(await page.locator('[data-value=x]').textContent()).toBe(
      values[indexOf({ example: 2, row: 5, column: 7, channel: 4 })]!.toFixed(4).replace('-', '−'),
    );
  });

  test('light of one example reaches the others through the batch alone', async () => {
    const page = await open('averages', { settings: { norm: 'BatchNormalization', light: 0.3 } });
    expect(await page.locator('.crosstalk').textContent()).toMatch(/change by up to [0-9.]+\.$/);
    for (const norm of ['InstanceNormalization', 'GroupNormalization', 'LayerNormalization', 'BatchRenormalization']) {
      await choose(page, norm);
      expect(await page.locator('.crosstalk').textContent()).toMatch(/the other examples do not change[.:]/);
    }
  });

  test('a cell is chosen by pointer and by keyboard', async () => {
    const page = await open('averages');
    const canvas = page.getByRole('application').first();
    const chosen = () => page.evaluate(() => window.gallery.chosen());
    const { width, height } = (await canvas.boundingBox())!;
    // 28 cells and a gap of 2 for each map, and a margin of 1 around all.
    const unit = width / (SIZES[3] * 30);
    expect(height / (SIZES[0] * 30)).toBeCloseTo(unit, 1);
    // The middle of the cell in row 4, column 6 of the last map.
    await canvas.hover({ position: { x: (1 + 5 * 30 + 6.5) * unit, y: (1 + 3 * 30 + 4.5) * unit } });
    expect(await chosen()).toEqual({ example: 3, row: 4, column: 6, channel: 5 });
    await canvas.focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowLeft');
    expect(await chosen()).toEqual({ example: 3, row: 5, column: 5, channel: 5 });
    await page.keyboard.press('Shift+ArrowRight');
    await page.keyboard.press('Shift+ArrowUp');
    expect(await chosen()).toEqual({ example: 2, row: 5, column: 5, channel: 0 });
    for (let i = 0; i < 6; i++) await page.keyboard.press('ArrowUp');
    expect(await chosen()).toEqual({ example: 1, row: 27, column: 5, channel: 0 });
    expect(await page.locator('.cell strong').textContent()).toBe('cat, light');
  });

  test('ten other settings leave no tensor behind, and are right, on webgl', async () => {
    const page = await open('averages', { settings: { norm: 'SwitchableNormalization', backend: 'webgl' } });
    const norms = Object.keys(members);
    const go = async (norm: string) => {
      await choose(page, norm);
      expect(await measured(page, members[norm]!)).toBe('0');
    };
    await go('BatchNormalization');
    const before = await tensorsOf(page);
    for (const norm of [...norms.slice(1), 'BatchNormalization']) await go(norm);
    expect(await tensorsOf(page)).toBe(before);
  });

  /** What gamma lights and says while one points at it, of the chosen cell and then of one in the first example. */
  test.each([
    ['BatchNormalization', 4 * 28 * 28, [2, 2]],
    ['ConditionalBatchNormalization', 28 * 28, [2.5, 2]],
    ['FeaturewiseLinearModulation', 28 * 28, [2.5, 2]],
    ['AdaptiveLayerNormalization', 28 * 28, [2.5, 2]],
    ['SpatiallyAdaptiveNormalization', 1, [2 * (0.5 + 9 / 27), 2 * (0.5 + 9 / 27)]],
  ] as const)('%s: %d cells share a row of gamma and beta', async (norm, count, gammas) => {
    const page = await open('averages', { settings: { norm, gamma: 2 } });
    for (const [i, example] of [1, 0].entries()) {
      await page.evaluate((example) => window.gallery.choose({ example, row: 12, column: 9, channel: 3 }), example);
      await page.locator('.letter[data-letter="γ"]').hover();
      const said = (await page.locator('.meaning').textContent())!;
      expect(Number(/= ([\d.]+)/.exec(said)![1])).toBeCloseTo(gammas[i]!, 3);
      expect(await page.evaluate(() => window.gallery.pointed()?.filter((share) => share > 0).length)).toBe(count);
      await page.locator('h1').hover();
    }
    await page.locator('.letter[data-letter="γ"]').hover();
    await screenshot(page, `averages-gamma-${norm}`);
  });

  test('the gamma and beta of adaptive instance normalization are the deviation and mean of the style', async () => {
    const page = await open('averages', { settings: { norm: 'AdaptiveInstanceNormalization' } });
    const channel = await page.evaluate(() => {
      const { example, row, column, channel } = window.gallery.chosen();
      window.gallery.choose({ example, row, column, channel });
      return channel;
    });
    const style = (await page.evaluate(() => Array.from(window.gallery.result().x))).filter(
      (_, i) => Math.floor(i / (28 * 28 * 6)) === 3 && i % 6 === channel,
    );
    const mean = style.reduce((sum, value) => sum + value, 0) / style.length;
    const variance = style.reduce((sum, value) => sum + (value - mean) ** 2, 0) / style.length;
    for (const [letter, value] of [
      ['γ', Math.sqrt(variance + 1e-5)],
      ['β', mean],
    ] as const) {
      await page.locator(`.letter[data-letter="${letter}"]`).hover();
      const said = (await page.locator('.meaning').textContent())!;
      expect(said).toContain('the style of all');
      expect(Number(/= ([−\d.]+)/.exec(said)![1]!.replace('−', '-'))).toBeCloseTo(value, 3);
      const lit = await page.evaluate(() => Array.from(window.gallery.pointed()!, (share) => share > 0));
      expect(lit.flatMap((isLit, i) => (isLit ? [Math.floor(i / (28 * 28 * 6))] : []))).toEqual(Array(28 * 28).fill(3));
    }
    await screenshot(page, 'averages-style');
  });

  test('histograms follow what is chosen', async () => {
    const page = await open('averages', { settings: { histograms: 'example' } });
    const charts = page.locator('.histograms svg');
    expect(await charts.count()).toBe(2);
    expect(await charts.first().textContent()).toContain('astronaut');
    await page.locator('select[name=histograms]').selectOption('channel');
    await charts.last().filter({ hasText: 'edges upright' }).waitFor(); // plots are drawn with the next frame
  });

  test('each letter of the formula lights its cells and says its number, and the steps lead from x to y', async () => {
    const page = await open('averages', { settings: { norm: 'GroupNormalization', light: 1, gamma: 2, beta: -1 } });
    const { x, y, lit, mean, variance, stages, reach } = await page.evaluate(() => {
      const { x, y } = window.gallery.result();
      const lit = Array.from(window.gallery.lit(), (share) => share > 0);
      const shared = Array.from(x).filter((_, i) => lit[i]);
      const mean = shared.reduce((sum, value) => sum + value, 0) / shared.length;
      const variance = shared.reduce((sum, value) => sum + (value - mean) ** 2, 0) / shared.length;
      const stages = window.gallery.stages().map((stage) => Array.from(stage));
      return { x: Array.from(x), y: Array.from(y), lit, mean, variance, stages, reach: window.gallery.reach() };
    });
    expect(stages[0]).toEqual(x);
    expect(stages[3]).toEqual(y);
    for (const [i, isLit] of lit.entries()) {
      if (!isLit) continue;
      expect(stages[1]![i]).toBeCloseTo(x[i]! - mean, 4);
      expect(stages[2]![i]).toBeCloseTo((x[i]! - mean) / Math.sqrt(variance + 1e-5), 3);
      expect(y[i]).toBeCloseTo(2 * stages[2]![i]! - 1, 3);
    }
    // Nearly all values of all steps lie on the one scale.
    const beyond = stages.flat().filter((value) => Math.abs(value) > reach).length;
    expect(beyond / stages.flat().length).toBeLessThan(0.02);
    const said = page.locator('.meaning');
    const point = async (letter: string) => {
      await page.locator(`.letter[data-letter="${letter}"]`).hover();
      const text = (await said.textContent())!;
      expect(text.startsWith(`${letter} = `)).toBe(true);
      return Number(/= ([−\d.]+)/.exec(text)![1]!.replace('−', '-'));
    };
    expect(await point('μ')).toBeCloseTo(mean, 3);
    expect(await point('σ²')).toBeCloseTo(variance, 3);
    expect(await point('γ')).toBe(2);
    expect(await point('β')).toBe(-1);
    const lower = page.locator('.block h3').last();
    await page.locator('input[name=stage]').fill('1');
    expect(await lower.textContent()).toBe('After: less its mean');
  });
});
