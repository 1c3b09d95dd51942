/** The command line of the benchmark. */
import { names, oneOf, parse } from '../command-line.js';
import { efforts } from './race.js';

const DEFAULT_JSON = 'dist/benchmark.json';

/**
 * @param {string[]} args
 * @param {string[]} suites the names of all
 * @returns {{help: string} | {only: string[], quick: boolean, effort: object, clock: 'wall' | 'cpu', json: string,
 *   publish?: string}}
 * @throws {import('../command-line.js').UsageError}
 */
export function readOptions(args, suites) {
  const defaults = { only: suites.join(','), quick: false, clock: 'wall', json: DEFAULT_JSON, publish: undefined };
  const { only, quick, clock, json, publish, help } = parse(args, defaults, 'npm run bench -- --only small');
  if (help) {
    return {
      help: `Measures the normalizations against TensorFlow.js, a plain copy and onnxruntime,
interleaved: on the cpu and wasm backends in this process, on webgl and webgpu in a headless browser,
on tensorflow (of tfjs-node) in a process of its own.

  npm run bench -- [options]

  --only LIST   what to measure, separated by commas:
                ${suites.join(',')}
  --quick       fewer samples: a first impression
  --clock wall  or cpu: count processor time, on a machine that is busy otherwise
  --json FILE   where the numbers go, besides the screen (${DEFAULT_JSON})
  --publish FOLDER
                writes RESULTS.md there, and results.json, which the gallery shows
  --help        this text`,
    };
  }
  return {
    only: names('--only', only, suites),
    quick,
    effort: quick ? efforts.quick : efforts.full,
    clock: oneOf('--clock', clock, ['wall', 'cpu']),
    json,
    publish,
  };
}
