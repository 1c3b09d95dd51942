/** The command as users run it, from the tarball: exit codes, what to install, and one line for each mistake. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MODULES, NAME, PACKAGE, type Result, ROOT, User } from '../support/user.ts';

let user: User;
/** Folders with this package, and with more or fewer packages of others; outside of the user's, where Node finds all of them. */
const scratch = mkdtempSync(join(tmpdir(), `${NAME}-command-`));
const folderOf = (name: string) => join(scratch, name);
const MODEL = join(ROOT, 'test', 'goldens', 'models', 'keras3-cnn-batchnorm', 'model.json');

beforeAll(async () => {
  user = await User.install();
  const needed = ['@tensorflow', 'seedrandom', 'long'];
  const linked = { alone: [], some: needed, all: [...needed, 'h5wasm', 'fflate'] };
  for (const [name, packages] of Object.entries(linked)) {
    const modules = join(folderOf(name), 'node_modules');
    mkdirSync(modules, { recursive: true });
    for (const one of packages) symlinkSync(join(MODULES, one), join(modules, one));
    // A copy of its own, since Node looks for packages from the real path on.
    await user.run('tar', '-xzf', user.tarball, '-C', modules);
    await user.run('mv', join(modules, 'package'), join(modules, NAME));
  }
});
afterAll(() => {
  user.remove();
  rmSync(scratch, { recursive: true, force: true });
});

const run = (folder: string, ...args: string[]): Promise<Result> =>
  user.node(join(folderOf(folder), 'node_modules', NAME, PACKAGE.bin[NAME]), ...args);

test('--help and --version need no other package', async () => {
  const help = await run('alone', '--help');
  expect(help.code).toBe(0);
  expect(help.output).toMatch(/^Usage: tfjs-normalizations convert FROM TO/);
  expect(help.output.split('\n').every((line) => line.length <= 100)).toBe(true);
  expect(await run('alone', '-v')).toEqual({ code: 0, output: `${PACKAGE.version}\n` });
});

/** The result of a mistake: the code, and its one line. What `execFile` adds about the failed process is left out. */
async function failed(folder: string, ...args: string[]): Promise<Result> {
  const { code, output } = await run(folder, ...args);
  return { code, output: output.replace(/Error: Command failed[\s\S]*$/, '') };
}

test.each([
  [[], 'what is to be done? convert, inspect or build-native'],
  [['merge'], "there is no command 'merge'"],
  [['convert', 'a.json'], 'convert takes FROM and TO; received a.json'],
  [['build-native', 'a.node'], 'build-native takes nothing; received a.node'],
  [['inspect', 'a.json', '--quiet'], "Unknown option '--quiet'"],
  [['convert', 'a.json', 'b.safetensors', '--module', 'fc'], "--module takes LAYER=MODULE; received 'fc'"],
])('%j is a mistake of use', async (args, says) => {
  expect(await failed('alone', ...args)).toEqual({
    code: 2,
    output: `tfjs-normalizations: ${says}; --help tells more\n`,
  });
});

test('it says which packages are missing', async () => {
  const install = 'npm install @tensorflow/tfjs h5wasm fflate\n';
  const missing = (name: string) => ({
    code: 1,
    output: `tfjs-normalizations: the package ${name} is missing; ${install}`,
  });
  const alone = await failed('alone', 'inspect', MODEL);
  expect(alone.code).toBe(1);
  expect(alone.output).toMatch(
    /^tfjs-normalizations: the package @tensorflow\/[\w-]+ is missing; npm install @tensorflow\/tfjs h5wasm fflate\n$/,
  );
  const keras = join(user.folder, 'a.keras');
  expect([missing('fflate'), missing('h5wasm')]).toContainEqual(await failed('some', 'convert', MODEL, keras));
});

test('it converts between all formats, and inspects them', async () => {
  const [keras, json, weights] = ['b.keras', 'c.json', 'd.safetensors'].map((name) => join(user.folder, name)) as [
    string,
    string,
    string,
  ];
  expect(await run('all', 'convert', MODEL, keras)).toEqual({
    code: 0,
    output: `${keras}: 265 parameters of functional\n`,
  });
  expect(await run('all', 'convert', keras, json)).toMatchObject({ code: 0 });
  expect(await run('some', 'convert', json, weights, '--module', 'dense=head')).toMatchObject({ code: 0 });
  expect(readFileSync(weights, 'latin1')).toMatch(/"head\.weight"/);
  expect(await failed('some', 'convert', MODEL, json)).toEqual({
    code: 1,
    output: `tfjs-normalizations: c.json is in ${user.folder} already; --force replaces it\n`,
  });
  expect(await run('some', 'convert', weights, json, '-m', MODEL, '--module', 'dense=head', '--force')).toMatchObject({
    code: 0,
  });
  const { code, output } = await run('some', 'inspect', json);
  expect(code).toBe(0);
  expect(output).toMatch(/^batch_normalization +BatchNormalization +\[null, 6, 5, 4\] +16 /m);
});

test('a mistake in a file is one line', async () => {
  const path = user.write('broken.safetensors', 'broken and more');
  const { code, output } = await failed('some', 'inspect', path);
  expect(code).toBe(1);
  expect(output).toMatch(/^tfjs-normalizations: .*: the file says that its header has .*\n$/);
});

test('a reader may go before the end', async () => {
  const command = join(folderOf('some'), 'node_modules', NAME, PACKAGE.bin[NAME]);
  const { output } = await user.run('bash', '-c', `node ${command} inspect ${MODEL} | head -1`);
  expect(output).toMatch(/^\S+model.json: functional, 8 layers, 265 parameters, 8.27 KB\n$/);
});
