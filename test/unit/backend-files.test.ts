/** Whatever a new backend needs outside of its folder is a line that this test names, together with the file that it belongs to. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { KERNEL_FOLDERS } from '../support/kernel-folders.ts';
import { askFor } from '../support/missing-lines.ts';
import { PACKAGE, ROOT } from '../support/user.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** Backends that no browser has. */
const NOT_IN_BROWSERS = ['node'];

/**
 * What the repository does not have for a backend: [file: line].
 * @param folder of its kernels
 * @param name of TensorFlow.js, under which they are registered
 * @param port the name of the interface in backend.ts
 */
function missing(folder: string, name: string, port: string): string[] {
  const importing = `import '../kernels/${folder}/index.ts';`;
  const entry = `./kernels/${folder}`;
  const lines: (readonly [path: string, isThere: boolean, line: string])[] = [];
  const ask = (path: string, line: string, has = line) => lines.push([path, read(path).includes(has), line]);
  ask('layers/index.ts', importing);
  if (!NOT_IN_BROWSERS.includes(folder)) ask('layers/browser.ts', importing);
  lines.push(['package.json, exports', entry in PACKAGE.exports, `"${entry}": "./dist/kernels/${folder}/index.js",`]);
  const hidden: readonly string[] = PACKAGE.typedocOptions.intentionallyNotExported;
  lines.push(['package.json, intentionallyNotExported', hidden.includes(port), `"${port}",`]);
  ask('test/support/chosen-backends.ts', `'${name}',`);
  const size = `kernels('${folder}'), `;
  ask('test/package/sizes.test.ts', `['kernels for ${folder}', ${size}10],`, size);
  ask('examples/benchmark/summary.js', `['${name}', 'what runs'],`, `['${name}', `);
  return lines.filter(([, isThere]) => !isThere).map(([path, , line]) => `${path}: ${line}`);
}

test.each(KERNEL_FOLDERS)('kernels/%s has them all', (folder) => {
  const [, name] = /^register\(\w+, '([\w-]+)'\);$/m.exec(read(`kernels/${folder}/index.ts`))!;
  const [, port] = /^export interface (\w+Port)\b/m.exec(read(`kernels/${folder}/backend.ts`))!;
  askFor(missing(folder, name!, port!));
});

test('a new backend is told each of them', () => {
  expect(missing('toy', 'toys', 'ToyPort')).toEqual([
    "layers/index.ts: import '../kernels/toy/index.ts';",
    "layers/browser.ts: import '../kernels/toy/index.ts';",
    'package.json, exports: "./kernels/toy": "./dist/kernels/toy/index.js",',
    'package.json, intentionallyNotExported: "ToyPort",',
    "test/support/chosen-backends.ts: 'toys',",
    "test/package/sizes.test.ts: ['kernels for toy', kernels('toy'), 10],",
    "examples/benchmark/summary.js: ['toys', 'what runs'],",
  ]);
});
