/** Bundles of Vite, webpack and esbuild, in a page and in its Worker: they are built from the tarball, run, and answer. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { ANSWER_MODULE, type Answers, expectAnswers, IMPORTS } from '../support/answers.ts';
import { closePages, describePages, visit } from '../support/pages.ts';
import { MODULES, succeeded, User } from '../support/user.ts';

const BACKENDS = ['cpu', 'wasm', 'webgl', 'webgpu'];
/** As the README says: the page serves the binaries of TensorFlow.js's wasm backend, and names their folder. */
const BINARIES = { '/wasm/': join(MODULES, '@tensorflow', 'tfjs-backend-wasm', 'dist') };
const BACKEND_IMPORTS = `
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-backend-webgpu';
`;
const CALL = `(setWasmPaths('/wasm/'), answer(tf, ours, ${JSON.stringify(BACKENDS)}))`;
const HTML = '<!doctype html><meta charset="utf-8"><title>user</title><link rel="icon" href="data:,">';

const PAGE = `${IMPORTS} ${BACKEND_IMPORTS} globalThis.result = ${CALL};`;
const PAGE_WITH_WORKER = `
globalThis.result = new Promise((resolve, reject) => {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(message));
});`;
const WORKER = `${IMPORTS} ${BACKEND_IMPORTS} ${CALL}.then((answers) => postMessage(answers), (error) => { throw error; });`;

const ENTRY = { page: 'page.js', Worker: 'page-with-worker.js' } as const;
type Kind = keyof typeof ENTRY;
const KINDS = Object.keys(ENTRY) as Kind[];

let user: User;

/** Builds both entries into a folder; the path of each there, be it a page or the script of one. */
const bundlers: Record<string, (folder: string) => Promise<Record<Kind, string>>> = {
  Vite: async (folder) => {
    for (const kind of KINDS) {
      user.write(`${kind}.html`, `${HTML}<script type="module" src="/${ENTRY[kind]}"></script>`);
    }
    const input = KINDS.map((kind) => `${kind}.html`);
    const config = { logLevel: 'warn', build: { outDir: folder, rollupOptions: { input } } };
    user.write('vite.config.js', `export default ${JSON.stringify(config)};`);
    expect(succeeded(await user.tool('vite/bin/vite.js', 'build'))).toEqual({ code: 0, output: '' });
    return { page: '/page.html', Worker: '/Worker.html' };
  },
  webpack: async (folder) => {
    const options = {
      mode: 'production',
      entry: Object.fromEntries(KINDS.map((kind) => [kind, `./${ENTRY[kind]}`])),
      output: { path: folder },
      performance: false,
      optimization: { minimize: false }, // which would spend most of a minute on TensorFlow.js; the others minify
    };
    const script = user.write(
      'webpack.cjs',
      `require(${JSON.stringify(join(MODULES, 'webpack'))})(${JSON.stringify(options)}, (error, stats) => {
        if (error) throw error;
        if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString('errors-warnings'));
      });`,
    );
    expect(succeeded(await user.node(script))).toEqual({ code: 0, output: '' });
    return { page: '/page.js', Worker: '/Worker.js' };
  },
  esbuild: async (folder) => {
    await build({
      entryPoints: [...Object.values(ENTRY), 'worker.js'].map((name) => join(user.folder, name)),
      outdir: folder,
      bundle: true,
      minify: true,
      format: 'esm',
      logLevel: 'error',
    });
    return { page: `/${ENTRY.page}`, Worker: `/${ENTRY.Worker}` };
  },
};

beforeAll(async () => {
  user = await User.install();
  user.write('answer.js', ANSWER_MODULE);
  user.write(ENTRY.page, PAGE);
  user.write(ENTRY.Worker, PAGE_WITH_WORKER);
  user.write('worker.js', WORKER);
});
afterAll(() => user.remove());
closePages();

describePages('a bundle in a browser', () => {
  describe.each(Object.entries(bundlers))('of %s', (name, build) => {
    let folder: string;
    let paths: Record<Kind, string>;
    beforeAll(async () => {
      folder = join(user.folder, `by-${name}`);
      paths = await build(folder);
    });

    test.each(KINDS)('in a %s', async (kind) => {
      const path = paths[kind];
      const isPage = path.endsWith('.html');
      const page = `${HTML}<script type="module" src="${path}"></script>`;
      const { result, errors } = await visit<Answers>(isPage ? path : '/', isPage ? {} : { '/': page }, {
        ...BINARIES,
        '/': folder,
      });
      expect(errors).toEqual([]);
      expectAnswers(result, BACKENDS);
    });
  });
});
