/** What TensorFlow.js holds, in the footer of every page: a run that leaves more behind than it found is a leak. */
import * as tf from '@tensorflow/tfjs';
import { element } from './dom.ts';

export const memoryLine = element('span', {});

export function showMemory(): void {
  const { numTensors, numBytes } = tf.memory();
  memoryLine.dataset.tensors = String(numTensors);
  memoryLine.textContent = `${numTensors} tensors, ${(numBytes / 1e6).toFixed(1)} MB`;
}
