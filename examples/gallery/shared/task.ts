/**
 * Work that takes a while: a start and a stop button, a progress bar, and a line that says what goes on. The page stays
 * responsive as long as the work awaits `frame` often. `data-state` tells idle, running, done, stopped and failed apart.
 */
import * as tf from '@tensorflow/tfjs';
import { element } from './dom.ts';
import { showMemory } from './memory.ts';

export interface Running {
  /** How much is done, from 0 to 1, and what is being done. */
  progress(done: number, text?: string): void;
  /** Lets the page draw and react. Throws where the reader has pressed stop: the work ends there. */
  frame(): Promise<void>;
  /** For what takes an AbortSignal itself. */
  readonly signal: AbortSignal;
}

export interface Task {
  readonly element: HTMLElement;
  /** As if the start button was pressed; settles when the work has ended, well or not. */
  start(): Promise<void>;
  stop(): void;
}

/**
 * @param work returns what the line says at last
 * @param controls cannot be changed while it runs
 */
export function task(
  label: string,
  work: (running: Running) => Promise<string>,
  controls: readonly { disabled: boolean }[] = [],
): Task {
  const startButton = element('button', { type: 'button', className: 'primary' }, label);
  const stopButton = element('button', { type: 'button', disabled: true }, 'Stop');
  const bar = element('progress', { max: 1, value: 0, 'aria-label': `Progress: ${label}` });
  const line = element('output', { 'aria-live': 'polite' });
  const whole = element('div', { className: 'task', 'data-state': 'idle' }, startButton, stopButton, bar, line);
  let controller = new AbortController();

  const running: Running = {
    progress(done, text) {
      bar.value = done;
      if (text !== undefined) line.textContent = text;
    },
    async frame() {
      await tf.nextFrame();
      controller.signal.throwIfAborted();
    },
    get signal() {
      return controller.signal;
    },
  };

  async function start(): Promise<void> {
    if (whole.dataset.state === 'running') return;
    controller = new AbortController();
    whole.dataset.state = 'running';
    startButton.disabled = true;
    stopButton.disabled = false;
    for (const control of controls) control.disabled = true;
    running.progress(0, '');
    let state = 'done';
    try {
      await running.frame(); // the buttons show that it has begun
      running.progress(1, await work(running));
    } catch (error) {
      state = controller.signal.aborted ? 'stopped' : 'failed';
      line.textContent = state === 'stopped' ? 'Stopped.' : String(error);
      if (state === 'failed') console.error(error);
    }
    startButton.disabled = false;
    stopButton.disabled = true;
    for (const control of controls) control.disabled = false;
    whole.dataset.state = state;
    showMemory();
  }
  const stop = () => controller.abort();
  startButton.addEventListener('click', start);
  stopButton.addEventListener('click', stop);
  return { element: whole, start, stop };
}
