/** A client: a worker that has some of the digits, which it never gives away. What leaves it are weights of its network. */
import * as tf from '@tensorflow/tfjs';
import { weightsAfter } from '../../federated/tasks.js';
import { digitTensors, loadTrainingDigits } from '../shared/digits.ts';
import { prepare } from '../shared/wasm.ts';
import type { Answer, Question, Start } from './messages.ts';
import { ownDigits } from './own-digits.ts';

let digits: Promise<{ images: tf.Tensor; answers: tf.Tensor; count: number }> | undefined;

async function start({ labels, samples }: Start): Promise<{ images: tf.Tensor; answers: tf.Tensor; count: number }> {
  prepare();
  await tf.setBackend('wasm');
  const own = ownDigits(await loadTrainingDigits(samples), labels);
  const { images, labels: answers } = digitTensors(own);
  return { images, answers, count: own.labels.length };
}

addEventListener('message', async ({ data }: MessageEvent<Start | Question>) => {
  if ('labels' in data) {
    digits = start(data);
    return;
  }
  let answer: Answer;
  try {
    const own = await (digits as NonNullable<typeof digits>);
    answer = { weights: await weightsAfter(data, own), count: own.count };
  } catch (error) {
    answer = { error: String(error) };
  }
  postMessage(answer);
});
