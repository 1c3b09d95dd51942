/**
 * Examples of the documentation as programs: code blocks of Markdown become modules that run in one Node process, where the
 * package has its name. `expression; // value` in an example is a claim, and the program fails where it is wrong.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { transform } from 'esbuild';
import { graphFiles } from './graphs.ts';
import { MODULES, NAME, ROOT } from './user.ts';

/** A code block, of a file of this folder: a TypeScript block may import its neighbours. */
export interface Example {
  readonly language: 'js' | 'ts';
  readonly code: string;
  readonly folder: string;
}

export interface Outcome {
  readonly claims: number;
  readonly error?: string;
}

/** The blocks of a Markdown text that are programs. */
export const examplesIn = (markdown: string, folder = '.'): Example[] =>
  [...markdown.matchAll(/^(`{3,})(js|ts)\n([\s\S]*?)^\1$/gm)].map(([, , language, code]) => ({
    language: language as 'js' | 'ts',
    code: code!,
    folder,
  }));

/** `const y = f(x); // [1, 2]` and `y.shape; // [2]`: a statement of one line, and what it gives. */
const CLAIM = /^( *)(?:const ((?:\w+|\{.*?\}|\[.*?\])) = )?(\S.*); \/\/ ([[{'\d-].*|true|false|null)$/gm;

async function moduleOf({ language, code, folder }: Example): Promise<string> {
  const claimed = code.replace(CLAIM, (_, indent, name, expression, value) => {
    const given = name ? `const ${name} = ${expression}; check(` : 'check((';
    // Of `const {rho} = ...` the value is that of rho; of several names, of an object of them.
    const [one, ...more] = name?.startsWith('{') ? name.slice(1, -1).split(/, */) : [name];
    const actual = name ? (more.length > 0 ? name : one) : `${expression})`;
    return `${indent}${given}${actual}, ${value});`;
  });
  // What a block does not import itself it has from an earlier one, or from the page that it stands on.
  if (language === 'js') return claimed;
  const compiled = claimed.replace(/from '(\.[^']+)\.ts'/g, (_, path) => {
    return `from ${JSON.stringify(`${join(ROOT, 'dist', folder, path)}.js`)}`;
  });
  return (await transform(compiled, { loader: 'ts', target: 'es2022' })).code;
}

/** What every example finds: the names of the package, places to save to, and a server with models of Keras 3 and a graph model. */
const PRELUDE = `
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import * as ours from '${NAME}';
import * as files from '${NAME}/files';
import * as surgery from '${NAME}/surgery';

globalThis.claims = 0;
const plain = (value) =>
  value instanceof tf.Tensor ? value.arraySync()
  : ArrayBuffer.isView(value) ? Array.from(value)
  : Array.isArray(value) ? value.map(plain)
  : typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]))
  : value;
/** Numbers are stated to three digits. */
const same = (a, b) =>
  typeof a === 'number' && typeof b === 'number' ? Math.abs(a - b) <= 1e-3 * Math.max(1, Math.abs(b))
  : typeof a === 'object' && typeof b === 'object' && a !== null && b !== null
    ? Array.isArray(a) === Array.isArray(b) && Object.keys(a).length === Object.keys(b).length
      && Object.keys(b).every((key) => key in a && same(a[key], b[key]))
  : a === b;
const check = (actual, stated) => {
  globalThis.claims++;
  if (same(plain(actual), stated)) return;
  throw new Error('states ' + JSON.stringify(stated) + ' and gives ' + JSON.stringify(plain(actual)));
};
Object.assign(globalThis, files, surgery, ours, { tf, check });

const saved = new Map();
const memory = (url) => url.startsWith('indexeddb://') ? {
  save: async (artifacts) => {
    saved.set(url, artifacts);
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  },
  load: async () => saved.get(url),
} : null;
tf.io.registerSaveRouter(memory);
tf.io.registerLoadRouter(memory);

globalThis.fetch = async (url) => {
  const [, ofGraph] = /^https:\\/\\/example\\.com\\/graph\\/(.*)$/.exec(url) ?? [];
  if (ofGraph) return new Response(readFileSync(new URL(ofGraph, import.meta.url)));
  const [, path] = /^https:\\/\\/example\\.com\\/model\\/(.*)$/.exec(url);
  if (/\\.(keras|h5)$/.test(path)) return new Response(readFileSync('${join(ROOT, 'test/goldens/keras-files/3.15/spec')}' + path.slice(path.indexOf('.'))));
  const type = path.endsWith('.json') ? 'application/json' : 'application/octet-stream';
  return new Response(readFileSync('${join(ROOT, 'test/goldens/models/keras3-cnn-batchnorm')}/' + path), { headers: { 'content-type': type } });
};`;

/** Runs each example by itself, in order; what became of it. */
export async function runExamples(examples: readonly Example[]): Promise<Outcome[]> {
  const folder = mkdtempSync(join(tmpdir(), `${NAME}-examples-`));
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  try {
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(ROOT, join(folder, 'node_modules', NAME));
    symlinkSync(join(MODULES, '@tensorflow'), join(folder, 'node_modules', '@tensorflow'));
    write('prelude.mjs', PRELUDE);
    for (const [name, data] of Object.entries(graphFiles())) writeFileSync(join(folder, name), data);
    const modules = await Promise.all(examples.map(moduleOf));
    for (const [i, code] of modules.entries()) write(`example-${i}.mjs`, code);
    write(
      'main.mjs',
      `import './prelude.mjs';
      import { writeFileSync } from 'node:fs';
      console.log = console.warn = () => {};
      const outcomes = [];
      for (let i = 0; i < ${examples.length}; i++) {
        globalThis.claims = 0;
        const error = await import('./example-' + i + '.mjs').then(() => undefined, (error) => error.stack);
        outcomes.push({ claims: globalThis.claims, error });
      }
      writeFileSync('outcomes.json', JSON.stringify(outcomes));`,
    );
    await promisify(execFile)(process.execPath, ['main.mjs'], { cwd: folder });
    return JSON.parse(readFileSync(join(folder, 'outcomes.json'), 'utf8')) as Outcome[];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
