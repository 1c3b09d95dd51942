/** What the layers cost that wrap another one, blend statistics, add a residual or attend, against the plainer layer or ops in their place. */
import * as tf from '@tensorflow/tfjs';
import * as ours from 'tfjs-normalizations';
import { both, bothOfLayer, runners } from '../candidates.js';
import { calls, race } from '../race.js';

export const title = 'Wrappers, blends, residuals and attention, in training (cpu backend)';

/** A layer with a kernel: plain and wrapped. */
const wrapped = (kind, size, shape, layer) => ({
  kind,
  size,
  inputs: [shape],
  rivals: {
    plain: layer(),
    Weight: ours.weightNormalization({ layer: layer() }),
    Spectral: ours.spectralNormalization({ layer: layer() }),
  },
});

const contests = [
  () => wrapped('Dense', '64x256', [64, 256], () => tf.layers.dense({ units: 256 })),
  () =>
    wrapped('Conv', '4x8x8x32', [4, 8, 8, 32], () => tf.layers.conv2d({ filters: 32, kernelSize: 3, padding: 'same' })),
  () => ({
    kind: 'Blends',
    size: '8x32x32x64',
    inputs: [[8, 32, 32, 64]],
    rivals: {
      Batch: ours.batchNormalization(),
      BatchInst: ours.batchInstanceNormalization(),
      Switchable: ours.switchableNormalization(),
      Renorm: ours.batchRenormalization(),
    },
    bars: { Renorm: { atMost: 2 } },
  }),
  () => ({
    kind: 'Residual',
    size: '512x768',
    inputs: [[512, 768], [512, 768], [768], [768]],
    rivals: {
      'add, Layer': (x, residual, gamma, beta) => ours.layerNorm(tf.add(x, residual), { gamma, beta }),
      AddLayer: (x, residual, gamma, beta) => ours.addLayerNorm(x, residual, { gamma, beta }).y,
    },
    bars: { AddLayer: { aim: 0.45, lower: true } },
  }),
  () => ({
    kind: 'Attention',
    size: '4x4x64x32',
    inputs: Array(3).fill([4, 4, 64, 32]),
    rivals: { plain: attention, QKNorm: ours.qkNormAttention({ sequenceLength: 64 }) },
  }),
];

/** Attention as one writes it. */
function attention(query, key, value) {
  const logits = tf.mul(tf.matMul(query, key, false, true), query.shape.at(-1) ** -0.5);
  return tf.matMul(tf.softmax(logits), value);
}

export async function run({ effort, progress }) {
  const tables = [];
  const checks = [];
  for (const contest of contests) {
    const { kind, size, inputs, rivals, bars } = contest();
    progress(kind);
    const us = await measure(inputs, rivals, effort);
    const names = Object.keys(rivals);
    const row = (label, suffix) => ({ label, values: names.map((name) => us[name + suffix]) });
    tables.push({
      title: `${kind} ${size}`,
      unit: 'time',
      columns: names,
      rows: [row('forward', ''), row('forward + gradient', 'Gradient')],
    });
    const [first, ...others] = names;
    for (const name of others) {
      checks.push({
        label: `${kind}: ${name} / ${first}, fwd+grad`,
        value: us[`${name}Gradient`] / us[`${first}Gradient`],
        ...bars?.[name],
      });
    }
  }
  return { tables, checks };
}

/** The median times of forward and forward + gradient of layers or functions, whose outputs have the shape of the first input. */
async function measure(shapes, rivals, effort) {
  const inputs = shapes.map((shape, i) => tf.randomNormal(shape, 0, 1, 'float32', i + 1));
  const dy = tf.randomNormal(shapes[0], 0, 1, 'float32', shapes.length + 1);
  const candidates = {};
  for (const [name, rival] of Object.entries(rivals)) {
    const make = rival instanceof tf.layers.Layer ? bothOfLayer : both;
    Object.assign(candidates, make(name, rival, inputs, dy));
  }
  const us = await race(runners(candidates, calls), effort);
  tf.dispose([...inputs, dy]);
  return us;
}
