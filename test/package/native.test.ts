/** The native kernels as users get them: `build-native` in the installed package, what it needs of a system, and that they run. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NAME, PACKAGE, succeeded, User } from '../support/user.ts';

const absent = process.env.TEST_NO_TENSORFLOW ?? process.env.TEST_NO_NATIVE;
/** The newest glibc whose functions the ready-made file may need. */
const GLIBC = '2.28';

(absent ? describe.skip : describe)(`native kernels${absent ? ` (absent: ${absent})` : ''}`, () => {
  let user: User;
  let folder: string;
  let built: string;
  let output: string;
  beforeAll(async () => {
    user = await User.install();
    folder = join(user.folder, 'node_modules', NAME);
    built = join(folder, 'dist', 'kernels', 'node', 'native', `${process.platform}-${process.arch}.node`);
    const result = await user.node(join(folder, PACKAGE.bin[NAME]), 'build-native');
    output = succeeded(result).output || result.output;
  });
  afterAll(() => user.remove());

  test('build-native says where it puts them, and npm packs them', async () => {
    expect(output).toContain(`${NAME}/dist/kernels/node/native/`);
    expect(output).toMatch(/compiled by \S+ in \d/);
    expect(existsSync(built)).toBe(true);
    const pack = await user.run('npm', 'pack', folder, '--ignore-scripts', '--dry-run', '--json');
    expect(pack.output).toContain(`dist/kernels/node/native/${process.platform}-${process.arch}.node`);
    expect(PACKAGE.scripts.prepack).toMatch(/build:native -- --optional$/);
  });

  test('they need no C++ library, and no glibc newer than 2.28', () => {
    const symbols = execFileSync('objdump', ['-T', built], { encoding: 'utf8' });
    const versions = [...symbols.matchAll(/GLIBC_([\d.]+)/g)].map(([, version]) => version!);
    expect(versions.length).toBeGreaterThan(10);
    const newer = versions.filter((version) => version.localeCompare(GLIBC, 'en', { numeric: true }) > 0);
    expect(newer).toEqual([]);
    expect(symbols).not.toMatch(/GLIBCXX|CXXABI/);
    const headers = execFileSync('objdump', ['-p', built], { encoding: 'utf8' });
    const needed = [...headers.matchAll(/NEEDED +(\S+)/g)].map(([, library]) => library!);
    expect(needed.filter((library) => !/^(libc|libm|libdl|libpthread|ld-linux.*)\.so/.test(library))).toEqual([]);
    expect(headers).toMatch(/FLAGS_1 +0x0*[0-9a-f]*8\b/); // NODELETE: its code stays where TensorFlow's kernels point
  });

  const USE = `
    import { createRequire } from 'node:module';
    const tf = createRequire(import.meta.url)(${JSON.stringify(process.env.TEST_TFJS_NODE)});
    const ours = await import('${NAME}');
    const y = ours.layerNorm(tf.tensor([[1, 2, 3, 6]]), { epsilon: 0.5 });
    console.log(JSON.stringify(ours.normalizationKernels()), [...y.dataSync()].map((value) => value.toFixed(4)).join(' '));`;

  test.each([
    ['found where build-native puts them', {}, '"kernels":"native"'],
    ['turned off', { TFJS_NORMALIZATIONS_NATIVE: '0' }, '"details":"TensorFlow ops: TFJS_NORMALIZATIONS_NATIVE is 0"'],
  ])('%s', async (name, variables, expected) => {
    const before = process.env.TFJS_NORMALIZATIONS_NATIVE;
    delete process.env.TFJS_NORMALIZATIONS_NATIVE;
    Object.assign(process.env, variables);
    try {
      const { code, output } = await user.node(user.write(`${name.length}.mjs`, USE));
      expect(output).toContain(expected);
      expect(output).toContain('-1.0000 -0.5000 0.0000 1.5000');
      expect(code).toBe(0);
    } finally {
      delete process.env.TFJS_NORMALIZATIONS_NATIVE;
      if (before !== undefined) process.env.TFJS_NORMALIZATIONS_NATIVE = before;
    }
  });

  test('without a compiler build-native says so, and prepack goes on', async () => {
    const before = process.env.CXX;
    process.env.CXX = '/no/compiler';
    try {
      const failed = await user.node(join(folder, PACKAGE.bin[NAME]), 'build-native');
      expect(failed.code).toBe(1);
      expect(failed.output).toContain(
        `${NAME}: there is no C++ compiler: /no/compiler; install one, or name it in CXX`,
      );
      const recipe = join(folder, 'kernels', 'node', 'native', 'build.mjs');
      expect((await user.node(recipe)).code).toBe(1);
      const optional = await user.node(recipe, '--optional');
      expect(optional).toEqual({
        code: 0,
        output: expect.stringContaining('native kernels: none; there is no C++ compiler'),
      });
    } finally {
      if (before === undefined) delete process.env.CXX;
      else process.env.CXX = before;
    }
  });
});
