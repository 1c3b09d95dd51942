/** The rooms of the sources: imports go one way, and never in a circle. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { gradients } from '../../kernels/ops/gradients.ts';
import { KERNEL_FOLDERS } from '../support/kernel-folders.ts';

const ROOT = join(__dirname, '..', '..');
const BACKENDS = KERNEL_FOLDERS.map((name) => `kernels/${name}`);

/** What each room may import, beside itself. A file is in the room of its folder; layers/ itself has two. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'kernels/core': [],
  'kernels/ops': ['kernels/core'],
  'kernels/functions': ['kernels/ops', 'kernels/core'],
  'kernels/simd': ['kernels/core'],
  'kernels/wasm-training': ['kernels/core'],
  ...Object.fromEntries(BACKENDS.map((backend) => [backend, ['kernels/core', 'kernels/simd']])),
  'layers/base': ['kernels/functions', 'kernels/ops', 'kernels/core'],
  layers: ['layers/base', 'kernels/functions', 'kernels/ops', 'kernels/core'],
  'layers/models/keras': ['layers', 'layers/base', 'kernels/functions', 'kernels/core'],
  'layers/models': ['layers/models/keras', 'layers', 'layers/base', 'kernels/functions', 'kernels/ops', 'kernels/core'],
  'layers/models/surgery': [
    'layers/models',
    'layers/models/keras',
    'layers',
    'layers/base',
    'kernels/functions',
    'kernels/core',
  ],
  'layers/files/keras': ['layers', 'layers/base', 'layers/models/keras', 'kernels/functions', 'kernels/core'],
  'layers/files/safetensors': ['layers/files', 'layers/base', 'kernels/functions', 'kernels/core'],
  'layers/files': [
    'layers/files/keras',
    'layers',
    'layers/base',
    'layers/models',
    'layers/models/keras',
    'kernels/functions',
    'kernels/core',
  ],
  'layers/files/command': [
    'layers, entries',
    'layers/files',
    'layers/files/keras',
    'layers/files/safetensors',
    'layers/models',
    'layers/models/keras',
    'layers/models/surgery',
    'kernels/core',
  ],
  'layers, entries': [
    'layers',
    'layers/base',
    'layers/models',
    'kernels/functions',
    'kernels/ops',
    'kernels/core',
    'layers/files',
    'layers/files/safetensors',
    'layers/models/surgery',
    ...BACKENDS,
  ],
};
const ENTRIES = [
  'layers/index.ts',
  'layers/browser.ts',
  'layers/exports.ts',
  'layers/files/index.ts',
  'layers/models/surgery/index.ts',
];

const sources = ['layers', 'kernels'].flatMap((folder) =>
  (readdirSync(join(ROOT, folder), { recursive: true }) as string[])
    .filter((file) => file.endsWith('.ts') && !file.startsWith('simd/assembly'))
    .map((file) => join(folder, file)),
);
/** Imports of types count: who reads a file has to know them, too. */
const importsOf = new Map(
  sources.map((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const paths = [...text.matchAll(/^(?:import|export)\b[^;]*?from '(\.[^']+)';|^import '(\.[^']+)';/gms)];
    return [file, paths.map(([, from, bare]) => relative(ROOT, resolve(ROOT, dirname(file), (from ?? bare)!)))];
  }),
);
const roomOf = (file: string) => (ENTRIES.includes(file) ? 'layers, entries' : dirname(file));

describe.each(sources)('%s', (file) => {
  test('is in a known room, and imports only from rooms below', () => {
    const room = roomOf(file);
    expect(Object.keys(MAY_IMPORT)).toContain(room);
    const strange = importsOf.get(file)!.filter((to) => roomOf(to) !== room && !MAY_IMPORT[room]!.includes(roomOf(to)));
    expect(strange).toEqual([]);
  });
});

test('there is no circle', () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at !== -1) circles.push([...path.slice(at), file].join(' -> '));
    if (at !== -1 || done.has(file)) return;
    for (const next of importsOf.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of sources) visit(file, []);
  expect(circles).toEqual([]);
});

test('the same kernel is in the same file of each backend', () => {
  const filesOf = (folder: string): Map<string, string> => {
    const list = folder === 'kernels/node' ? 'tensorflow-ops.ts' : 'index.ts';
    const index = readFileSync(join(ROOT, folder, list), 'utf8');
    const modules = [...index.matchAll(/^import \{([^}]*)\} from '\.\/([\w-]+)\.ts';/gm)];
    return new Map(
      modules.flatMap(([, names, module]) => names!.split(',').map((name) => [name.trim(), module!] as const)),
    );
  };
  const [first, ...others] = BACKENDS.map((folder) => [folder, filesOf(folder)] as const);
  const kernels = Object.keys(gradients).filter((kernel) => first![1].has(kernel));
  for (const kernel of kernels) {
    expect(first![1].get(kernel)).toBeDefined();
    for (const [folder, files] of others.filter(([, files]) => kernel !== 'SwapAxes' || files.has(kernel))) {
      expect(`${kernel} of ${folder}: ${files.get(kernel)}`).toBe(`${kernel} of ${folder}: ${first![1].get(kernel)}`);
    }
  }
});
