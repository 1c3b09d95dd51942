/** What a claim of the table is, once it can be put to the test. */

import type { Named } from '../shared/colors.ts';
import type { Digits } from '../shared/digits.ts';

/** What an experiment is given. */
export interface Run {
  /** Of first weights, data and batches. */
  readonly seed: number;
  readonly train: Digits;
  readonly test: Digits;
  /** To be awaited often: a page draws and reacts then. */
  frame(): Promise<void>;
}

/** Measures the effect once. A positive effect speaks for the claim. */
export type Effect = (run: Run) => Promise<number>;

export interface Experiment {
  /** What is compared, in one sentence. */
  readonly experiment: string;
  /** What the effect is a difference or ratio of. */
  readonly measure: string;
  /** Of the effect: 'points' are percent of accuracy. */
  readonly unit: string;
  /** The smallest mean effect that counts, chosen before the experiment was run. */
  readonly threshold: number;
  readonly data: string;
  readonly networks: string;
  /** The effect under each condition. */
  readonly conditions: Readonly<Record<string, Effect>>;
  /** Where the claim speaks of more than can be tried in a minute: why this experiment cannot refute it. */
  readonly limit?: string;
}

export interface Claim extends Experiment {
  /** Such as 'batch-1': the normalization, and the place among its claims, advantages first. */
  readonly id: string;
  readonly normalization: Named;
  readonly kind: 'advantage' | 'disadvantage';
  /** As it was made. */
  readonly text: string;
}

/** The claims about one normalization. The texts are kept word by word. */
export function claimsOf(
  normalization: Named,
  name: string,
  advantages: Readonly<Record<string, Experiment>>,
  disadvantages: Readonly<Record<string, Experiment>>,
): Claim[] {
  const all = [
    ...Object.entries(advantages).map((entry) => ['advantage', ...entry] as const),
    ...Object.entries(disadvantages).map((entry) => ['disadvantage', ...entry] as const),
  ];
  return all.map(([kind, text, experiment], i) => ({
    id: `${name}-${i + 1}`,
    normalization,
    kind,
    text,
    ...experiment,
  }));
}
