/** How far results are from float64, also where the mean is large beside the deviation. */
import * as tf from '@tensorflow/tfjs';
import { attributes, normalizations, tensors } from '../workloads.js';

export const title = 'Largest relative error against float64, deviation 1 (cpu backend)';

const MEANS = [0, 1e4, 1e6];
const short = (number) => number.toExponential().replace('+', '');
const rows = [64, 768];
const images = [4, 16, 16, 64];
const workloads = {
  LN: ['layer', rows],
  RMS: ['rms', rows],
  BN: ['batch', images],
  IN: ['instance', images],
  'GN(8)': ['group', images],
};

export async function run({ progress }) {
  const table = {
    title: 'Ours; composed ops',
    unit: 'error',
    columns: ['y', 'dx', 'dgamma', 'ops y', 'ops dx', 'ops dgamma'],
    rows: [],
  };
  const worst = MEANS.map(() => 0);
  for (const [label, [name, shape]] of Object.entries(workloads)) {
    progress(label);
    for (const [i, mean] of MEANS.entries()) {
      const [ours, composed] = errors(normalizations[name], shape, mean);
      table.rows.push({ label: `${label}, mean ${short(mean)}`, values: [...ours, ...composed] });
      worst[i] = Math.max(worst[i], ...ours);
    }
  }
  const checks = MEANS.map((mean, i) => ({
    label: `largest error of ours at mean ${short(mean)}`,
    value: worst[i],
    unit: 'error',
    atMost: 1e-6,
    aim: 5e-7,
  }));
  return { tables: [table], checks };
}

/** Of y, dx and dgamma: the errors of our function and of the composed formula. */
function errors(normalization, shape, mean) {
  return tf.tidy(() => {
    const { x, dy, gamma, beta } = tensors(shape, { mean });
    const inputs = [x, gamma, beta];
    const data = (tensor) => tensor.dataSync();
    const exact = float64(attributes(normalization, shape), ...[x, dy, gamma, beta].map(data));
    return [normalization.op, normalization.composed].map((f) => {
      const [dx, dgamma] = tf.grads(f)(inputs, dy);
      const results = { y: f(...inputs), dx, dgamma };
      return Object.entries(results).map(([name, tensor]) => relativeError(data(tensor), exact[name]));
    });
  });
}

/** The largest deviation over the largest value. A NaN is an infinite error. */
function relativeError(values, exact) {
  let error = 0;
  let largest = 0;
  for (const [i, value] of exact.entries()) {
    const deviation = Math.abs(values[i] - value);
    error = Math.max(error, Number.isNaN(deviation) ? Infinity : deviation);
    largest = Math.max(largest, Math.abs(value));
  }
  return error / largest;
}

/**
 * y = (x - mean) / f * gamma + beta and its gradients, in float64 and from the definition:
 * dx = (D - mean(D) - k xHat mean(D xHat)) / f with D = gamma dy; f and k as epsilon stands inside or outside the root.
 */
function float64({ view, epsilon, epsilonPlacement, center }, x, dy, gamma, beta) {
  const { n, s, c, groups } = view;
  const width = c / groups;
  const y = new Float64Array(x.length);
  const dx = new Float64Array(x.length);
  const dgamma = new Float64Array(c);
  for (let group = 0; group < n * groups; group++) {
    const channel = (group % groups) * width;
    const start = Math.floor(group / groups) * s * c + channel;
    const each = (visit) => {
      for (let i = 0; i < s; i++) for (let j = 0; j < width; j++) visit(start + i * c + j, channel + j);
    };
    const mean = (value) => {
      let total = 0;
      each((i, j) => {
        total += value(i, j);
      });
      return total / (s * width);
    };
    const mu = center ? mean((i) => x[i]) : 0;
    const root = Math.sqrt(mean((i) => (x[i] - mu) ** 2));
    const f = epsilonPlacement === 'inside' ? Math.sqrt(root ** 2 + epsilon) : root + epsilon;
    const k = epsilonPlacement === 'inside' ? 1 : f / root;
    const xHat = (i) => (x[i] - mu) / f;
    const meanD = center ? mean((i, j) => dy[i] * gamma[j]) : 0;
    const meanDxHat = mean((i, j) => dy[i] * gamma[j] * xHat(i));
    each((i, j) => {
      y[i] = xHat(i) * gamma[j] + beta[j];
      dx[i] = (dy[i] * gamma[j] - meanD - k * xHat(i) * meanDxHat) / f;
      dgamma[j] += dy[i] * xHat(i);
    });
  }
  return { y, dx, dgamma };
}
