/** How long a training step takes with RMS and with Layer normalization, in turns. */
import * as tf from '@tensorflow/tfjs';
import { median } from '../../benchmark/race.js';
import type { Running } from '../shared/task.ts';
import { examples, tensors } from './tasks.ts';
import { Transformer } from './transformer.ts';

const BATCH = 32;
/** Before anything is timed: kernels are compiled in the first steps. */
const WARM_UP = 3;

export interface Timed {
  readonly name: string;
  /** Milliseconds. */
  readonly samples: readonly number[];
  readonly median: number;
}

export async function timeNorms(steps: number, { progress, frame }: Running): Promise<Timed[]> {
  const make = (norm: 'layer' | 'rms') => new Transformer({ attention: 'qk', norm, learningRate: 0.003, seed: 1 });
  const racers = [
    { name: 'Layer', transformer: make('layer'), samples: [] as number[] },
    { name: 'RMS', transformer: make('rms'), samples: [] as number[] },
  ];
  const batch = tensors(examples('reverse', BATCH, 1));
  try {
    for (let step = 0; step < steps + WARM_UP; step++) {
      // Each begins as often as the other.
      for (const { transformer, samples } of step % 2 ? racers : [...racers].reverse()) {
        const start = performance.now();
        const loss = transformer.step(batch.inputs, batch.targets);
        await loss.data();
        if (step >= WARM_UP) samples.push(performance.now() - start);
        loss.dispose();
        await frame();
      }
      progress(
        (step + 1) / (steps + WARM_UP),
        step < WARM_UP ? 'Warming up' : `Step ${step + 1 - WARM_UP} of ${steps}`,
      );
    }
    return racers.map(({ name, samples }) => ({ name, samples, median: median(samples) }));
  } finally {
    tf.dispose(batch);
    for (const { transformer } of racers) transformer.dispose();
  }
}
