/** Bundles of Vite, webpack and esbuild, in a page and in its Worker: they are built from the tarball, run, and answer. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
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

let user: User;

/** Builds an entry into a folder; its path there, be it a page or the script of one. */
const bundlers: Record<string, (kind: Kind) => Promise<{ path: string; folder: string }>> = {
  Vite: async (kind) => {
    user.write(`${kind}.html`, `${HTML}<script type="module" src="/${ENTRY[kind]}"></script>`);
    const folder = join(user.folder, `vite-${kind}`);
    const config = { logLevel: 'warn', build: { outDir: folder, rollupOptions: { input: `${kind}.html` } } };
    user.write('vite.config.js', `export default ${JSON.stringify(config)};`);
    expect(succeeded(await user.tool('vite/bin/vite.js', 'build'))).toEqual({ code: 0, output: '' });
    return { path: `/${kind}.html`, folder };
  },
  webpack: async (kind) => {
    const folder = join(user.folder, `webpack-${kind}`);
    const options = {
      mode: 'production',
      entry: `./${ENTRY[kind]}`,
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
    return { path: '/main.js', folder };
  },
  esbuild: async (kind) => {
    const folder = join(user.folder, `esbuild-${kind}`);
    const entryPoints = kind === 'page' ? [ENTRY[kind]] : [ENTRY[kind], 'worker.js'];
    await build({
      entryPoints: entryPoints.map((name) => join(user.folder, name)),
      outdir: folder,
      bundle: true,
      minify: true,
      format: 'esm',
      logLevel: 'error',
    });
    return { path: `/${entryPoints[0]}`, folder };
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
  test.each(
    Object.keys(bundlers).flatMap((name) => (['page', 'Worker'] as const).map((kind) => [name, kind] as const)),
  )(
    'of %s, in a %s',
    async (name, kind) => {
      const { path, folder } = await bundlers[name]!(kind);
      const isPage = path.endsWith('.html');
      const page = `${HTML}<script type="module" src="${path}"></script>`;
      const { result, errors } = await visit<Answers>(isPage ? path : '/', isPage ? {} : { '/': page }, {
        ...BINARIES,
        '/': folder,
      });
      expect(errors).toEqual([]);
      expectAnswers(result, BACKENDS);
    },
    120_000,
  );
});
