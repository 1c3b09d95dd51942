/** Two critics learn the ring of eight Gaussians with their generators, one of them spectrally normalized. */
import * as tf from '@tensorflow/tfjs';
import { resemblance, samplePoints } from '../critic/data.ts';
import { Gan } from '../critic/gan.ts';
import type { Run } from './claim.ts';

export interface Critic {
  /** The share of samples near the data, times the share of the data near samples. */
  readonly quality: number;
  /** The largest slope of the critic on a grid, at data and at samples. */
  readonly slope: number;
}

const STEPS = 200;
const RATES = [0.001, 0.003];
const SAMPLES = 300;

const done = new Map<string, Promise<Critic[]>>();

/** One for each learning rate, which both kinds of critic get alike. */
export function critics(spectral: boolean, run: Run): Promise<Critic[]> {
  const key = `${spectral} ${run.seed} ${tf.getBackend()}`;
  const found = done.get(key) ?? trainAll(spectral, run);
  done.set(key, found);
  found.catch(() => done.delete(key));
  return found;
}

async function trainAll(spectral: boolean, { seed, frame }: Run): Promise<Critic[]> {
  const all: Critic[] = [];
  for (const learningRate of RATES) {
    const gan = new Gan({ spectral, shape: 'ring', loss: 'hinge', learningRate, criticSteps: 1, batch: 64, seed });
    try {
      for (let step = 0; step < STEPS; step++) {
        tf.dispose(gan.step());
        await frame();
      }
      all.push(await examine(gan, seed));
    } finally {
      gan.dispose();
    }
  }
  return all;
}

async function examine(gan: Gan, seed: number): Promise<Critic> {
  const samplesTensor = gan.samples(SAMPLES);
  const samples = (await samplesTensor.data()) as Float32Array;
  samplesTensor.dispose();
  const data = samplePoints('ring', SAMPLES, 1e6 + seed);
  const grid = Array.from({ length: 400 }, (_, i) => [((i % 20) - 9.5) / 3.2, (Math.floor(i / 20) - 9.5) / 3.2]).flat();
  const slopes = tf.tidy(() => {
    const points = tf.tensor2d([...samples, ...data, ...grid], [2 * SAMPLES + 400, 2]);
    const slope = tf.grad((x) => tf.sum(gan.critic.apply(x, { training: false }) as tf.Tensor))(points);
    return tf.max(tf.norm(slope, 2, 1));
  });
  const [slope] = await slopes.data();
  slopes.dispose();
  const { near, reached } = resemblance(samples, data);
  return { quality: 100 * near * reached, slope };
}

/** The largest slope at any of the learning rates. */
export const steepest = async (spectral: boolean, run: Run): Promise<number> =>
  Math.max(...(await critics(spectral, run)).map(({ slope }) => slope));

/** By how many points the generator of the spectrally normalized critic is better, at the best or worst learning rate of each. */
export async function better(choose: (...qualities: number[]) => number, run: Run): Promise<number> {
  const [withBound, without] = [await critics(true, run), await critics(false, run)];
  return choose(...withBound.map(({ quality }) => quality)) - choose(...without.map(({ quality }) => quality));
}
