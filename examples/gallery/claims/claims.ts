/** All 48 claims, in the order in which they were made. */
import { batch } from './batch.ts';
import { batchInstance } from './batch-instance.ts';
import type { Claim, Run } from './claim.ts';
import { group } from './group.ts';
import { instance } from './instance.ts';
import { layer } from './layer.ts';
import { meanOnlyClaims } from './mean-only.ts';
import { renormClaims } from './renorm.ts';
import { rmsClaims } from './rms.ts';
import { spectral } from './spectral.ts';
import { switchableClaims } from './switchable.ts';
import { weight } from './weight.ts';

export const claims: readonly Claim[] = [
  ...batch,
  ...instance,
  ...layer,
  ...rmsClaims,
  ...group,
  ...weight,
  ...spectral,
  ...batchInstance,
  ...switchableClaims,
  ...renormClaims,
  ...meanOnlyClaims,
];

/** The effect of one seed under each condition. */
export async function measure({ id, conditions }: Claim, run: Run): Promise<Record<string, number>> {
  const effects: Record<string, number> = {};
  for (const [name, effect] of Object.entries(conditions)) {
    const value = Number((await effect(run)).toPrecision(5));
    if (!Number.isFinite(value)) throw new Error(`${id}: the effect with ‘${name}’ is ${value}`);
    effects[name] = value;
  }
  return effects;
}

/** Effects that were measured before, by condition, one for each seed from 1. */
export interface RecordedClaim {
  readonly date: string;
  /** Its kind alone: cores, backend and versions. */
  readonly machine: string;
  readonly seconds: number;
  readonly effects: Readonly<Record<string, readonly number[]>>;
}
export type Recorded = Readonly<Record<string, RecordedClaim>>;
