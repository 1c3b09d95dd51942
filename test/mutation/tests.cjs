/**
 * Tests in one process, for mutation testing. Jest loads the modules anew for each test file, which would take a minute for each of
 * thousands of mutants. Here Mocha runs the same files, loaded once, with Jest's own `expect` and `each`.
 */
const { readFileSync } = require('node:fs');
const Module = require('node:module');
const { join } = require('node:path');
const { bind } = require('jest-each');
const { expect } = require('expect');
const { ModuleMocker } = require('jest-mock');
const swc = require('@swc/core');
const folders = require('./folders.cjs');

const root = join(__dirname, '..');

/**
 * Tests that would take longer than all others, by their titles: kernels of a backend, rows that are large, training, and files that
 * are broken at random.
 */
const SLOW = [
  /by kernel/,
  /\d{5}/,
  /memory of a kernel/,
  /300 kernels/,
  /twice the time/,
  /fit learns/,
  /trains by fit/,
  /every rank and axis/,
  /five and six axes/,
  /anything changed/,
  /a thousand times as large/,
  /broken files load whole/,
];
const isSlow = (title) => SLOW.some((words) => words.test(title));

process.env.BACKENDS ??= 'cpu';
const mocker = new ModuleMocker(globalThis);
const each = (define) => Object.assign(define, { each: bind(define, false), skip: () => {} });
/** Mocha would wait for a callback of a function that has parameters. */
const definedBy = (mocha) => (title, run, timeout) => {
  if (isSlow(title)) return;
  const made = mocha(String(title), () => run());
  if (timeout) made.timeout(timeout);
};
const jestGlobals = {
  expect,
  jest: {
    fn: mocker.fn.bind(mocker),
    spyOn: mocker.spyOn.bind(mocker),
    restoreAllMocks: () => mocker.restoreAllMocks(),
  },
  describe: each((title, run) => isSlow(title) || void describe(String(title), () => void run())),
  test: each(definedBy(it)),
  beforeAll: (run) => before(() => run()),
  afterAll: (run) => after(() => run()),
  beforeEach: (run) => beforeEach(() => run()),
  afterEach: (run) => afterEach(() => run()),
};

const ts = { syntax: 'typescript' };
const compile = (module, filename) => {
  const code = readFileSync(filename, 'utf8');
  const to = { filename, swcrc: false, jsc: { target: 'es2022', parser: ts }, module: { type: 'commonjs' } };
  module._compile(swc.transformSync(code, to).code, filename);
};
const asItIs = require.extensions['.js'];
require.extensions['.ts'] = compile;
// h5wasm is an ES module alone; jest.config.js maps it likewise. It is beside the other packages, wherever these are.
const H5WASM = join(require.resolve('expect/package.json'), '../../h5wasm/dist/esm/hdf5_hl.js');
require.extensions['.js'] = (module, filename) => (/h5wasm/.test(filename) ? compile : asItIs)(module, filename);
const load = Module._load;
Module._load = (request, ...rest) => {
  if (request === '@jest/globals') return jestGlobals;
  return load(request === 'h5wasm' ? H5WASM : request, ...rest);
};

require(join(root, 'support/setup.ts'));
require(join(root, '../layers/index.ts'));
const { classNameMap } = require('@tensorflow/tfjs').serialization.SerializationMap.getMap();
const atFirst = { ...classNameMap };
/** Each file finds the classes that are registered when the package is loaded, and those that it registers itself. */
const register = (classes) => {
  for (const name of Object.keys(classNameMap)) delete classNameMap[name];
  Object.assign(classNameMap, classes);
};
const { FOLDER } = process.env;
const chosen = FOLDER ? [folders[FOLDER]] : Object.values(folders);
for (const name of new Set(chosen.flatMap(({ tests }) => tests))) {
  describe(name, () => {
    register(atFirst);
    require(join(root, `${name}.test.ts`));
    const classes = { ...classNameMap };
    before(() => register(classes));
  });
}
