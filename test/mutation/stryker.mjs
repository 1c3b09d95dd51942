/**
 * Mutation testing: `FOLDER=kernels/core npm run mutate` for one folder of `folders.cjs`, `npm run mutate` for all. What was measured
 * is in `README.md` here.
 */
import folders from './folders.cjs';

const { FOLDER } = process.env;
if (FOLDER && !folders[FOLDER]) throw new Error(`FOLDER: ${FOLDER} is none of ${Object.keys(folders).join(', ')}`);
const chosen = FOLDER ? [folders[FOLDER]] : Object.values(folders);
const reports = `.cache/mutation/${FOLDER ?? 'all'}`;

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: chosen.flatMap(({ mutate }) => mutate),
  // A text that is empty is the text of a message: tests of messages look for the parts that help, and not for every word.
  mutator: { excludedMutations: ['StringLiteral'] },
  testRunner: 'mocha',
  mochaOptions: { spec: ['test/mutation/tests.cjs'] },
  coverageAnalysis: 'perTest',
  // What runs once, when a module is loaded, would need a process for each mutant.
  ignoreStatic: true,
  // A machine that does other things, too, must not count as a mutant that never ends.
  timeoutMS: 60_000,
  dryRunTimeoutMinutes: 30,
  tempDirName: '.cache/mutation/sandbox',
  ignorePatterns: ['.cache', 'dist', 'examples/gallery', '.ci', '.github'],
  reporters: ['clear-text', 'progress-append-only', 'json', 'html'],
  jsonReporter: { fileName: `${reports}.json` },
  htmlReporter: { fileName: `${reports}.html` },
  // Nothing is compiled by it, and Stryker would need its own TypeScript to read it.
  tsconfigFile: 'none',
  disableTypeChecks: false,
  concurrency: 1,
  maxTestRunnerReuse: 200,
};
