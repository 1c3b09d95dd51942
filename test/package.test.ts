/** The package as npm would deliver it, built before: its metadata, types and bundles, and that its documentation runs. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { LAYER_NAMES } from './support/layer-table.ts';

const ROOT = join(__dirname, '..');
const MODULES = join(ROOT, 'node_modules');
const PACKAGE = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** A folder of a user who has installed the package, and the tarball it came from. */
let user: string;
let tarball: string;

/** Runs a command in the user's folder; what it wrote, also where it failed. */
async function run(command: string, ...args: string[]): Promise<{ code: number; output: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { cwd: user, maxBuffer: 1e8 });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string };
    return { code: code ?? -1, output: `${stdout}${stderr}${error}` };
  }
}
const tool = (path: string, ...args: string[]) => run(process.execPath, join(MODULES, path), ...args);

beforeAll(async () => {
  user = mkdtempSync(join(tmpdir(), 'tfjs-normalizations-user-'));
  // npm calls itself through npm_execpath inside of its scripts, where PATH need not have it.
  const npm = process.env.npm_execpath;
  const pack = ['pack', ROOT, '--ignore-scripts', '--pack-destination', user, '--json'];
  const { output } = npm ? await run(process.execPath, npm, ...pack) : await run('npm', ...pack);
  const [{ filename }] = JSON.parse(output.slice(output.indexOf('['), output.lastIndexOf(']') + 1)) as [
    { filename: string },
  ];
  tarball = join(user, filename);
  mkdirSync(join(user, 'node_modules'));
  for (const name of ['@tensorflow', '@types', '@webgpu', 'seedrandom', 'long']) {
    symlinkSync(join(MODULES, name), join(user, 'node_modules', name));
  }
  await run('tar', '-xzf', tarball, '-C', join(user, 'node_modules'));
  await run('mv', join(user, 'node_modules', 'package'), join(user, 'node_modules', PACKAGE.name));
  writeFileSync(join(user, 'package.json'), JSON.stringify({ name: 'user', version: '1.0.0', type: 'module' }));
});
afterAll(() => rmSync(user, { recursive: true, force: true }));

describe('the tarball', () => {
  test('publint finds nothing', async () => {
    const { code, output } = await tool('publint/src/cli.js', tarball, '--strict');
    expect(output).toContain('All good!');
    expect(code).toBe(0);
  });

  test('attw finds the types of every entry', async () => {
    const { code, output } = await tool(
      '@arethetypeswrong/cli/dist/index.js',
      tarball,
      '--profile',
      'esm-only',
      '--format',
      'json',
    );
    expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
    const { analysis } = JSON.parse(output) as { analysis: { entrypoints: Record<string, object> } };
    const entries = Object.keys(PACKAGE.exports).filter((entry) => entry !== './package.json');
    expect(Object.keys(analysis.entrypoints)).toEqual(expect.arrayContaining(entries));
  });

  test('it holds what users need and no more', async () => {
    const { output } = await run('tar', '-tzf', tarball);
    const files = output
      .trim()
      .split('\n')
      .map((file) => file.replace('package/', ''));
    for (const file of [
      'package.json',
      'README.md',
      'CHANGELOG.md',
      'LICENSE',
      'dist/layers/index.js',
      'dist/layers/index.d.ts',
    ]) {
      expect(files).toContain(file);
    }
    // Source maps lead to the sources; tests, examples and settings stay at home.
    expect(
      files.filter((file) => !/^(dist\/|layers\/|kernels\/|[^/]*\.md$|LICENSE$|package\.json$)/.test(file)),
    ).toEqual([]);
    expect(files.filter((file) => /\.test\.|node_modules|\.log$/.test(file))).toEqual([]);
  });
});

/** Our modules in a bundle of `source`, and the minified bundle of them; TensorFlow.js is left outside. */
async function bundle(source: string): Promise<{ modules: string[]; code: string; gzipped: number }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: user, loader: 'js' },
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    external: ['@tensorflow/*'],
    metafile: true,
    logLevel: 'error',
  });
  const { inputs } = Object.values(metafile.outputs)[0]!;
  const modules = Object.entries(inputs)
    .filter(([path, { bytesInOutput }]) => path.includes('/dist/') && bytesInOutput > 0)
    .map(([path]) => path.slice(path.indexOf('/dist/') + '/dist/'.length).replace(/\.js$/, ''));
  const code = outputFiles[0]!.text;
  return { modules: modules.sort(), code, gzipped: gzipSync(code).length };
}

const NAME = PACKAGE.name as string;

describe('bundles', () => {
  test('a bare import keeps all layers and kernels', async () => {
    const { modules, code } = await bundle(`import '${NAME}';`);
    const files = readdirSync(join(ROOT, 'layers')).filter((file) => /-normalization\.ts$/.test(file));
    expect(modules).toEqual(expect.arrayContaining(files.map((file) => `layers/${file.replace('.ts', '')}`)));
    expect(modules).toEqual(expect.arrayContaining(['kernels/cpu/index', 'kernels/simd/module']));
    for (const className of LAYER_NAMES) expect(code).toContain(`"${className}"`);
    expect(code).toContain('registerClass');
    expect(code).toContain('registerKernel');
  });

  test('the entry of one backend brings its kernels alone', async () => {
    const { modules } = await bundle(`import '${NAME}/kernels/cpu';`);
    expect(modules).toContain('kernels/cpu/normalize');
    const others = modules.filter(
      (module) => !/^kernels\/(cpu|simd)\/|^kernels\/(registry|checks|view|contract|pool)$/.test(module),
    );
    expect(others).toEqual([]);
  });

  test('one layer with one backend brings no other layer and no other backend', async () => {
    const { modules, code } = await bundle(
      `export { layerNormalization } from '${NAME}/layers/layer-normalization'; import '${NAME}/kernels/cpu';`,
    );
    const layers = modules.filter((module) => module.startsWith('layers/') && module.endsWith('-normalization'));
    expect(layers).toEqual(['layers/layer-normalization']);
    expect(modules.filter((module) => /^kernels\/(webgl|node|wasm|webgpu)\//.test(module))).toEqual([]);
    expect(code).not.toContain('BatchNormalization"');
  });

  test('the catalog is not part of the entry', async () => {
    expect((await bundle(`import '${NAME}';`)).modules).not.toContain('layers/catalog');
  });

  /** Limits of our own code, gzipped, in bytes: a fifth above what it is, so that growth is a decision. */
  test.each([
    ['everything', `export * from '${NAME}'`, 60_000],
    [
      'one layer, kernels for cpu',
      `export * from '${NAME}/layers/layer-normalization'; import '${NAME}/kernels/cpu'`,
      19_000,
    ],
    ['one layer, no kernels', `export * from '${NAME}/layers/layer-normalization'`, 6_000],
    ['kernels for cpu', `import '${NAME}/kernels/cpu'`, 13_000],
    ['kernels for webgl', `import '${NAME}/kernels/webgl'`, 11_000],
    ['kernels for node', `import '${NAME}/kernels/node'`, 9_000],
  ])('the size of %s', async (_, source, limit) => {
    const { gzipped } = await bundle(source);
    expect(gzipped).toBeLessThan(limit);
    expect(gzipped).toBeGreaterThan(limit / 2); // a limit far away guards nothing
  });
});

describe('in Node', () => {
  const body = (load: string) => `
    ${load}
    const y = tf.tidy(() => Array.from(ours.layerNormalization().apply(tf.tensor([[1, 2, 3, 4]])).dataSync()));
    const dx = tf.tidy(() => tf.grad((x) => tf.sum(tf.square(ours.rmsNorm(x))))(tf.ones([2, 3])).shape);
    const known = tf.serialization.SerializationMap.getMap().classNameMap.GroupNormalization[0] === ours.GroupNormalization;
    console.log(JSON.stringify({ y: y.map((v) => Math.round(v * 1000)), dx, known }));`;

  test.each([
    ['import', '.mjs', `import * as tf from '@tensorflow/tfjs'; import * as ours from '${NAME}';`],
    ['require', '.cjs', `const tf = require('@tensorflow/tfjs'); const ours = require('${NAME}');`],
  ])('by %s', async (_, extension, load) => {
    const file = join(user, `main${extension}`);
    writeFileSync(file, body(load));
    const { output } = await run(process.execPath, file);
    const line = output.split('\n').find((line) => line.startsWith('{'));
    expect(line ?? output).toBe('{"y":[-1341,-447,447,1341],"dx":[2,3],"known":true}');
  });
});

describe('types', () => {
  const source = (subpaths: boolean) => `
    import * as tf from '@tensorflow/tfjs';
    import { BatchNormalization, type BatchNormalizationArgs, batchNorm, groupNormalization, layerNorm, RMSNormalization } from '${NAME}';
    ${subpaths ? `import { LayerNormalization } from '${NAME}/layers/layer-normalization';\nimport { cpu } from '${NAME}/kernels/cpu';` : ''}
    const args: BatchNormalizationArgs = { axis: 1, momentum: 0.9, betaRegularizer: tf.regularizers.l2({ l2: 1 }) };
    export const layer = new BatchNormalization(args);
    export const model = tf.sequential({ layers: [groupNormalization({ groups: 2, inputShape: [4, 4] }), layer] });
    export const y: tf.Tensor = layerNorm(tf.ones([2, 3]), { axis: [-1] });
    export const { mean }: { mean: tf.Tensor } = batchNorm(y);
    export const placement: 'inside' | 'outside' | 'floor' = new RMSNormalization().epsilonPlacement;
    ${subpaths ? 'export const more = [new LayerNormalization({ axis: [1, 2] }), cpu.supported()];' : ''}
    // @ts-expect-error an option that there is not
    groupNormalization({ group: 2 });
    // @ts-expect-error a list where there is one axis
    new BatchNormalization({ axis: [1, 2] });
  `;
  const options = (module: string, moduleResolution: string) =>
    `--noEmit --strict --skipLibCheck --target es2022 --types node --module ${module} --moduleResolution ${moduleResolution}`.split(
      ' ',
    );

  test.each([
    ['nodenext', 'nodenext', true],
    ['bundler', 'esnext', true],
    ['node10', 'esnext', false],
  ])('of a user with moduleResolution %s', async (resolution, module, subpaths) => {
    writeFileSync(join(user, 'main.ts'), source(subpaths));
    // TypeScript 7 has no node10 any more; attw brings an older one.
    const older = require.resolve('typescript', {
      paths: [dirname(require.resolve('@arethetypeswrong/core/package.json'))],
    });
    const tsc = resolution === 'node10' ? join(dirname(older), 'tsc.js') : join(MODULES, '.bin', 'tsc');
    const { code, output } = await run(process.execPath, tsc, ...options(module, resolution), 'main.ts');
    expect({ code, output }).toEqual({ code: 0, output: '' });
  });

  test('no public type needs a backend package', () => {
    const declarations = (readdirSync(join(ROOT, 'dist'), { recursive: true }) as string[]).filter((file) =>
      file.endsWith('.d.ts'),
    );
    expect(declarations.length).toBeGreaterThan(20);
    for (const file of declarations) {
      const text = readFileSync(join(ROOT, 'dist', file), 'utf8');
      const imports = [...text.matchAll(/(?:from |import\()['"]([^'"]+)['"]/g)].map(([, name]) => name!);
      const packages = imports.filter((name) => !name.startsWith('.'));
      expect(packages.filter((name) => !/^@tensorflow\/tfjs-(core|layers)$/.test(name))).toEqual([]);
    }
  });
});

test('the WebAssembly module in the tree is what its source compiles to', async () => {
  const { code, output } = await run(process.execPath, join(ROOT, 'kernels', 'simd', 'build.mjs'), '--check');
  expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
});

/** Code blocks marked as JavaScript. */
const blocks = (text: string) => [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code!);

/** Everything that an example may use without importing it. */
const GLOBALS = `import * as tf from '@tensorflow/tfjs';\nimport * as ours from '${NAME}';\nObject.assign(globalThis, ours);\n`;

describe('documentation', () => {
  const readme = blocks(readFileSync(join(ROOT, 'README.md'), 'utf8'));

  test.each(readme.map((code, i) => [i + 1, code] as const))('code block %d of the README runs', async (_, code) => {
    // What a later block does not import itself, it has from the first.
    const imports = code.includes('import ') ? '' : GLOBALS;
    const file = join(user, 'readme.mjs');
    writeFileSync(file, `${imports}${code}`);
    const { code: status, output } = await run(process.execPath, file);
    expect({ status, output: status === 0 ? '' : output }).toEqual({ status: 0, output: '' });
  });

  test('the README has such blocks', () => expect(readme.length).toBeGreaterThan(0));

  test('the example of each layer runs', async () => {
    const files = readdirSync(join(ROOT, 'layers')).filter((file) => file.endsWith('-normalization.ts'));
    const bodies = files.map((file) => {
      const examples = blocks(readFileSync(join(ROOT, 'layers', file), 'utf8').replace(/^ *\* ?/gm, ''));
      expect([file, examples.length > 0]).toEqual([file, true]);
      const code = examples.map((example) => `{\n${example}}`).join('\n');
      return `await (async () => {${code}})().catch((error) => { throw new Error('${file}: ' + error); });`;
    });
    const file = join(user, 'examples.mjs');
    writeFileSync(file, `${GLOBALS}${bodies.join('\n')}`);
    const { code, output } = await run(process.execPath, file);
    expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
  });
});
