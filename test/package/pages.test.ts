/** Pages without a bundler: the script beside TensorFlow.js's, a strict content security policy, two copies of TensorFlow.js. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { ANSWER, type Answers, expectAnswers } from '../support/answers.ts';
import { closePages, describePages, type Visit, visit } from '../support/pages.ts';
import { MODULES, NAME, PACKAGE, User } from '../support/user.ts';

let user: User;
/** What the pages load, by path. */
let files: Record<string, string>;

const tfjs = (file: string) => readFileSync(join(MODULES, '@tensorflow', 'tfjs', 'dist', file), 'utf8');
const HEAD = '<!doctype html><meta charset="utf-8"><title>user</title><link rel="icon" href="data:,">';
const script = (path: string) => `<script src="${path}"></script>`;
const page = (...paths: string[]) => `${HEAD}${paths.map(script).join('')}`;
/** TensorFlow.js's wasm backend: its script and its binaries. */
const WASM = { '/wasm/': join(MODULES, '@tensorflow', 'tfjs-backend-wasm', 'dist') };
const open = <T = Answers>(html: string, more: Record<string, string> = {}): Promise<Visit<T>> =>
  visit('/', { ...files, ...more, '/': html }, WASM);

/** A bundle of the user's, with a copy of TensorFlow.js of its own. */
async function bundle(source: string): Promise<string> {
  user.write('entry.js', source);
  const { outputFiles } = await build({
    entryPoints: [join(user.folder, 'entry.js')],
    bundle: true,
    write: false,
    format: 'iife',
    logLevel: 'error',
  });
  return outputFiles[0]!.text;
}

beforeAll(async () => {
  user = await User.install();
  files = {
    '/tf.js': tfjs('tf.min.js'),
    // tf.min.js asks for 'unsafe-eval' itself.
    '/tf.es2017.js': tfjs('tf.es2017.min.js'),
    '/tfn.js': user.read(join('node_modules', NAME, PACKAGE.unpkg)),
    '/main.js': `${ANSWER} globalThis.result = answer(tf, tfn, ['cpu', 'webgl']);`,
  };
});
afterAll(() => user.remove());
closePages();

describePages('scripts', () => {
  test('the names of the file for pages', () => expect(PACKAGE.jsdelivr).toBe(PACKAGE.unpkg));

  test('beside tf.min.js', async () => {
    const { result, errors, warnings } = await open(page('/tf.js', '/tfn.js', '/main.js'));
    expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
    expectAnswers(result, ['cpu', 'webgl']);
  });

  test('in a Worker', async () => {
    const main = `globalThis.result = new Promise((resolve, reject) => {
      const worker = new Worker('/worker.js');
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });`;
    const worker = `importScripts('/tf.js', '/tfn.js'); ${ANSWER} answer(tf, tfn, ['cpu', 'webgl']).then(postMessage);`;
    const { result, errors } = await open(page('/main.js'), { '/main.js': main, '/worker.js': worker });
    expect(errors).toEqual([]);
    expectAnswers(result, ['cpu', 'webgl']);
  });

  test('with the wasm backend, in a page and in a Worker', async () => {
    const start = `tf.wasm.setWasmPaths('/wasm/'); ${ANSWER}`;
    const main = `${start} globalThis.result = new Promise((resolve, reject) => {
      const answering = answer(tf, tfn, ['wasm']);
      const worker = new Worker('/worker.js');
      worker.onmessage = async ({ data }) => resolve({ worker: data, page: await answering });
      worker.onerror = ({ message }) => reject(new Error(message));
    });`;
    const worker = `importScripts('/tf.js', '/wasm/tf-backend-wasm.min.js', '/tfn.js');
      ${start} answer(tf, tfn, ['wasm']).then(postMessage);`;
    const { result, errors, warnings } = await open<{ page: Answers; worker: Answers }>(
      page('/tf.js', '/wasm/tf-backend-wasm.min.js', '/tfn.js', '/main.js'),
      { '/main.js': main, '/worker.js': worker },
    );
    expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
    expectAnswers(result.page, ['wasm']);
    expectAnswers(result.worker, ['wasm']);
  });

  test('without TensorFlow.js, the error says what is missing', async () => {
    const { errors } = await open(page('/tfn.js', '/done.js'), { '/done.js': 'globalThis.result = 0;' });
    expect(errors).toEqual([expect.stringMatching(/tf.*must come before this one/)]);
  });

  test('exports what the module exports', async () => {
    const main = 'globalThis.result = Object.keys(tfn).sort();';
    const { result } = await open<string[]>(page('/tf.js', '/tfn.js', '/main.js'), { '/main.js': main });
    const { output } = await user.node(
      '--input-type=module',
      '-e',
      `import * as ours from '${NAME}'; console.log(Object.keys(ours).sort().join());`,
    );
    expect(result.join()).toBe(output.trim().split('\n').at(-1));
  });
});

describePages('a strict content security policy', () => {
  const policy = (scripts: string) =>
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; script-src ${scripts}">`;
  const withPolicy = (scripts: string) =>
    open(page('/tf.es2017.js', '/tfn.js', '/main.js').replace(HEAD, HEAD + policy(scripts)), {
      '/main.js': files['/main.js']!.replace("'cpu', 'webgl'", "'cpu', 'webgl', 'cpu'"),
    });
  // A refusal is an error in the console, whoever catches it.
  const own = (errors: string[]) => errors.filter((error) => !error.includes('Content Security Policy'));

  test("without 'wasm-unsafe-eval' the cpu backend falls back to ordinary ops, and says so once", async () => {
    const { result, errors, warnings } = await withPolicy("'self'");
    expect(own(errors)).toEqual([]);
    expect(warnings.filter((warning) => warning.includes(NAME))).toEqual([
      expect.stringMatching(/WebAssembly kernels of the cpu backend cannot run.*'wasm-unsafe-eval'/s),
    ]);
    const { cpu, webgl } = result;
    expectAnswers({ cpu: cpu! }, ['cpu'], { fused: false });
    expectAnswers({ webgl: webgl! }, ['webgl']);
  });

  test('with it the kernels run', async () => {
    const { result, errors, warnings } = await withPolicy("'self' 'wasm-unsafe-eval'");
    expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
    expectAnswers(result, ['cpu', 'webgl']);
  });
});

describePages('two copies of TensorFlow.js', () => {
  /** A page with the copy `tf`, and a bundle of the package with a copy of its own. */
  const openBoth = async (main: string) => {
    const code = await bundle(`import * as ours from '${NAME}'; globalThis.ours = ours;`);
    return open<string>(page('/tf.js', '/bundle.js', '/main.js'), { '/bundle.js': code, '/main.js': main });
  };

  test('functions work, since the copies share their engine', async () => {
    const { result, errors } = await openBoth(`
      const y = tf.tidy(() => ours.layerNorm(tf.tensor2d([[1, 2, 3, 4]]), { gamma: tf.ones([4]) }));
      globalThis.result = y.data().then((values) => Array.from(values, (v) => v.toFixed(3)).join());`);
    expect({ errors, result }).toEqual({ errors: [], result: '-1.341,-0.447,0.447,1.341' });
  });

  test.each([
    ['in a sequential model', 'tf.sequential({ layers: [ours.layerNormalization({ inputShape: [4] })] })'],
    ['in a functional model', 'ours.layerNormalization().apply(tf.input({ shape: [4] }))'],
    ['around a layer', 'ours.weightNormalization({ layer: tf.layers.dense({ units: 2 }) })'],
  ])('a layer %s of the other copy is an error that says so', async (_, expression) => {
    const { result, errors } = await openBoth(`
      try { ${expression}; globalThis.result = 'no error'; } catch (error) { globalThis.result = error.message; }`);
    expect(errors).toEqual([]);
    expect(result).toMatch(/received a layer or symbolic tensor, perhaps of another copy of TensorFlow\.js/);
  });
});
