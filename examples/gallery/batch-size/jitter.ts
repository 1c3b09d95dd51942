/**
 * The mean of one channel in each batch, around the running mean that batch normalization tests with: the fewer digits in a batch,
 * the more it jitters.
 */
import type * as tf from '@tensorflow/tfjs';
import { below, MARGIN_BELOW, plotFigure } from '../shared/charts.ts';
import { colors, inks } from '../shared/colors.ts';

const CHANNEL = 0;
const MOMENTUM = 0.99;

export interface Jitter {
  readonly step: number;
  readonly batch: number;
  readonly running: number;
}

/** Reads the running mean of the first batch normalization after each step, and what the batch's mean must have been. */
export function jitterOf(model: tf.LayersModel): (step: number) => Promise<Jitter> {
  const layer = model.layers.find((layer) => layer.getClassName() === 'BatchNormalization') as tf.layers.Layer;
  let before = 0; // where the running mean starts
  return async (step) => {
    const weight = layer.weights.find(({ name }) => name.endsWith('moving_mean')) as tf.LayerVariable;
    const running = (await weight.read().data())[CHANNEL];
    // running = MOMENTUM before + (1 - MOMENTUM) batch
    const batch = (running - MOMENTUM * before) / (1 - MOMENTUM);
    before = running;
    return { step, batch, running };
  };
}

export function jitterChart() {
  let points: Jitter[] = [];
  const { element, drawSoon } = plotFigure({
    title: 'The mean of one channel, batch by batch',
    height: 300,
    caption:
      'Dots: what batch normalization subtracts in training, the mean of the batch. Line: what it subtracts when it is tested, the running mean. ' +
      'In a small batch they have little to do with each other.',
    legend: () => [
      { name: 'of the batch', color: colors.BatchNormalization, mark: 'dot' },
      { name: 'running mean', color: inks[0] },
    ],
    plot: (Plot) => ({
      marginLeft: 46,
      marginBottom: MARGIN_BELOW,
      grid: true,
      x: { ...below('step'), ...(points.length === 0 && { domain: [0, 1] }) },
      y: { label: 'mean', labelArrow: 'none', ...(points.length === 0 && { domain: [-1, 1] }) },
      marks: [
        Plot.dot(points, { x: 'step', y: 'batch', r: 1.8, fill: colors.BatchNormalization, fillOpacity: 0.7 }),
        Plot.line(points, { x: 'step', y: 'running', stroke: inks[0], strokeWidth: 2.5 }),
      ],
    }),
  });
  return {
    element,
    set(next: readonly Jitter[]) {
      points = [...next];
      drawSoon();
    },
    add(point: Jitter) {
      points.push(point);
      drawSoon();
    },
    get points(): readonly Jitter[] {
      return points;
    },
  };
}
