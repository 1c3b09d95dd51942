/**
 * The arithmetic of the native kernels under AddressSanitizer and UndefinedBehaviorSanitizer: a program without Node and TensorFlow, which
 * compares them with float64 over generated views, in arrays that end where their values end, for each instruction set.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { leftOut } from '../support/chosen-backends.ts';
import { cached, hashOfSources, SOURCES } from '../support/native/compiled.ts';

const DRIVER = join(__dirname, '../support/native/driver.cc');
const FLAGS = ['-std=c++17', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-fno-math-errno'];
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
const run = promisify(execFile);

/** The program, compiled once for each state of the sources. */
async function compiledDriver(): Promise<string> {
  const path = cached(`${hashOfSources(DRIVER)}-sanitized`);
  if (existsSync(path)) return path;
  const { instructionsOf } = await import('../../kernels/node/native/build.mjs');
  mkdirSync(dirname(path), { recursive: true });
  const aside = mkdtempSync(`${path}-`);
  try {
    const compile = async (source: string, object: string, ...flags: string[]) => {
      const output = join(aside, `${object}.o`);
      await run('g++', [...FLAGS, ...SANITIZERS, ...flags, '-c', source, '-o', output]);
      return output;
    };
    const tables = Object.entries(instructionsOf(process.arch)).map(([name, flags]) =>
      compile(join(SOURCES, 'kernels.cc'), name, ...flags, `-DTABLE=${name}Kernels`),
    );
    const others = ['normalize', 'pool'].map((name) => compile(join(SOURCES, `${name}.cc`), name));
    const objects = await Promise.all([...tables, ...others, compile(DRIVER, 'driver')]);
    await run('g++', [...SANITIZERS, ...objects, '-o', join(aside, 'driver'), '-lpthread']);
    renameSync(join(aside, 'driver'), path);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  return path;
}

const absent = leftOut('tensorflow') ?? process.env.TEST_NO_NATIVE;
(absent ? describe.skip : describe)(`native kernels under sanitizers${absent ? ` (absent: ${absent})` : ''}`, () => {
  let driver: string;
  beforeAll(async () => {
    driver = await compiledDriver();
  });

  test.each(process.arch === 'x64' ? ['baseline', 'avx2', 'avx512'] : ['baseline'])(
    '%s: right on generated views, and never beside an array',
    async (instructions) => {
      const seed = `${instructions.length}`;
      const { stdout } = await run(driver, [seed, '60', instructions], { timeout: 280_000 });
      expect(stdout).toMatch(/^60 views, worst error \S+ of its limit, 0 failures|this processor has no/);
    },
  );
});
