/**
 * The rule, written before the experiments were run: what effects over several seeds say of a claim.
 *
 * For each condition, with the 95 % interval of the mean by Student's t:
 *   supported     the mean effect is at least the threshold, and the interval lies above 0
 *   contradicted  the whole interval lies below the threshold: an effect as large as claimed is ruled out
 *   unclear       neither
 *
 * All conditions supported: the claim holds. Some: it holds under these conditions. None, and at least one of them contradicted and
 * none unclear: refuted here, unless the claim has a limit. All else cannot be shown at this scale.
 */

export const SEEDS = 5;

export type Outcome = 'supported' | 'contradicted' | 'unclear';

export const VERDICTS = {
  holds: 'holds',
  'under a condition': 'holds under a condition',
  refuted: 'refuted here',
  'cannot be shown': 'cannot be shown at this scale',
  missing: 'not yet recorded',
} as const;

export interface Verdict {
  readonly verdict: keyof typeof VERDICTS;
  /** Under which condition, or why not. */
  readonly reason: string;
}

/** Of Student's t with 1, 2, ... degrees of freedom: 95 % lie between plus and minus this. */
const T95 = [12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Half the width of the 95 % interval of the mean. */
export function uncertaintyOf(values: readonly number[]): number {
  const mean = meanOf(values);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return (T95[values.length - 2] ?? 1.96) * Math.sqrt(variance / values.length);
}

export function outcomeOf(effects: readonly number[], threshold: number): Outcome {
  const [mean, uncertainty] = [meanOf(effects), uncertaintyOf(effects)];
  if (mean >= threshold && mean - uncertainty > 0) return 'supported';
  return mean + uncertainty < threshold ? 'contradicted' : 'unclear';
}

/** What the rule has to know of a claim. */
export interface Judged {
  readonly conditions: Readonly<Record<string, unknown>>;
  readonly threshold: number;
  /** Where the claim speaks of more than the experiment tries. */
  readonly limit?: string;
}

/** @param effects by condition, one for each seed */
export function verdictOf(
  { conditions, threshold, limit }: Judged,
  effects: Readonly<Record<string, readonly number[]>> | undefined,
): Verdict {
  const names = Object.keys(conditions);
  if (!effects || names.some((name) => (effects[name]?.length ?? 0) < SEEDS)) {
    return { verdict: 'missing', reason: `Fewer than ${SEEDS} seeds have been recorded.` };
  }
  const outcomes = names.map((name) => outcomeOf(effects[name] as readonly number[], threshold));
  const having = (outcome: Outcome) => names.filter((_, i) => outcomes[i] === outcome);
  const supported = having('supported');
  if (supported.length === names.length) return { verdict: 'holds', reason: 'Under every condition tried.' };
  if (supported.length > 0) {
    const others = names.filter((name) => !supported.includes(name));
    return { verdict: 'under a condition', reason: `With ${listed(supported)}; not with ${listed(others)}.` };
  }
  const unclear = having('unclear');
  if (unclear.length > 0) {
    const differ = `The seeds differ by more than the effect: ${listed(unclear)}.`;
    return { verdict: 'cannot be shown', reason: limit ? `${differ} ${limit}` : differ };
  }
  if (limit) return { verdict: 'cannot be shown', reason: limit };
  return { verdict: 'refuted', reason: 'The 95 % interval of the mean lies below the threshold.' };
}

const listed = (names: readonly string[]) => names.map((name) => `‘${name}’`).join(', ');
