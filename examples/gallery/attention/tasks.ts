/** Sequences of symbols, and what a transformer has to make of them. */
import * as tf from '@tensorflow/tfjs';
import { random } from '../shared/random.ts';

export const LENGTH = 10;
export const SYMBOLS = 10;

export const TASKS = { reverse: 'Reverse', sort: 'Sort', shift: 'Shift by three' } as const;
export type Task = keyof typeof TASKS;

const solutions: Readonly<Record<Task, (symbols: readonly number[]) => readonly number[]>> = {
  reverse: (symbols) => [...symbols].reverse(),
  sort: (symbols) => [...symbols].sort((a, b) => a - b),
  shift: (symbols) => symbols.map((_, i) => symbols[(i + 3) % symbols.length]),
};

export interface Examples {
  readonly symbols: readonly (readonly number[])[];
  readonly solved: readonly (readonly number[])[];
}

export function examples(task: Task, count: number, seed: number): Examples {
  const { uniform } = random(seed);
  const one = () => Array.from({ length: LENGTH }, () => Math.floor(SYMBOLS * uniform()));
  const symbols = Array.from({ length: count }, one);
  return { symbols, solved: symbols.map(solutions[task]) };
}

/** `all` with the reader's own sequence in front, in place of the first. */
export const withOwn = (task: Task, own: readonly number[], { symbols, solved }: Examples): Examples => ({
  symbols: [own, ...symbols.slice(1)],
  solved: [solutions[task](own), ...solved.slice(1)],
});

/** Symbol and place, both one-hot: [count, LENGTH, SYMBOLS + LENGTH]; and the solutions, [count, LENGTH, SYMBOLS]. */
export function tensors({ symbols, solved }: Examples): { inputs: tf.Tensor3D; targets: tf.Tensor3D } {
  const inputs = symbols.map((all) => all.map((symbol, i) => [...oneHot(symbol, SYMBOLS), ...oneHot(i, LENGTH)]));
  return {
    inputs: tf.tensor3d(inputs),
    targets: tf.tensor3d(solved.map((all) => all.map((symbol) => oneHot(symbol, SYMBOLS)))),
  };
}

const oneHot = (value: number, size: number) => Array.from({ length: size }, (_, i) => (i === value ? 1 : 0));
