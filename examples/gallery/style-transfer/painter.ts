/** One picture at a time: changes that come while the network paints are one change, and what is measured runs alone. */
import * as tf from '@tensorflow/tfjs';

export interface Painter {
  /** Settles when the picture is what was asked for last. */
  repaint(): Promise<void>;
  /** Does something else in between. */
  alone<Result>(work: () => Promise<Result>): Promise<Result>;
}

export interface PainterOptions {
  paint(): Promise<void>;
  /** Whether to paint again and again, as the picture moves. */
  moving(): boolean;
  onState(state: 'painting' | 'done' | 'failed', error?: Error): void;
}

export function painter({ paint, moving, onState }: PainterOptions): Painter {
  let last: Promise<unknown> = Promise.resolve();
  let wanted = false;
  let painting: Promise<void> | undefined;

  function alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = last.then(work);
    last = result.catch(() => {}); // whoever asked for it is told
    return result;
  }

  async function paintWanted(): Promise<void> {
    onState('painting');
    try {
      while (wanted || moving()) {
        await tf.nextFrame(); // several changes in one frame
        wanted = false;
        await alone(paint);
      }
      onState('done');
    } catch (error) {
      onState('failed', error as Error);
    } finally {
      painting = undefined;
    }
  }

  function repaint(): Promise<void> {
    wanted = true;
    painting ??= paintWanted();
    return painting;
  }
  return { repaint, alone };
}
