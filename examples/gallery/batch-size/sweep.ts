/** Accuracy against the batch size: every normalization at every size with several seeds, as a band with a dot for each seed. */
import { below, MARGIN_BELOW, type PlotFigure, plotFigure } from '../shared/charts.ts';
import { colors } from '../shared/colors.ts';
import { type Digits, part } from '../shared/digits.ts';
import type { Running } from '../shared/task.ts';
import { buildNetwork, type Kind } from './networks.ts';
import { nameOf } from './results.ts';
import { batchOf, disposeOf, evaluate, shuffled, trainee, trainStep } from './training.ts';

export const BATCHES = [1, 2, 4, 16, 64];
const TESTED = 500;

/** The accuracy of one training. */
export interface Trained {
  readonly kind: Kind;
  readonly batch: number;
  readonly seed: number;
  readonly accuracy: number;
}

export interface SweepOptions {
  readonly kinds: readonly Kind[];
  readonly seeds: number;
  /** Digits that each network sees, whatever the batch size. */
  readonly count: number;
  /** At a batch of 4; it grows with the root of the batch size, as is usual with Adam. */
  readonly rate: number;
}

export async function sweep(
  { kinds, seeds, count, rate }: SweepOptions,
  { train, test }: { train: Digits; test: Digits },
  running: Running,
  found: (trained: Trained) => void,
): Promise<void> {
  const total = seeds * BATCHES.length * kinds.length;
  let done = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    // The large batches first: they are soon done, and show something.
    for (const batch of [...BATCHES].reverse()) {
      for (const kind of kinds) {
        running.progress(done / total, `Seed ${seed} of ${seeds}, batch ${batch}, ${nameOf(kind)}`);
        const accuracy = await trainOne(
          kind,
          { seed, batch, count, rate: rate * Math.sqrt(batch / 4) },
          train,
          test,
          running,
        );
        found({ kind, batch, seed, accuracy });
        done++;
      }
    }
  }
}

async function trainOne(
  kind: Kind,
  { seed, batch, count, rate }: { seed: number; batch: number; count: number; rate: number },
  train: Digits,
  test: Digits,
  { frame }: Running,
): Promise<number> {
  const steps = Math.floor(count / batch);
  const network = trainee(buildNetwork(kind, { seed, steps }));
  try {
    const order = shuffled(count, seed);
    for (let step = 0; step < steps; step++) {
      await trainStep(network, batchOf(train, order, step, batch), rate * (1 - step / steps));
      await frame();
    }
    return (await evaluate(network.model, part(test, 0, TESTED), frame)).accuracy;
  } finally {
    disposeOf(network);
  }
}

export interface SweepChart extends PlotFigure {
  show(trained: readonly Trained[]): void;
}

export function sweepChart(): SweepChart {
  let shown: readonly Trained[] = [];
  const kindsOf = () => [...new Set(shown.map(({ kind }) => kind))];
  const { element, drawSoon } = plotFigure({
    title: 'Accuracy against the batch size',
    height: 300,
    caption:
      'Each dot is a network trained on as many digits with another seed; a band goes from the worst to the best, a line through the means. ' +
      'The learning rate grows with the root of the batch size.',
    legend: () => kindsOf().map((kind) => ({ name: nameOf(kind), color: colors[kind] })),
    plot: (Plot) => ({
      marginLeft: 46,
      marginBottom: MARGIN_BELOW,
      grid: true,
      x: { ...below('digits in a batch'), type: 'log', base: 2, domain: [0.9, 72], ticks: BATCHES, tickFormat: String },
      y: { label: 'accuracy (%)', labelArrow: 'none', domain: [0, 100] },
      marks: [
        Plot.ruleY([0]),
        ...kindsOf().flatMap((kind) => {
          const own = shown
            .filter((trained) => trained.kind === kind)
            .map(({ batch, accuracy }) => ({ batch, percent: 100 * accuracy }));
          const bands = BATCHES.flatMap((batch) => {
            const all = own.filter((one) => one.batch === batch).map(({ percent }) => percent);
            const mean = all.reduce((sum, one) => sum + one, 0) / all.length;
            return all.length > 0 ? [{ batch, low: Math.min(...all), high: Math.max(...all), mean }] : [];
          });
          const color = colors[kind];
          return [
            Plot.areaY(bands, { x: 'batch', y1: 'low', y2: 'high', fill: color, fillOpacity: 0.18 }),
            Plot.line(bands, { x: 'batch', y: 'mean', stroke: color, strokeWidth: 2.5 }),
            Plot.dot(own, { x: 'batch', y: 'percent', fill: color, r: 2.6 }),
          ];
        }),
      ],
    }),
  });
  return {
    element,
    drawSoon,
    show(trained) {
      shown = trained;
      drawSoon();
    },
  };
}
