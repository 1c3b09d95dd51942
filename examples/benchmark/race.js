/**
 * Times things against each other in one process: every round takes one sample of each, in rotated order, so that whatever
 * slows the machine down slows all of them. The result is the median.
 */

const wall = () => performance.now();
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
let clock = wall;

/** Measures processor time, which other processes hardly change, instead of the time that passes. */
export function useProcessorTime() {
  clock = cpu;
}

/** A candidate that calls `call` over and over. */
export const calls = (call) => (times) => {
  const start = clock();
  for (let i = 0; i < times; i++) call();
  return clock() - start;
};

/** As `calls`, of a function whose promise is awaited. */
export const asyncCalls = (call) => async (times) => {
  const start = clock();
  for (let i = 0; i < times; i++) await call();
  return clock() - start;
};

/** How much is measured: samples of each candidate and of each slow one, and the shortest time of a sample in ms. */
export const efforts = {
  full: { rounds: 25, slowRounds: 3, sampleMs: 4 },
  quick: { rounds: 7, slowRounds: 1, sampleMs: 2 },
};

/** Calls of more ms are slow: they get few samples. */
const SLOW = 50;
/** Calls of more ms need no warming up: the first one is a sample. */
const LONG = 1000;

/**
 * @param {Record<string, (times: number) => number | Promise<number>>} candidates each runs `times` calls and returns how
 *   many ms they took
 * @param {{rounds: number, slowRounds: number, sampleMs: number}} effort as in `efforts`
 * @param {(name: string, done: number) => unknown} [watch] is awaited before each call or sample, and told whose it is and
 *   how much is done, from 0 to 1; where it throws, the race ends
 * @returns {Promise<Record<string, number>>} the median time of one call, in microseconds
 */
export async function race(candidates, { rounds, slowRounds, sampleMs }, watch = () => {}) {
  const entries = Object.entries(candidates);
  const runners = [];
  for (const [i, [name, run]] of entries.entries()) {
    const pause = () => watch(name, i / entries.length / 2);
    runners.push({ name, run, ...(await calibrate(run, sampleMs, pause)) });
  }
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < runners.length; i++) {
      const { name, run, times, slow, warmUp, samples } = runners[(i + round) % runners.length];
      if (slow && (samples.length >= slowRounds || round % Math.floor(rounds / slowRounds) > 0)) continue;
      const pause = () => watch(name, (1 + (round + i / runners.length) / rounds) / 2);
      await pause();
      if (warmUp) await run(1); // nobody pays for caches that others have filled
      if (slow) await pause();
      collect(times);
      samples.push((await run(times)) / times);
    }
  }
  return Object.fromEntries(runners.map(({ name, samples }) => [name, 1000 * median(samples)]));
}

/**
 * Nobody pays for the garbage of others either, nor of the own warm-up. A full collection makes V8 forget what it has learned
 * of the code, too, which only a long call doesn't notice: before many short ones, the young garbage goes.
 */
function collect(times) {
  globalThis.gc?.({ type: times === 1 ? 'major' : 'minor' });
}

/** Warms up, for five calls and a tenth of a second or for a second, and finds how many calls make a sample. */
async function calibrate(run, sampleMs, pause) {
  await pause();
  const first = await run(1);
  if (first > LONG) return { times: 1, slow: true, warmUp: false, samples: [first] };
  let spent = 0;
  let count = 0;
  while (count === 0 || (spent < 1000 && (count < 5 || spent < 100))) {
    await pause();
    spent += await run(1);
    count++;
  }
  const ms = spent / count;
  return { times: Math.ceil(sampleMs / ms), slow: ms > SLOW, warmUp: true, samples: [] };
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return Number.isInteger(half) ? (sorted[half - 1] + sorted[half]) / 2 : sorted[Math.floor(half)];
}
