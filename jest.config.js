/** Four projects, so that each can be run by itself: `jest --selectProjects unit`. Only `unit` needs no browser. */
const shared = {
  testEnvironment: 'node',
  setupFilesAfterEnv: ['<rootDir>/test/support/setup.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.cache'],
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

/** @type {import('jest').Config} */
export default {
  testTimeout: 60_000,
  // Every core: by default Jest leaves one to itself, which with two cores is one test file at a time.
  maxWorkers: '100%',
  projects: [
    project('unit'),
    project('backends', withBrowser),
    project('gallery', withBrowser),
    project('package', withBrowser),
  ],
};
