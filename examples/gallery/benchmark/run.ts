/** Measures one contest after the other, and lets the page draw in between. */
import { measure } from '../../benchmark/measure.js';
import { efforts } from '../../benchmark/race.js';
import type { Running } from '../shared/task.ts';
import { type Contest, candidateText, label, type Result } from './contests.ts';

export type Effort = keyof typeof efforts;

/** The page draws after so many ms, where a single call does not take longer. */
const PAUSE = 40;

export async function run(
  contests: readonly Contest[],
  effort: Effort,
  running: Running,
  measured: (result: Result, place: number) => void,
): Promise<void> {
  let drawn = 0;
  for (const [place, contest] of contests.entries()) {
    const watch = async (candidate: string, done: number) => {
      if (performance.now() - drawn < PAUSE) return;
      running.progress((place + done) / contests.length, `${label(contest)}: ${candidateText(candidate)}`);
      await running.frame();
      drawn = performance.now();
    };
    const { name, shape } = contest;
    measured({ ...contest, ...(await measure({ name, shape: [...shape], effort: efforts[effort] }, watch)) }, place);
    await running.frame();
  }
}
