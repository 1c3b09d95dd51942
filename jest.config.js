import { availableParallelism } from 'node:os';

/**
 * Tests run in a context of their own, where V8 looks every global up anew. Given to each module as arguments, these are as fast as
 * elsewhere: kernels in JavaScript and the oracles, which call Math in their loops, take half the time.
 */
const sandboxInjectedGlobals = [
  ...['Math', 'Number', 'Object', 'Array', 'Map', 'Set', 'WeakMap', 'WeakSet', 'String', 'Symbol', 'Boolean', 'JSON'],
  ...['ArrayBuffer', 'Float32Array', 'Float64Array', 'Int32Array', 'Uint32Array', 'Uint16Array', 'Uint8Array'],
  ...['Error', 'Promise', 'RegExp', 'isNaN', 'isFinite'],
];

const shared = {
  sandboxInjectedGlobals,
  testEnvironment: 'node',
  setupFilesAfterEnv: ['<rootDir>/test/support/setup.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.cache'],
  // h5wasm is an ES module alone; Jest's CommonJS takes it transformed.
  moduleNameMapper: { '^h5wasm$': '<rootDir>/node_modules/h5wasm/dist/esm/hdf5_hl.js' },
  transformIgnorePatterns: ['/node_modules/(?!h5wasm/)'],
  transform: {
    '^.+\\.(ts|js|mjs)$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
};

const project = (name, more = {}) => ({
  ...shared,
  ...more,
  displayName: name,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
});

const withBrowser = {
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
};

/**
 * Four projects, so that each can be run by itself: `jest --selectProjects unit`. Only `unit` needs no browser.
 * @type {import('jest').Config}
 */
export default {
  // Against a test that never ends: no test takes half as long on a machine that is ten times as slow.
  testTimeout: 500_000,
  // More than there are cores, since a worker waits where a page computes; by default Jest leaves a core to itself.
  maxWorkers: availableParallelism() + 1,
  testSequencer: '<rootDir>/test/support/sequencer.mjs',
  projects: [
    project('unit'),
    project('backends', withBrowser),
    project('gallery', withBrowser),
    project('package', withBrowser),
  ],
};
