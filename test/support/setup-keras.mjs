/**
 * Gets a Python with Keras for tests: a virtual environment with the packages of examples/keras/requirements.txt, which is made
 * once, in 20 seconds, and again when that list has changed.
 *
 *   node test/support/setup-keras.mjs      KERAS_CACHE: where it is kept, 0.7 GB (.cache/keras)
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const REQUIREMENTS = join(PROJECT, 'examples', 'keras', 'requirements.txt');
const ROOT = process.env.KERAS_CACHE ?? join(PROJECT, '.cache', 'keras');
const MOST_TIME = 300_000;

const say = (message) => console.error(`keras: ${message}`);

/** Runs a program; what it has printed is in the error if it fails. */
function run(program, args) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe', timeout: MOST_TIME, maxBuffer: 1 << 26 });
  } catch (error) {
    const printed = `${error.stderr ?? ''}`.trim() || error.message;
    throw new Error(`${program} ${args[0]} failed: ${printed.slice(-600)}`);
  }
}

/**
 * The path of a python that can import Keras with JAX.
 * @throws with the reason, where there is none and none can be made
 */
export function setUpKeras() {
  const hash = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const folder = join(ROOT, hash);
  const python = join(folder, 'bin', 'python');
  const stamp = join(folder, 'complete');
  if (existsSync(stamp)) return python;
  try {
    run('python3', ['-c', 'import sys, venv; sys.exit(sys.version_info < (3, 11))']);
  } catch {
    throw new Error('Keras needs python3, of version 3.11 or later, with its module venv');
  }
  say(`installing ${REQUIREMENTS}`);
  // Virtual environments cannot be moved: what is half made, or made by another process at the same time, has no stamp.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(ROOT, { recursive: true });
  run('python3', ['-m', 'venv', folder]);
  run(python, ['-m', 'pip', 'install', '--quiet', '--no-cache-dir', '--disable-pip-version-check', '-r', REQUIREMENTS]);
  run(python, ['-c', 'import os; os.environ["KERAS_BACKEND"] = "jax"; import keras']);
  writeFileSync(stamp, '');
  return python;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) say(`works: ${setUpKeras()}`);
