/** Users of TypeScript: every kind of module resolution, old and new compilers, and what the declarations name. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { packageFolder } from '../support/on-demand.mjs';
import { MODULES, NAME, PACKAGE, ROOT, succeeded, User } from '../support/user.ts';

let user: User;
beforeAll(async () => {
  user = await User.install();
});
afterAll(() => user.remove());

const ENTRIES = Object.keys(PACKAGE.exports).filter((entry) => entry !== './package.json');
const SOURCE = `
  import * as tf from '@tensorflow/tfjs';
  import { BatchNormalization, type BatchNormalizationArgs, batchNorm, groupNormalization, layerNorm, RMSNormalization } from '${NAME}';
  import { LayerNormalization } from '${NAME}/layers/layer-normalization';
  import { cpu } from '${NAME}/kernels/cpu';
  ${ENTRIES.map((entry, i) => `export * as entry${i} from '${entry.replace('.', NAME)}';`).join('\n')}
  const args: BatchNormalizationArgs = { axis: 1, momentum: 0.9, betaRegularizer: tf.regularizers.l2({ l2: 1 }) };
  export const layer = new BatchNormalization(args);
  export const model = tf.sequential({ layers: [groupNormalization({ groups: 2, inputShape: [4, 4] }), layer] });
  export const y: tf.Tensor = layerNorm(tf.ones([2, 3]), { axis: [-1] });
  export const { mean }: { mean: tf.Tensor } = batchNorm(y);
  export const placement: 'inside' | 'outside' | 'floor' = new RMSNormalization().epsilonPlacement;
  export const more = [new LayerNormalization({ axis: [1, 2] }), cpu.supported()];
  // @ts-expect-error an option that there is not
  groupNormalization({ group: 2 });
  // @ts-expect-error a list where there is one axis
  new BatchNormalization({ axis: [1, 2] });
`;

const NEW = join(MODULES, '.bin', 'tsc');
// TypeScript 7 has no node10 any more.
const OLD = join(packageFolder('typescript'), 'bin', 'tsc');

const compile = (tsc: string, resolution: string, file: string, ...more: string[]) => {
  const module = resolution.startsWith('node') && resolution !== 'node10' ? resolution : 'esnext';
  const options = ['--strict', '--target', 'es2022', '--types', 'node', '--module', module];
  return user.node(tsc, ...options, '--moduleResolution', resolution, ...more, file);
};

describe('a user of TypeScript', () => {
  test.each([
    ['nodenext', NEW],
    ['node16', OLD],
    ['bundler', NEW],
    ['bundler', OLD],
    ['node10', OLD],
  ])('with moduleResolution %s (%s)', async (resolution, tsc) => {
    user.write('main.ts', SOURCE);
    const result = await compile(tsc, resolution, 'main.ts', '--noEmit', '--skipLibCheck');
    expect(succeeded(result)).toEqual({ code: 0, output: '' });
  });

  test('with moduleResolution nodenext in a CommonJS module', async () => {
    const text = `import tf = require('@tensorflow/tfjs'); import ours = require('${NAME}');
      export const y: tf.Tensor = ours.rmsNorm(tf.ones([2, 3]));`;
    user.write('main.cts', text);
    const result = await compile(NEW, 'nodenext', 'main.cts', '--noEmit', '--skipLibCheck');
    expect(succeeded(result)).toEqual({ code: 0, output: '' });
  });

  test('who also checks libraries finds no error in ours, under options stricter than strict', async () => {
    user.write('main.ts', SOURCE);
    const stricter = [
      '--exactOptionalPropertyTypes',
      '--noUncheckedIndexedAccess',
      '--noPropertyAccessFromIndexSignature',
    ];
    const { output } = await compile(NEW, 'nodenext', 'main.ts', '--noEmit', '--skipLibCheck', 'false', ...stricter);
    const files = output.split('\n').flatMap((line) => /^(\S+)\(\d+,\d+\): error/.exec(line)?.[1] ?? []);
    expect(files.filter((file) => !/@tensorflow|@webgpu|lib\.dom/.test(file))).toEqual([]);
    // The errors are found at all: TensorFlow.js's own typings have some.
    expect(files.join()).toContain('@tensorflow/tfjs-layers');
  });

  test('who writes declarations of what the package makes needs no name that it keeps to itself', async () => {
    const { output } = await user.node(
      '--input-type=module',
      '-e',
      `import * as ours from '${NAME}'; console.log(Object.keys(ours).join());`,
    );
    const names = output.trim().split('\n').at(-1)!.split(',');
    expect(names.length).toBeGreaterThan(40);
    const lines = names.map((name) =>
      /^[A-Z]/.test(name)
        ? `export class My${name} extends ours.${name} {}`
        : `export const make_${name} = (...args: Parameters<typeof ours.${name}>) => ours.${name}(...args);`,
    );
    user.write('exporting.ts', `import * as ours from '${NAME}';\n${lines.join('\n')}`);
    const result = await compile(NEW, 'nodenext', 'exporting.ts', '--skipLibCheck', '--declaration', '--outDir', 'out');
    expect(succeeded(result)).toEqual({ code: 0, output: '' });
    // Nothing is named by a path into the package.
    expect(user.read('out/exporting.d.ts')).not.toMatch(/dist\/|node_modules/);
  });
});

describe('the declarations', () => {
  const files = (readdirSync(join(ROOT, 'dist'), { recursive: true }) as string[]).filter((file) =>
    /^(layers|kernels).*\.d\.ts$/.test(file),
  );
  const texts = files.map((file) => [file, readFileSync(join(ROOT, 'dist', file), 'utf8')] as const);

  test('need no package of a backend', () => {
    expect(texts.length).toBeGreaterThan(20);
    for (const [, text] of texts) {
      const code = text.replace(/\/\*[\s\S]*?\*\//g, '');
      const imports = [...code.matchAll(/(?:from |import\()['"]([^'"]+)['"]/g)].map(([, name]) => name!);
      const packages = imports.filter((name) => !name.startsWith('.'));
      expect(packages.filter((name) => !/^@tensorflow\/tfjs-(core|layers)$/.test(name))).toEqual([]);
    }
  });

  test('name nothing private', () => {
    const named = texts.flatMap(([file, text]) =>
      [...text.matchAll(/^\s*private (?!constructor)(.*);$/gm)].map(([, name]) => `${file}: ${name}`),
    );
    expect(named).toEqual([]);
  });
});
