/** A small style transfer: a network paints digits in stripes, judged by random features as the large ones are by VGG's. */
import * as tf from '@tensorflow/tfjs';
import { batchNormalization, instanceNormalization } from 'tfjs-normalizations';
import { setRate, variablesOf } from '../shared/training.ts';
import type { Effect, Run } from './claim.ts';
import { type DataName, dataOf, type Examples, WIDTH } from './data.ts';
import { first } from './learning.ts';

const STEPS = 30;
const BATCH = 8;
const RATES = [0.003, 0.01];
const CHANNELS = 8;
const STYLE_SHARE = 0.5;

const normalizers = { batch: () => batchNormalization({ momentum: 0.9 }), instance: () => instanceNormalization() };
type Norm = keyof typeof normalizers;

function painter(norm: Norm, seed: number): tf.Sequential {
  const conv = (filters: number, i: number) =>
    tf.layers.conv2d({
      filters,
      kernelSize: 3,
      padding: 'same',
      kernelInitializer: tf.initializers.heNormal({ seed: 10 * seed + i }),
      ...(i === 0 && { inputShape: [WIDTH, WIDTH, 1] }),
    });
  const block = (i: number) => [conv(CHANNELS, i), normalizers[norm](), tf.layers.reLU()];
  return tf.sequential({ layers: [...block(0), ...block(1), conv(1, 2)] });
}

interface Judge {
  readonly kernel: tf.Tensor4D;
  /** Of the style: which features go together, [CHANNELS, CHANNELS]. */
  readonly gram: tf.Tensor2D;
}

const features = (images: tf.Tensor4D, kernel: tf.Tensor4D) =>
  tf.relu(tf.conv2d(images, kernel, 1, 'same')) as tf.Tensor4D;

/** [batch, CHANNELS, CHANNELS] */
function grams(found: tf.Tensor4D): tf.Tensor3D {
  const rows = tf.reshape(found, [found.shape[0], WIDTH * WIDTH, CHANNELS]) as tf.Tensor3D;
  return tf.div(tf.matMul(rows, rows, true, false), WIDTH * WIDTH);
}

function judgeOf(seed: number): Judge {
  return tf.tidy(() => {
    const kernel = tf.randomNormal([3, 3, 1, CHANNELS], 0, 0.5, 'float32', seed) as tf.Tensor4D;
    const stripes = Float32Array.from({ length: WIDTH * WIDTH }, (_, i) => Number((i + Math.floor(i / WIDTH)) % 4 < 2));
    const gram = tf.squeeze(grams(features(tf.tensor4d(stripes, [1, WIDTH, WIDTH, 1]), kernel)), [0]) as tf.Tensor2D;
    return { kernel, gram };
  });
}

/** How far the paintings are from the style and, in their features, from the contents; 1 each where nothing is painted. */
function lossOf(paintings: tf.Tensor4D, contents: tf.Tensor4D, { kernel, gram }: Judge): tf.Scalar {
  const [painted, content] = [features(paintings, kernel), features(contents, kernel)];
  const style = tf.div(tf.mean(tf.square(tf.sub(grams(painted), gram))), tf.mean(tf.square(gram)));
  const likeness = tf.div(tf.mean(tf.square(tf.sub(painted, content))), tf.mean(tf.square(content)));
  return tf.add(tf.mul(STYLE_SHARE, style), tf.mul(1 - STYLE_SHARE, likeness));
}

const images = ({ images, labels }: Examples): tf.Tensor4D => tf.tensor4d(images, [labels.length, WIDTH, WIDTH, 1]);

/** The loss on digits of the test, at the better of the learning rates. */
async function tested(norm: Norm, data: DataName, run: Run): Promise<number> {
  const { train, validation, test } = dataOf(data, run, STEPS * BATCH);
  const judge = judgeOf(run.seed);
  let lowest = Number.POSITIVE_INFINITY;
  let loss = Number.POSITIVE_INFINITY;
  for (const rate of RATES) {
    const model = painter(norm, run.seed);
    const optimizer = tf.train.adam();
    for (let step = 0; step < STEPS; step++) {
      setRate(optimizer, rate * (1 - step / STEPS));
      tf.tidy(() => {
        const start = step * BATCH * WIDTH * WIDTH;
        const contents = images({
          images: train.images.subarray(start, start + BATCH * WIDTH * WIDTH),
          labels: train.labels.subarray(step * BATCH, (step + 1) * BATCH),
        });
        const paint = () => lossOf(model.apply(contents, { training: true }) as tf.Tensor4D, contents, judge);
        optimizer.minimize(paint, false, variablesOf(model));
      });
      await run.frame();
    }
    const losses = tf.tidy(() =>
      tf.stack(
        [validation, test].map((part) => {
          const contents = images(first(part, 100));
          return lossOf(model.apply(contents, { training: false }) as tf.Tensor4D, contents, judge);
        }),
      ),
    );
    const [ofValidation, ofTest] = await losses.data();
    for (const one of [losses, model, optimizer]) one.dispose();
    if (ofValidation < lowest) [lowest, loss] = [ofValidation, ofTest];
  }
  tf.dispose([judge.kernel, judge.gram]);
  return loss;
}

/** By how many percent the loss is lower with instance normalization than with batch normalization. */
export const paintsBetter =
  (data: DataName): Effect =>
  async (run) =>
    100 * (1 - (await tested('instance', data, run)) / (await tested('batch', data, run)));
