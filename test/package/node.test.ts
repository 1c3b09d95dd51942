/** Users in Node: by import, by require, and in Jest with either. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ANSWER, expectAnswers } from '../support/answers.ts';
import { MODULES, NAME, succeeded, User } from '../support/user.ts';

let user: User;
beforeAll(async () => {
  user = await User.install();
});
afterAll(() => user.remove());

const IMPORT = `import * as tf from '@tensorflow/tfjs'; import * as ours from '${NAME}';`;
const REQUIRE = `const tf = require('@tensorflow/tfjs'); const ours = require('${NAME}');`;

test.each([
  ['import', 'main.mjs', IMPORT],
  ['require', 'main.cjs', REQUIRE],
])('by %s, without a warning of Node', async (_, name, load) => {
  const call = `answer(tf, ours, ['cpu']).then((answers) => console.log(JSON.stringify(answers)));`;
  const result = await user.node(user.write(name, `${load} ${ANSWER} ${call}`));
  expect(succeeded(result)).toEqual({ code: 0, output: '' });
  expect(result.output).not.toMatch(/ExperimentalWarning/);
  const line = result.output.split('\n').find((line) => line.startsWith('{"cpu"'));
  expectAnswers(JSON.parse(line!), ['cpu']);
});

test('an import and a require are one package', async () => {
  const load = `import * as ours from '${NAME}'; import { createRequire } from 'node:module';`;
  const compare = `console.log(createRequire(import.meta.url)('${NAME}').layerNormalization === ours.layerNormalization);`;
  const { output } = await user.node(user.write('both.mjs', load + compare));
  expect(output).toContain('true');
});

/** Runs Jest on one test of the user's with this configuration, and what Node needs for it. */
async function runJest(name: string, load: string, config: object, ...nodeOptions: string[]) {
  const folder = `jest-${name.split('.')[0]}`;
  user.write(
    `${folder}/${name}`,
    `${load}
    ${ANSWER}
    test('a layer', async () => {
      const { cpu } = await answer(tf, ours, ['cpu']);
      expect(cpu.before.map((value) => value.toFixed(2))).toEqual(['-1.34', '-0.45', '0.45', '1.34']);
      expect(cpu.kernels).toEqual(['${NAME}/2/Normalize']);
    });`,
  );
  const settings = { rootDir: join(user.folder, folder), ...config };
  user.write(`${folder}/jest.config.json`, JSON.stringify(settings));
  const jest = [join(MODULES, 'jest', 'bin', 'jest.js'), '--config', `${folder}/jest.config.json`];
  return user.node(...nodeOptions, ...jest);
}

/** A transform to CommonJS, as a project that tests ES modules or TypeScript has one. */
const TRANSFORM = { '^.+\\.[jt]s$': [join(MODULES, '@swc', 'jest'), { module: { type: 'commonjs' } }] };
const IGNORED = { transformIgnorePatterns: [`/node_modules/(?!${NAME}/)`] };

test.each([
  ['with require', 'one.test.js', REQUIRE],
  ['with import', 'two.test.js', IMPORT],
])('in Jest %s, whose configuration has the line of the guide', async (_, name, load) => {
  expect(succeeded(await runJest(name, load, { transform: TRANSFORM, ...IGNORED }))).toEqual({ code: 0, output: '' });
});

test('in Jest under the conditions of a browser, as jsdom sets them', async () => {
  const result = await runJest('page.test.js', REQUIRE, {
    transform: TRANSFORM,
    ...IGNORED,
    testEnvironmentOptions: { customExportConditions: ['browser'] },
  });
  expect(succeeded(result)).toEqual({ code: 0, output: '' });
});

test('in Jest with ES modules, as it is', async () => {
  const result = await runJest(
    'three.test.mjs',
    IMPORT,
    { transform: {}, testMatch: ['**/*.test.mjs'] },
    '--experimental-vm-modules',
  );
  expect(succeeded(result)).toEqual({ code: 0, output: '' });
});
