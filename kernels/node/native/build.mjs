/**
 * Compiles the native kernels for this machine's kind, into the file that kernels/node/library.ts loads. No headers but the
 * compiler's own are needed.
 *
 *   node kernels/node/native/build.mjs [FILE] [--optional]      CXX: the compiler (g++, else clang++)
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const HERE = dirname(fileURLToPath(import.meta.url));
/** The version of the contract in kernels/core/registry.ts: ops of different versions have different names. */
const CONTRACT = 2;

const COMMON = ['-std=c++17', '-fPIC', '-fvisibility=hidden', '-fno-exceptions', '-fno-rtti', '-fno-math-errno'];
const WARNINGS = ['-Wall', '-Wextra', '-Werror'];
const LINK = ['-shared', '-s', '-static-libstdc++', '-static-libgcc', '-Wl,-z,nodelete', '-Wl,--as-needed'];
/** The instruction sets for which kernels.cc is compiled, by architecture; dispatch.cc chooses one at run time. */
const INSTRUCTIONS = {
  x64: {
    baseline: ['-msse4.2', '-mpopcnt'],
    avx2: ['-mavx2', '-mfma'],
    avx512: ['-mavx2', '-mfma', '-mavx512f', '-mavx512vl', '-mavx512dq', '-mavx512bw'],
  },
  arm64: { baseline: [] },
};

/** The names of the instruction sets of an architecture, with the flags for each. */
export const instructionsOf = (arch) => INSTRUCTIONS[arch];

/** The object files of the library, each with its source and flags. */
function objectsOf(build) {
  const tables = Object.entries(INSTRUCTIONS[process.arch]).map(([name, flags]) => ({
    source: 'kernels.cc',
    object: `${name}.o`,
    flags: ['-O3', ...flags, `-DTABLE=${name}Kernels`],
  }));
  const others = ['addon', 'call', 'dispatch', 'normalize', 'ops', 'pool', 'tensorflow'].map((name) => ({
    source: `${name}.cc`,
    object: `${name}.o`,
    flags: ['-O2', ...(name === 'ops' ? [`-DBUILD=${build}`] : [])],
  }));
  return [...tables, ...others];
}

const run = promisify(execFile);

/** The compiler, and its version. */
async function findCompiler() {
  const names = process.env.CXX ? [process.env.CXX] : ['g++', 'clang++'];
  for (const name of names) {
    try {
      return { compiler: name, version: (await run(name, ['--version'])).stdout };
    } catch {
      // Not installed: try the next one.
    }
  }
  throw new Error(`there is no C++ compiler: ${names.join(' or ')}; install one, or name it in CXX`);
}

/** A hash of everything on which the ops depend: compiler, flags and sources. */
function hashOf(version) {
  const hash = createHash('sha256')
    .update(version)
    .update(JSON.stringify([COMMON, LINK, objectsOf('')]));
  const sources = readdirSync(HERE).filter((name) => /\.(cc|h)$/.test(name));
  for (const name of sources.sort()) hash.update(name).update(readFileSync(join(HERE, name)));
  return hash.digest('hex').slice(0, 12);
}

/** The path at which kernels/node/library.ts looks, in the installed package and in the repository. */
export function outputPath() {
  return resolve(HERE, '../../../dist/kernels/node/native', `${process.platform}-${process.arch}.node`);
}

/**
 * @param {string} [output] where the library is to be
 * @returns {Promise<{ output: string, compiler: string }>}
 * @throws with the reason, where it cannot be compiled
 */
export async function buildNative(output = outputPath()) {
  if (process.platform !== 'linux' || !(process.arch in INSTRUCTIONS)) {
    throw new Error(
      `there are native kernels for Linux on x64 and arm64; this is ${process.platform} on ${process.arch}`,
    );
  }
  const { compiler, version } = await findCompiler();
  mkdirSync(dirname(output), { recursive: true });
  const aside = mkdtempSync(join(dirname(output), 'build-'));
  const compile = async ({ source, object, flags }) =>
    run(compiler, [...COMMON, ...WARNINGS, ...flags, '-c', join(HERE, source), '-o', join(aside, object)]);
  try {
    const objects = objectsOf(`${CONTRACT}x${hashOf(version)}`);
    await Promise.all(objects.map(compile));
    const linked = join(aside, 'linked.node');
    await run(compiler, [
      ...LINK,
      ...objects.map(({ object }) => join(aside, object)),
      '-o',
      linked,
      '-ldl',
      '-lpthread',
    ]);
    renameSync(linked, output);
  } catch (error) {
    const [line] = `${error.stderr ?? ''}`.split('\n').filter((line) => line.includes('error'));
    throw new Error(`${compiler} failed: ${line ?? error.message}`);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  return { output, compiler };
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const optional = process.argv.includes('--optional');
  const file = process.argv.slice(2).find((argument) => argument !== '--optional');
  buildNative(file).then(
    ({ output, compiler }) => console.error(`native kernels: ${output}, by ${compiler}`),
    ({ message }) => {
      console.error(`native kernels: none; ${message}`);
      if (!optional) process.exitCode = 1;
    },
  );
}
