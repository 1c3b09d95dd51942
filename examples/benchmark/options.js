/** The command line of the benchmark. */
import { names, oneOf, parse } from '../command-line.js';

const DEFAULT_JSON = 'dist/benchmark.json';

/** How much is measured: samples of each candidate and of each slow one, and the shortest time of a sample in ms. */
const EFFORT = { rounds: 25, slowRounds: 3, sampleMs: 4 };
const QUICK = { rounds: 7, slowRounds: 1, sampleMs: 2 };

/**
 * @param {string[]} args
 * @param {string[]} suites the names of all
 * @returns {{help: string} | {only: string[], effort: object, clock: 'wall' | 'cpu', json: string}}
 * @throws {import('../command-line.js').UsageError}
 */
export function readOptions(args, suites) {
  const defaults = { only: suites.join(','), quick: false, clock: 'wall', json: DEFAULT_JSON };
  const { only, quick, clock, json, help } = parse(args, defaults, 'npm run bench -- --only small');
  if (help) {
    return {
      help: `Measures the normalizations against TensorFlow.js, a plain copy and onnxruntime,
interleaved: on the cpu backend in this process, on webgl in a headless browser,
on tensorflow (of tfjs-node) in a process of its own.

  npm run bench -- [options]

  --only LIST   what to measure, separated by commas:
                ${suites.join(',')}
  --quick       fewer samples: a first impression
  --clock wall  or cpu: count processor time, on a machine that is busy otherwise
  --json FILE   where the numbers go, besides the screen (${DEFAULT_JSON})
  --help        this text`,
    };
  }
  return {
    only: names('--only', only, suites),
    effort: quick ? QUICK : EFFORT,
    clock: oneOf('--clock', clock, ['wall', 'cpu']),
    json,
  };
}
