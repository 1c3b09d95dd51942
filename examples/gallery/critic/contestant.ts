/** One of the two networks with what there is to see of it: its plane, and its line in the table. */
import * as tf from '@tensorflow/tfjs';
import { element } from '../shared/dom.ts';
import { fromBytes, packed, toBytes, unpacked } from '../shared/recorded.ts';
import { EXTENT, resemblance } from './data.ts';
import { Gan, type GanOptions } from './gan.ts';
import { landscapePoints, meanOf, plane, reachOf, steepestSlope } from './plane.ts';
import { singularValues } from './singular-values.ts';

/** What there is to see of a network after some steps. */
export interface Result {
  /** The largest singular value of each layer's kernel. */
  readonly sigmas: Float32Array;
  readonly landscape: Float32Array;
  readonly samples: Float32Array;
  readonly slope: number;
  /** The share of samples near the data, and of the data near samples. */
  readonly near: number;
  readonly reached: number;
}

export const SAMPLES = 500;
/** Samples in a recording. */
const KEPT = 300;

export class Contestant {
  readonly name: string;
  readonly spectral: boolean;
  readonly plane;
  readonly cells = ['bound', 'slope', 'near', 'reached'].map((what) => element('td', { 'data-what': what }, '–'));
  gan: Gan | undefined;
  /** Of the network as it is now. */
  result: Result | undefined;

  constructor(name: string, spectral: boolean) {
    this.name = name;
    this.spectral = spectral;
    this.plane = plane(`${name}: data, samples with the slope of the critic, and the critic's values`);
  }

  restart(options: Omit<GanOptions, 'spectral'>): void {
    this.gan?.dispose();
    this.gan = new Gan({ ...options, spectral: this.spectral });
  }

  async measure(data: Float32Array): Promise<Result> {
    const gan = this.gan as Gan;
    const tensors = tf.tidy(() => [
      gan.values(tf.tensor2d(landscapePoints, [landscapePoints.length / 2, 2])),
      gan.samples(SAMPLES),
      singularValues(gan.critic),
    ]);
    const read = await Promise.all(tensors.map((one) => one.data()));
    tf.dispose(tensors);
    const [landscape, samples, sigmas] = read as Float32Array[];
    this.result = { sigmas, landscape, samples, slope: steepestSlope(landscape), ...resemblance(samples, data) };
    return this.result;
  }

  /** @param reach that of all contestants, so that their colours mean the same */
  show({ sigmas, landscape, samples, slope, near, reached }: Result, data: Float32Array, reach: number): void {
    this.plane.draw({ landscape, data, samples, reach });
    const bound = sigmas.reduce((product, sigma) => product * sigma);
    const texts = [short(bound), short(slope), percent(near), percent(reached)];
    this.cells.forEach((cell, i) => {
      cell.textContent = texts[i];
    });
  }
}

const short = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
export const percent = (share: number) => `${Math.round(100 * share)} %`;

/** A result in a recording: what is drawn as bytes. */
export interface KeptResult {
  readonly sigmas: readonly number[];
  readonly slope: number;
  readonly near: number;
  readonly reached: number;
  /** The largest distance of the landscape from its mean: the scale of its bytes. */
  readonly reach: number;
  readonly landscape: string;
  readonly samples: string;
}

export function keepResult({ sigmas, landscape, samples, slope, near, reached }: Result): KeptResult {
  const [mean, reach] = [meanOf(landscape), reachOf(landscape)];
  const centered = landscape.map((value) => value - mean);
  return {
    sigmas: Array.from(sigmas, (sigma) => Number(sigma.toPrecision(4))),
    slope: Number(slope.toPrecision(4)),
    near,
    reached,
    reach: Number(reach.toPrecision(4)),
    landscape: packed(toBytes(centered, -reach, reach)),
    samples: packed(toBytes(samples.subarray(0, 2 * KEPT), -EXTENT, EXTENT)),
  };
}

export const keptResult = ({ reach, landscape, samples, sigmas, ...others }: KeptResult): Result => ({
  ...others,
  sigmas: Float32Array.from(sigmas),
  landscape: fromBytes(unpacked(landscape), -reach, reach),
  samples: fromBytes(unpacked(samples), -EXTENT, EXTENT),
});
