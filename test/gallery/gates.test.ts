/** Learned gates: the charts show what the layers hold, the table what the networks say of the test pictures. */
import { expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { describeGallery, runTask, screenshot, tensorsOf } from '../support/gallery.ts';

type Question = 'digit' | 'style';

interface Network {
  kind: string;
  question: Question;
  layers: { gates?(): { rho: number[] } & Record<'mean' | 'variance', Record<string, number>> }[];
}
interface Gallery {
  networks(): Network[];
  rhoPoints(): { question: Question; layer: number; step: number; mean: number; spread: number }[];
  weightAreas: Record<
    Question,
    { points: { layer: number; of: string; source: string; step: number; weight: number }[] }
  >;
  testPictures: { labels: Record<Question, Uint8Array> }[];
  classify(network: Network, pictures: unknown): Promise<Int32Array>;
}

/** What page and networks say of the end of the training. */
const read = (page: Page) =>
  page.evaluate(async () => {
    const { networks, rhoPoints, weightAreas, testPictures, classify } = (globalThis as unknown as { gallery: Gallery })
      .gallery;
    return {
      networks: await Promise.all(
        networks().map(async (network) => ({
          kind: network.kind,
          question: network.question,
          gates: network.layers.map((layer) => layer.gates?.()),
          found: await Promise.all(testPictures.map(async (pictures) => [...(await classify(network, pictures))])),
        })),
      ),
      rhoPoints: rhoPoints(),
      weights: { digit: weightAreas.digit.points, style: weightAreas.style.points },
      labels: testPictures.map(({ labels }) => ({ digit: [...labels.digit], style: [...labels.style] })),
    };
  });

describeGallery('learned gates', ({ open }) => {
  // On webgl, drawn by software, only the first steps: they learn little.
  test.each([
    ['webgl', 5, 0],
    ['wasm', 25, 0.25],
  ])('shows the gates and the accuracy that the networks have, on %s', async (backend, steps, least) => {
    const page = await open('gates', { settings: { steps, backend } });
    await runTask(page, 'Train');
    const { networks, rhoPoints, weights, labels } = await read(page);
    expect(networks).toHaveLength(6);
    for (const { kind, question, gates, found } of networks) {
      const right = found.flatMap((set, i) => set.filter((label, j) => label === labels[i]![question][j]));
      const shown = page.locator(`tr[data-kind=${kind}] [data-question=${question}]`);
      expect(await shown.textContent()).toBe(`${(right.length / 5).toFixed(1)} %`);
      expect(right.length / 500).toBeGreaterThan(least);
      for (const [layer, own] of gates.entries()) {
        if (kind === 'BatchInstanceNormalization') {
          const { rho } = own!;
          const point = rhoPoints.find((point) => {
            return point.question === question && point.layer === layer && point.step === steps;
          })!;
          expect(point.mean).toBeCloseTo(
            rho.reduce((sum, value) => sum + value / rho.length, 0),
            5,
          );
          expect(point.spread).toBeGreaterThan(0);
        }
        if (kind === 'SwitchableNormalization') {
          for (const { of, source, weight } of weights[question].filter((p) => p.layer === layer && p.step === steps)) {
            expect(weight).toBe(own![of === 'means' ? 'mean' : 'variance'][source]);
          }
        }
      }
    }
    // At first rho is a half, and the sources have a third each.
    for (const { mean, spread } of rhoPoints.filter(({ step }) => step === 0)) expect([mean, spread]).toEqual([0.5, 0]);
    const starts = [...weights.digit, ...weights.style].filter(({ step }) => step === 0);
    expect(starts).toHaveLength(24);
    for (const { weight } of starts) expect(weight).toBeCloseTo(1 / 3, 5);
    await screenshot(page, 'gates');
  });

  test('in the first layer the gates part: batch for the style, the single picture for the digit', async () => {
    const page = await open('gates', { settings: { steps: 50 } });
    await runTask(page, 'Train');
    const { networks } = await read(page);
    const first = (kind: string, question: Question) =>
      networks.find((network) => network.kind === kind && network.question === question)!.gates[0]!;
    const rho = (question: Question) =>
      first('BatchInstanceNormalization', question).rho.reduce((sum, value) => sum + value / 16, 0);
    expect(rho('digit')).toBeLessThan(0.45);
    expect(rho('style')).toBeGreaterThan(0.55);
    const batch = (question: Question) => first('SwitchableNormalization', question).variance.batch;
    expect(batch('digit')).toBeLessThan(1 / 3);
    expect(batch('style')).toBeGreaterThan(0.6);
  });

  test('leaves nothing behind, after a stop, too', async () => {
    const page = await open('gates', { settings: { steps: 5 } });
    const atFirst = await tensorsOf(page);
    await runTask(page, 'Train');
    const after = await tensorsOf(page);
    expect(after).toBeGreaterThan(atFirst);

    await page.locator('input[name=steps]').fill('1000');
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    await page.getByText(/^Step \d+ of 1000/).waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.locator('.task[data-state=stopped]').waitFor();

    await page.locator('input[name=steps]').fill('5');
    for (let run = 0; run < 2; run++) await runTask(page, 'Train');
    expect(await tensorsOf(page)).toBe(after);
    await page.locator('select[name=gates]').selectOption('1');
    expect(await tensorsOf(page)).toBe(atFirst);
  });
});
