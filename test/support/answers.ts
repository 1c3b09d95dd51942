/** What test/package/answer.js must answer, from the formulas, and its text for entries of all kinds. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { NAME } from './user.ts';

export type Answers = Record<
  string,
  { readonly before: number[]; readonly after: number[]; readonly isOurs: boolean; readonly kernels: string[] }
>;

export const ANSWER_MODULE = readFileSync(join(__dirname, '..', 'package', 'answer.js'), 'utf8');
/** The same as a function declaration. */
export const ANSWER = ANSWER_MODULE.replace('export ', '');

/** The imports of an entry that calls `answer`. */
export const IMPORTS = `
import * as tf from '@tensorflow/tfjs';
import * as ours from '${NAME}';
import { answer } from './answer.js';
`;

/** Layer normalization of [1, 2, 3, 4], before and after one step of gradient descent towards [1, 0, 0, 1] at rate 1. */
function expected(): { before: number[]; after: number[] } {
  const xHat = [1, 2, 3, 4].map((x) => (x - 2.5) / Math.sqrt(1.25 + 1e-3));
  const dy = [1, 0, 0, 1].map((target, i) => (2 / 4) * (xHat[i]! - target));
  return { before: xHat, after: xHat.map((h, i) => (1 - dy[i]! * h) * h - dy[i]!) };
}

/** Expects answers of `backends`, from fused kernels or, as where these cannot run, from ordinary ops. */
export function expectAnswers(answers: Answers, backends: readonly string[], { fused = true } = {}): void {
  expect(Object.keys(answers)).toEqual(backends);
  for (const name of backends) {
    const { before, after, isOurs, kernels } = answers[name]!;
    for (const [found, right] of [
      [before, expected().before],
      [after, expected().after],
    ] as const) {
      expect(found).toHaveLength(4);
      for (const [i, value] of found.entries()) expect(value).toBeCloseTo(right[i]!, 5);
    }
    expect({ isOurs, kernels }).toEqual({ isOurs: true, kernels: fused ? [`${NAME}/2/Normalize`] : [] });
  }
}
