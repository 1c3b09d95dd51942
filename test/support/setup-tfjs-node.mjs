/**
 * Gets the real backend 'tensorflow' for tests, examples and benchmarks: the installed @tensorflow/tfjs-node if it loads,
 * else one that is built here from package registries alone (its own install script downloads from a storage host).
 * What is built lies in .cache/, below the project, so that it finds the project's own copy of @tensorflow/tfjs.
 *
 *   node test/support/setup-tfjs-node.mjs      TFJS_NODE_CACHE: where libtensorflow is kept, 440 MB (.cache/tfjs-node)
 *
 * prints where it is, or why it cannot be had.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmInstall } from './on-demand.mjs';

const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const ROOT = join(PROJECT, '.cache', 'tfjs-node');
const BUILT = join(ROOT, 'node_modules', '@tensorflow', 'tfjs-node');
const WHEEL = 'tensorflow-cpu==2.15.1';
const WHEEL_SHA256 = '54660c074d7241a503e81edfd9f5ef5af88f64051b72e2945f26318c790f2d26';
const LIBRARIES = join(process.env.TFJS_NODE_CACHE ?? ROOT, 'tf-2.15.1');

const say = (message) => console.error(`tfjs-node: ${message}`);

/** Runs a program; what it has printed is in the error if it fails. */
function run(program, args, cwd = PROJECT) {
  try {
    return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 26 });
  } catch (error) {
    const printed = `${error.stderr ?? ''}`.trim() || error.message;
    throw new Error(`${program} ${args[0]} failed: ${printed.slice(-600)}`);
  }
}

/** Whether requiring the package gives a backend that computes. Asked of another process: a bad addon may end it. */
function works(path) {
  const script = `const tf = require(${JSON.stringify(path)});
    if (tf.getBackend() !== 'tensorflow' || tf.matMul([[1, 2]], [[3], [4]]).dataSync()[0] !== 11) process.exit(1);`;
  try {
    run(process.execPath, ['-e', script]);
    return true;
  } catch {
    return false;
  }
}

function installed() {
  try {
    return dirname(createRequire(join(PROJECT, 'package.json')).resolve('@tensorflow/tfjs-node/package.json'));
  } catch {
    return undefined;
  }
}

/** The package without its install script, and without its own copy of TensorFlow.js: there must be one engine. */
function fetchPackage() {
  const { version } = JSON.parse(readFileSync(join(PROJECT, 'node_modules/@tensorflow/tfjs/package.json'), 'utf8'));
  say(`installing @tensorflow/tfjs-node ${version} without its scripts`);
  rmSync(join(ROOT, 'node_modules'), { recursive: true, force: true });
  npmInstall(ROOT, `@tensorflow/tfjs-node@${version}`);
  for (const name of readdirSync(dirname(BUILT))) {
    if (name !== 'tfjs-node') rmSync(join(dirname(BUILT), name), { recursive: true });
  }
}

/** libtensorflow and its C headers out of the Python wheel, whose libtensorflow_cc exports the whole C API. */
function fetchLibraries() {
  mkdirSync(dirname(LIBRARIES), { recursive: true });
  const aside = mkdtempSync(`${LIBRARIES}-`);
  try {
    say(`downloading the wheel ${WHEEL} (207 MB)`);
    // Only a zip here: with --python-version any Python fetches it.
    const wheelFor = ['--no-deps', '--only-binary=:all:', '--python-version', '3.11', '--no-cache-dir'];
    run('python3', ['-m', 'pip', 'download', '--quiet', ...wheelFor, '--dest', aside, WHEEL]);
    const wheel = join(aside, readdirSync(aside)[0]);
    const sum = createHash('sha256').update(readFileSync(wheel)).digest('hex');
    if (sum !== WHEEL_SHA256) throw new Error(`${WHEEL} has the sha256 ${sum}, not ${WHEEL_SHA256}`);
    say('unpacking');
    run('python3', ['-c', UNPACK, wheel, aside]);
    rmSync(wheel);
    for (const name of ['cc', 'framework']) {
      run('strip', ['--strip-unneeded', join(aside, 'lib', `libtensorflow_${name}.so.2`)]);
    }
    if (!existsSync(LIBRARIES)) renameSync(aside, LIBRARIES);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

const UNPACK = `
import os, re, shutil, sys, zipfile
wanted = re.compile(r'tensorflow/(?:(libtensorflow_(?:cc|framework)\\.so\\.2)|include/((?:tensorflow/c|tensorflow/core/platform|tensorflow/tsl|tsl|xla/tsl)/.*\\.h))$')
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in wheel.namelist():
        match = wanted.match(name)
        if match:
            path = os.path.join(sys.argv[2], 'lib' if match[1] else 'include', match[1] or match[2])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with wheel.open(name) as source, open(path, 'wb') as target:
                shutil.copyfileobj(source, target, 1 << 20)
`;

/** Node's C headers: beside node, else from npm. */
function nodeHeaders() {
  const beside = resolve(process.execPath, '../../include/node');
  if (existsSync(join(beside, 'node_api.h'))) return beside;
  const folder = join(ROOT, 'headers');
  npmInstall(folder, 'node-api-headers@1');
  return join(folder, 'node_modules/node-api-headers/include');
}

function compile() {
  say('compiling the addon');
  const folder = join(BUILT, 'lib', 'napi-v8');
  const lib = join(LIBRARIES, 'lib');
  mkdirSync(folder, { recursive: true });
  const includes = [`-I${nodeHeaders()}`, `-I${join(LIBRARIES, 'include')}`];
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(BUILT, 'binding', name));
  const libraries = [`-L${lib}`, '-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2', `-Wl,-rpath,${lib}`];
  const flags = ['-std=c++17', '-O2', '-s', '-fPIC', '-shared', '-DNAPI_VERSION=8'];
  run('g++', [...flags, ...includes, ...sources, '-o', join(folder, 'tfjs_binding.node'), ...libraries]);
}

function checkPrerequisites() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`tfjs-node can be built on linux x64 only, this is ${process.platform} ${process.arch}`);
  }
  for (const [program, args] of [
    ['python3', ['-m', 'pip', '--version']],
    ['g++', ['--version']],
    ['strip', ['--version']],
  ]) {
    try {
      run(program, args);
    } catch {
      throw new Error(`to build tfjs-node, '${[program, ...args].join(' ')}' must work`);
    }
  }
}

/**
 * The path from which `require` loads a working @tensorflow/tfjs-node. Building it takes half a minute, once.
 * @throws with the reason, where there is none and none can be built
 */
export function setUpTfjsNode() {
  const found = [installed(), existsSync(BUILT) ? BUILT : undefined].find((path) => path && works(path));
  if (found) return found;
  checkPrerequisites();
  fetchPackage();
  if (!existsSync(LIBRARIES)) fetchLibraries();
  compile();
  if (!works(BUILT)) throw new Error('tfjs-node was built, but does not load');
  return BUILT;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    console.log(setUpTfjsNode());
  } catch (error) {
    console.log(error.message);
    process.exitCode = 1;
  }
}
