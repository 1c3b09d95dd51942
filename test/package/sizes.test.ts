/** What bundles of the package hold, and how large they are: our code alone, TensorFlow.js is left outside. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build, type Platform } from 'esbuild';
import { KERNEL_FOLDERS } from '../support/kernel-folders.ts';
import { LAYER_NAMES } from '../support/layer-table.ts';
import { memoized } from '../support/memoized.ts';
import { NAME, PACKAGE, ROOT, User } from '../support/user.ts';

let user: User;
beforeAll(async () => {
  user = await User.install();
});
afterAll(() => user.remove());

interface Bundle {
  readonly code: string;
  readonly bytes: number;
  /** Our modules in it that left something. */
  readonly modules: readonly string[];
}

/** Each is built once: many are compared with the same few others. */
const bundleFor = memoized(async ([source, platform]: readonly [string, Platform]): Promise<Bundle> => {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: user.folder, loader: 'js' },
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform,
    external: ['@tensorflow/*', 'h5wasm', 'fflate'],
    metafile: true,
    logLevel: 'error',
  });
  const { inputs } = Object.values(metafile.outputs)[0]!;
  const modules = Object.entries(inputs)
    .filter(([path, { bytesInOutput }]) => path.includes('/dist/') && bytesInOutput > 0)
    .map(([path]) => path.slice(path.indexOf('/dist/') + '/dist/'.length).replace(/\.js$/, ''));
  const code = outputFiles[0]!.text;
  return { modules: modules.sort(), code, bytes: gzipSync(code, { level: 9 }).length };
});
const bundle = (source: string, platform: Platform = 'browser') => bundleFor([source, platform]);

const isKernelOf = (backend: string) => (module: string) => module.startsWith(`kernels/${backend}/`);

describe('a bundle', () => {
  test('of a bare import keeps all layers, and the kernels for where it runs', async () => {
    const [inBrowser, inNode] = [await bundle(`import '${NAME}';`), await bundle(`import '${NAME}';`, 'node')];
    const files = readdirSync(join(ROOT, 'layers')).filter((file) => /-normalization\.ts$/.test(file));
    for (const { modules, code } of [inBrowser, inNode]) {
      expect(modules).toEqual(expect.arrayContaining(files.map((file) => `layers/${file.replace('.ts', '')}`)));
      expect(modules).toEqual(expect.arrayContaining(['kernels/cpu/index', 'kernels/simd/module']));
      expect(modules).toEqual(
        expect.arrayContaining(['kernels/wasm/index', 'kernels/webgl/index', 'kernels/webgpu/index']),
      );
      expect(code).not.toMatch(/h5wasm|fflate/);
      for (const className of LAYER_NAMES) expect(code).toContain(`"${className}"`);
      expect(code).toContain('registerClass');
      expect(code).toContain('registerKernel');
    }
    expect(inBrowser.modules.filter(isKernelOf('node'))).toEqual([]);
    expect(inNode.modules).toContain('kernels/node/index');
  });

  test('of the kernels of one backend brings no others', async () => {
    const { modules } = await bundle(`import '${NAME}/kernels/cpu';`);
    expect(modules).toContain('kernels/cpu/normalize');
    const others = modules.filter((module) => !/^kernels\/(cpu|simd|core)\//.test(module));
    expect(others).toEqual([]);
  });

  test('of one layer with the kernels of one backend brings no other layer and no other backend', async () => {
    const { modules, code } = await bundle(
      `export { layerNormalization } from '${NAME}/layers/layer-normalization'; import '${NAME}/kernels/cpu';`,
    );
    const layers = modules.filter((module) => module.startsWith('layers/') && module.endsWith('-normalization'));
    expect(layers).toEqual(['layers/layer-normalization']);
    expect(
      KERNEL_FOLDERS.filter((backend) => backend !== 'cpu').flatMap((backend) => modules.filter(isKernelOf(backend))),
    ).toEqual([]);
    expect(code).not.toContain('BatchNormalization"');
  });

  test('of the entry is without the catalog', async () => {
    expect((await bundle(`export * from '${NAME}';`)).modules).not.toContain('layers/catalog');
  });
});

/** The layers with an entry of their own. */
const LAYERS = readdirSync(join(ROOT, 'layers'))
  .filter((file) => PACKAGE.exports[`./layers/${file.replace('.ts', '')}`] && file !== 'catalog.ts')
  .map((file) => file.replace('.ts', ''));
const layer = (name: string) => `export * from '${NAME}/layers/${name}';`;
const kernels = (backend: string) => `import '${NAME}/kernels/${backend}';`;

/** [what, its source, limit in KB of our code, minified and gzipped]. Growth is a decision: it moves a limit. */
const ROWS: readonly (readonly [string, string, number])[] = [
  ['all layers, with the kernels for browsers', `import '${NAME}';`, 79],
  ['the same, with `loadModel` and all functions', `export * from '${NAME}';`, 92.5],
  ['kernels for cpu', kernels('cpu'), 15],
  ['kernels for wasm', kernels('wasm'), 14],
  ['kernels for webgl', kernels('webgl'), 14],
  ['kernels for webgpu', kernels('webgpu'), 10],
  ['kernels for node', kernels('node'), 11],
  ['kernels for training on wasm', kernels('wasm-training'), 3.5],
  ['`LayerNormalization`, kernels for cpu', layer('layer-normalization') + kernels('cpu'), 24],
  ['`LayerNormalization`, kernels for webgl', layer('layer-normalization') + kernels('webgl'), 23],
  ['`LayerNormalization`, without kernels', layer('layer-normalization'), 10],
  ['`loadModel` of `files`, without h5wasm and fflate', `export { loadModel } from '${NAME}/files';`, 52],
  ['`surgery`, without kernels', `export * from '${NAME}/surgery';`, 48.5],
  ['`foldBatchNormalization` alone', `export { foldBatchNormalization } from '${NAME}/surgery';`, 8],
];

/** The rows of the table under "Size" in the guide to installing, in KB. */
function table(): Record<string, number> {
  const guide = readFileSync(join(ROOT, 'examples', 'guides', 'installing.md'), 'utf8');
  const section = guide.slice(guide.indexOf('\n## Size\n')).split('\n## ')[1] ?? '';
  return Object.fromEntries(
    [...section.matchAll(/^\| (.+?) \| ([\d.]+) KB \|$/gm)].map(([, what, size]) => [what!, Number(size)]),
  );
}

describe('sizes', () => {
  test.each(ROWS)('%s', async (what, source, limit) => {
    const kilobytes = (await bundle(source)).bytes / 1000;
    expect(kilobytes).toBeLessThan(limit);
    expect(kilobytes).toBeGreaterThan(0.8 * limit); // a limit far away guards nothing
    const printed = table()[what] ?? Number.NaN;
    expect(Math.abs(printed / kilobytes - 1)).toBeLessThan(0.03);
  });

  test('the guide lists these and no others', () => expect(Object.keys(table())).toEqual(ROWS.map(([what]) => what)));

  // 1 KB for gzip, which finds less to share between few modules.
  test.each(LAYERS)('%s is smaller alone than among the others, with every backend', async (name) => {
    const all = (await bundle(`export * from '${NAME}';`)).bytes;
    const alone = (await bundle(layer(name))).bytes;
    expect(alone).toBeLessThan(16_700);
    for (const backend of KERNEL_FOLDERS) {
      const { bytes, modules } = await bundle(layer(name) + kernels(backend));
      expect(bytes).toBeLessThan(alone + (await bundle(kernels(backend))).bytes + 1000);
      expect(bytes).toBeLessThan(all);
      expect(modules).toContain(`kernels/${backend}/index`);
    }
  });
});
