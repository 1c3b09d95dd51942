/** Milliseconds per picture: our instance normalization against the same network with plain TensorFlow.js ops. */
import type * as tf from '@tensorflow/tfjs';
import { median } from '../../benchmark/race.js';
import { colors } from '../shared/colors.ts';
import { slider } from '../shared/controls.ts';
import { element } from '../shared/dom.ts';
import { type Running, task } from '../shared/task.ts';
import { setStyle, styleNetwork, type Weights } from './model.ts';
import { plainInstanceNormalization } from './plain.ts';

export interface Measured {
  readonly ours: readonly number[];
  readonly plain: readonly number[];
  /** The largest difference between the two pictures, whose values are in [0, 1]. */
  readonly difference: number;
}

interface Subject {
  readonly weights: Weights;
  readonly shares: readonly number[];
  /** A new tensor, for us to dispose. */
  readonly picture: tf.Tensor;
}

export const milliseconds = (time: number) => `${time.toFixed(time < 100 ? 1 : 0)} ms`;

/** Paints by both networks in turn, `rounds` times after a first time that does not count. */
export async function measure(subject: Subject, rounds: number, running: Running): Promise<Measured> {
  const { weights, shares, picture } = subject;
  const networks = { ours: styleNetwork(weights), plain: styleNetwork(weights, plainInstanceNormalization) };
  const names = ['ours', 'plain'] as const;
  const times: Record<'ours' | 'plain', number[]> = { ours: [], plain: [] };
  const pictures: Partial<Record<'ours' | 'plain', Float32Array>> = {};
  let done = 0;
  try {
    for (const name of names) setStyle(networks[name], weights, shares);
    for (let round = 0; round <= rounds; round++) {
      for (const name of round % 2 ? names : names.toReversed()) {
        await running.frame();
        const start = performance.now();
        const y = networks[name].predict(picture) as tf.Tensor;
        pictures[name] = (await y.data()) as Float32Array; // only then has the GPU done its work
        const time = performance.now() - start;
        y.dispose();
        if (round > 0) times[name].push(time);
        running.progress(++done / (2 * rounds + 2), round ? `Round ${round} of ${rounds}` : 'Warming up');
      }
    }
  } finally {
    picture.dispose();
    for (const network of Object.values(networks)) network.dispose();
  }
  const { ours = new Float32Array(), plain = [] } = pictures;
  return { ...times, difference: ours.reduce((most, value, i) => Math.max(most, Math.abs(value - plain[i])), 0) };
}

export interface SpeedOptions {
  /** What to paint, at the moment when the reader asks. */
  subject(): Promise<Subject>;
  /** Waits until nothing else paints. */
  alone<Result>(work: () => Promise<Result>): Promise<Result>;
  onMeasured(measured: Measured): void;
}

/** The part of the page. */
export function speed({ subject, alone, onMeasured }: SpeedOptions): HTMLElement {
  const rounds = slider({ name: 'rounds', label: 'Rounds', min: 1, max: 40, value: 10 });
  const result = element('div', { className: 'speeds' });
  function show(ours: number, plain: number, ...text: (Node | string)[]): void {
    const bar = (name: string, time: number, color: string) =>
      element(
        'div',
        { className: 'speed', style: `--color: ${color}; --length: ${(100 * time) / Math.max(ours, plain, 1)}%` },
        element('span', {}, name),
        element('b', { className: 'number' }, time ? milliseconds(time) : 'not measured yet'),
      );
    result.replaceChildren(
      bar('InstanceNormalization', ours, colors.InstanceNormalization),
      bar('tf.moments and arithmetic', plain, colors.none),
      element('p', {}, ...text),
    );
  }
  show(0, 0);
  const { element: whole } = task('Measure', async (running) => {
    show(0, 0);
    const { measured, height, width } = await alone(async () => {
      const { picture, ...others } = await subject();
      const [, height, width] = picture.shape;
      return { measured: await measure({ picture, ...others }, rounds.value, running), height, width };
    });
    const [ours, plain] = [median(measured.ours), median(measured.plain)];
    const ratio = element('strong', {}, `${(plain / ours).toFixed(2)} times`);
    const text = ['The network in plain ops takes ', ratio, ` as long as ours for ${width} × ${height} pixels.`];
    show(ours, plain, ...text);
    onMeasured(measured);
    return `Medians of ${rounds.value}. The two pictures differ by ${measured.difference.toExponential(1)} at most.`;
  });
  return element('div', { className: 'measure' }, element('div', {}, rounds.element, whole), result);
}
