/** The tarball as npm would deliver it: its metadata, its files, and that they are what the sources build. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { packageFolder } from '../support/on-demand.mjs';
import { PACKAGE, ROOT, succeeded, User } from '../support/user.ts';

let user: User;
beforeAll(async () => {
  user = await User.install();
});
afterAll(() => user.remove());

test('publint finds nothing', async () => {
  const { code, output } = await user.tool('publint/src/cli.js', user.tarball, '--strict');
  expect(output).toContain('All good!');
  expect(code).toBe(0);
});

test('npm has nothing to correct in package.json when it publishes', async () => {
  const text = readFileSync(join(ROOT, 'package.json'), 'utf8');
  const copy = user.write('corrected/package.json', text);
  expect(succeeded(await user.run('npm', 'pkg', 'fix', '--prefix', dirname(copy)))).toEqual({ code: 0, output: '' });
  expect(user.read('corrected/package.json')).toBe(text);
});

test('attw finds the types of every entry', async () => {
  const options = ['--profile', 'esm-only', '--format', 'json'];
  const attw = join(packageFolder('@arethetypeswrong/cli'), 'dist', 'index.js');
  const result = await user.node(attw, user.tarball, ...options);
  expect(succeeded(result)).toEqual({ code: 0, output: '' });
  const { analysis } = JSON.parse(result.output) as { analysis: { entrypoints: Record<string, object> } };
  const entries = Object.keys(PACKAGE.exports).filter((entry) => entry !== './package.json');
  expect(Object.keys(analysis.entrypoints)).toEqual(expect.arrayContaining(entries));
});

test('it holds what users need and no more', async () => {
  const { output } = await user.run('tar', '-tzf', user.tarball);
  const files = output
    .trim()
    .split('\n')
    .map((file) => file.replace('package/', ''));
  const needed = ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE', 'dist/layers/index.js', PACKAGE.unpkg];
  expect(files).toEqual(expect.arrayContaining(needed.map((file) => file.replace('./', ''))));
  // Source maps lead to the sources; tests, examples and settings stay at home.
  expect(files.filter((file) => !/^(dist\/|layers\/|kernels\/|[^/]*\.md$|LICENSE$|package\.json$)/.test(file))).toEqual(
    [],
  );
  expect(files.filter((file) => /\.test\.|node_modules|\.log$|^dist\/docs/.test(file))).toEqual([]);
});

test('every module of layers is an entry', () => {
  const modules = readdirSync(join(ROOT, 'layers')).filter((file) => file.endsWith('-normalization.ts'));
  const entries = modules.map((file) => `./layers/${file.replace('.ts', '')}`);
  expect(Object.keys(PACKAGE.exports)).toEqual(expect.arrayContaining([...entries, './layers/batch-renormalization']));
});

test('the WebAssembly module is what its source compiles to', async () => {
  const result = await user.node(join(ROOT, 'kernels', 'simd', 'build.mjs'), '--check');
  expect(succeeded(result)).toEqual({ code: 0, output: '' });
});

test('the file for pages is of this version', () => {
  const file = readFileSync(join(ROOT, PACKAGE.unpkg), 'utf8');
  expect(file.slice(0, 100)).toContain(`${PACKAGE.name} ${PACKAGE.version}`);
});
