/**
 * Packages of npm that weigh much and that few commands need. `npm install` leaves them out: each is installed, once, into
 * .cache/packages when it is first asked for.
 *
 *   node test/support/on-demand.mjs NAME...      installs them now, as before a journey without a network
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../.cache/packages');

const VERSIONS = {
  '@arethetypeswrong/cli': '0.18.5',
  '@sparticuz/chromium': '147.0.0',
  assemblyscript: '0.28.20',
  'dejavu-fonts-ttf': '2.37.3',
  'onnxruntime-node': '1.30.0',
  'onnxruntime-web': '1.30.0',
  sharp: '0.35.5',
  typescript: '5.6.3',
};

/**
 * The folder of a package, beside those that it needs.
 * @param {keyof VERSIONS} name
 * @throws with the reason, if it cannot be installed
 */
export function packageFolder(name) {
  const version = VERSIONS[name];
  if (!version) throw new Error(`${name} is none of the packages on demand: ${Object.keys(VERSIONS).join(', ')}`);
  const home = join(ROOT, `${name}@${version}`);
  if (!existsSync(home)) install(`${name}@${version}`, home);
  return join(home, 'node_modules', name);
}

/** Aside, and then moved into place: so there is all of a package or nothing, also when two processes want it at once. */
function install(what, home) {
  console.error(`installing ${what} into .cache`);
  mkdirSync(dirname(home), { recursive: true });
  const aside = mkdtempSync(`${home}-`);
  try {
    npmInstall(aside, what);
    renameSync(aside, home);
  } catch (error) {
    if (!existsSync(home)) throw error; // or another process has installed it
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/**
 * Installs a package in a folder, without its scripts.
 * @throws with the reason, if it cannot be installed
 */
export function npmInstall(folder, what) {
  const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  mkdirSync(folder, { recursive: true });
  try {
    const how = { cwd: folder, encoding: 'utf8', stdio: 'pipe' };
    execFileSync('npm', ['install', '--prefix', folder, ...options, what], how);
  } catch (error) {
    const printed = `${error.stderr ?? ''}`.trim() || error.message;
    throw new Error(`${what} could not be installed, for which npm needs its registry once: ${printed.slice(0, 400)}`);
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  for (const name of process.argv.slice(2)) console.log(packageFolder(name));
}
