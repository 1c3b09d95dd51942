/**
 * Bundles dist/ into one file for pages without a bundler: a script beside TensorFlow.js's tf.min.js, whose global `tf` it
 * works with, and which declares the global `tfn`.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const { name, version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

const GLOBAL = `
if (!globalThis.tf?.layers) throw new Error('${name}: the script of TensorFlow.js, which declares tf, must come before this one');
module.exports = globalThis.tf;`;

await build({
  entryPoints: [fileURLToPath(new URL('../dist/layers/browser.js', import.meta.url))],
  outfile: fileURLToPath(new URL(`../dist/${name}.min.js`, import.meta.url)),
  bundle: true,
  minify: true,
  format: 'iife',
  globalName: 'tfn',
  target: 'es2022',
  banner: { js: `/* ${name} ${version}, MIT license */` },
  logLevel: 'warning',
  plugins: [
    {
      name: 'the global tf',
      setup({ onResolve, onLoad }) {
        onResolve({ filter: /^@tensorflow\// }, () => ({ path: 'tf', namespace: 'global' }));
        onLoad({ filter: /^tf$/, namespace: 'global' }, () => ({ contents: GLOBAL }));
      },
    },
  ],
});
