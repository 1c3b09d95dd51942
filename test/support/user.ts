/**
 * The folder of a user who has installed the package from its tarball, outside of the repository. TensorFlow.js is linked
 * there: what a user's tools see of this package is the tarball's alone.
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

export const ROOT = join(__dirname, '..', '..');
export const MODULES = join(ROOT, 'node_modules');
export const PACKAGE = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
export const NAME = PACKAGE.name as string;

/** What TensorFlow.js, its types and ours need. */
const LINKED = ['@tensorflow', '@types', '@webgpu', 'seedrandom', 'long'];

export interface Result {
  readonly code: number;
  readonly output: string;
}

export class User {
  readonly folder = mkdtempSync(join(tmpdir(), `${NAME}-user-`));
  /** `npm run tarball` makes it. */
  readonly tarball = join(ROOT, 'dist', `${NAME}-${PACKAGE.version}.tgz`);

  /** Installs the package. */
  static async install(): Promise<User> {
    const user = new User();
    const time = (path: string) => (existsSync(path) ? statSync(path).mtimeMs : 0);
    if (time(user.tarball) < Math.max(time(join(ROOT, 'dist', 'layers', 'index.js')), 1)) {
      throw new Error('no tarball is packed of what is built; npm run tarball does it');
    }
    const modules = join(user.folder, 'node_modules');
    mkdirSync(modules);
    for (const name of LINKED) symlinkSync(join(MODULES, name), join(modules, name));
    await user.run('tar', '-xzf', user.tarball, '-C', modules);
    renameSync(join(modules, 'package'), join(modules, NAME));
    user.write('package.json', JSON.stringify({ name: 'user', version: '1.0.0', type: 'module' }));
    return user;
  }

  /** Writes a file of the user's; its path. */
  write(name: string, text: string): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  /** Runs a command in the folder; what it wrote, also where it failed. */
  async run(command: string, ...args: string[]): Promise<Result> {
    // Jest tells its children that they are in a test, which tools take notice of.
    const { NODE_ENV: _, JEST_WORKER_ID: __, ...env } = process.env;
    try {
      const { stdout, stderr } = await promisify(execFile)(command, args, { cwd: this.folder, env, maxBuffer: 1e8 });
      return { code: 0, output: stdout + stderr };
    } catch (error) {
      const { code, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string };
      return { code: code ?? -1, output: `${stdout}${stderr}${error}` };
    }
  }

  node(...args: string[]): Promise<Result> {
    return this.run(process.execPath, ...args);
  }

  /** Runs a tool that is installed for development. */
  tool(path: string, ...args: string[]): Promise<Result> {
    return this.node(join(MODULES, path), ...args);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Expects that a command did what it should, and else shows what it wrote. */
export const succeeded = ({ code, output }: Result) => ({ code, output: code === 0 ? '' : output });
