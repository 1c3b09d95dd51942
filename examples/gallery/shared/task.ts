/**
 * Work that takes a while: a start and a stop button, a progress bar, and a line that says what goes on. A training has more:
 * it can be paused, gone through step by step, and slowed down to be watched. The page stays responsive as long as the work
 * awaits `frame` often. `data-state` tells idle, running, paused, done, stopped and failed apart.
 */
import * as tf from '@tensorflow/tfjs';
import { choice } from './controls.ts';
import { setDisabled } from './disabled.ts';
import { element } from './dom.ts';
import { showMemory } from './memory.ts';

export interface Running {
  /** How much is done, from 0 to 1, and what is being done. */
  progress(done: number, text?: string): void;
  /** Lets the page draw and react. Throws where the reader has pressed stop: the work ends there. */
  frame(): Promise<void>;
  /** To be awaited before each step of a training: waits where it is paused, or slowed down. Throws as `frame` does. */
  step(): Promise<void>;
  /** Whether each step is to be seen, since the reader goes through them one by one or slowly. */
  readonly watched: boolean;
  /** For what takes an AbortSignal itself. */
  readonly signal: AbortSignal;
}

export interface Task {
  readonly element: HTMLElement;
  /** As if the start button was pressed; settles when the work has ended, well or not. */
  start(): Promise<void>;
  stop(): void;
  /** Says something while nothing runs, for instance of what is shown. With `recorded` it is marked so. */
  say(text: string, options?: { readonly recorded?: boolean }): void;
}

export interface TaskOptions {
  /** Cannot be changed while it runs. */
  readonly controls?: readonly { disabled: boolean }[];
  /** Of a training: what one press of the step button does, such as 'One step'. */
  readonly stepLabel?: string;
}

/** Milliseconds between two frames: with fewer, waiting for them takes longer than the work. */
const FRAME = 24;
/** Milliseconds from one step to the next, by speed. */
const INTERVALS = { slow: 500, medium: 80, fast: 0 } as const;

/** @param work returns what the line says at last */
export function task(
  label: string,
  work: (running: Running) => Promise<string>,
  { controls = [], stepLabel }: TaskOptions = {},
): Task {
  const startButton = element('button', { type: 'button', className: 'primary' }, label);
  const stopButton = element('button', { type: 'button' }, 'Stop');
  const pauseButton = element('button', { type: 'button', className: 'pause' }, 'Pause');
  const stepButton = element('button', { type: 'button' }, stepLabel ?? '');
  const bar = element('progress', { max: 1, value: 0, 'aria-label': `Progress: ${label}` });
  const line = element('output', { 'aria-live': 'polite' });
  const speed = stepLabel === undefined ? undefined : speedChoice();
  const buttons = [startButton, ...(speed ? [pauseButton, stepButton] : []), stopButton];
  const whole = element(
    'div',
    { className: 'task', 'data-state': 'idle', role: 'group', 'aria-label': label },
    element('div', { className: 'buttons' }, ...buttons, speed?.element),
    bar,
    line,
  );
  let controller = new AbortController();
  /** How many steps may pass before it pauses. */
  let steps = Number.POSITIVE_INFINITY;
  let wake = () => {};
  let latestFrame = 0;
  let latestStep = 0;

  const running: Running = {
    progress(done, text) {
      bar.value = done;
      if (text !== undefined) line.textContent = text;
    },
    async frame() {
      if (performance.now() - latestFrame > FRAME) {
        await tf.nextFrame();
        latestFrame = performance.now();
      }
      controller.signal.throwIfAborted();
    },
    async step() {
      const interval = INTERVALS[speed?.value ?? 'fast'];
      if (steps <= 0) await pause();
      else if (interval > 0) await sleep(latestStep + interval - performance.now());
      steps--;
      latestStep = performance.now();
      controller.signal.throwIfAborted();
    },
    get watched() {
      return Number.isFinite(steps) || INTERVALS[speed?.value ?? 'fast'] > 0;
    },
    get signal() {
      return controller.signal;
    },
  };

  async function pause(): Promise<void> {
    show('paused');
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
    if (!controller.signal.aborted) show('running');
  }
  const sleep = (milliseconds: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  function show(state: string): void {
    const isRunning = state === 'running' || state === 'paused';
    whole.dataset.state = state;
    setDisabled(startButton, isRunning);
    setDisabled(stopButton, !isRunning);
    setDisabled(pauseButton, !isRunning);
    pauseButton.textContent = state === 'paused' ? 'Continue' : 'Pause';
  }

  async function start(most = Number.POSITIVE_INFINITY): Promise<void> {
    steps = most;
    if (whole.dataset.state === 'running' || whole.dataset.state === 'paused') return wake();
    controller = new AbortController();
    show('running');
    delete whole.dataset.recorded;
    for (const control of controls) control.disabled = true;
    running.progress(0, '');
    let state = 'done';
    try {
      await tf.nextFrame(); // the buttons show that it has begun
      const text = await work(running);
      running.progress(1, text);
    } catch (error) {
      state = controller.signal.aborted ? 'stopped' : 'failed';
      line.textContent = state === 'stopped' ? 'Stopped.' : String(error);
      if (state === 'failed') console.error(error);
    }
    for (const control of controls) control.disabled = false;
    show(state);
    showMemory();
  }
  function stop(): void {
    controller.abort();
    wake();
  }
  show('idle');
  startButton.addEventListener('click', () => start());
  stopButton.addEventListener('click', stop);
  stepButton.addEventListener('click', () => start(1));
  pauseButton.addEventListener('click', () => {
    if (whole.dataset.state === 'paused') return start();
    steps = 0;
    wake();
  });
  return {
    element: whole,
    start: () => start(),
    stop,
    say(text, { recorded = false } = {}) {
      running.progress(0, text);
      if (recorded) whole.dataset.recorded = 'true';
      else delete whole.dataset.recorded;
    },
  };
}

const speedChoice = () =>
  choice({
    name: 'speed',
    label: 'Speed',
    choices: { slow: '2 steps a second', medium: '12 steps a second', fast: 'as fast as it can' },
    value: 'fast',
  });
