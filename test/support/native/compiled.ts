/** The native kernels for tests, which are compiled once for each state of their sources. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../../..');
export const SOURCES = join(ROOT, 'kernels', 'node', 'native');

/** Different for different sources, among which are more files than the kernels' own. */
export function hashOfSources(...more: readonly string[]): string {
  const hash = createHash('sha256');
  const sources = readdirSync(SOURCES).map((name) => join(SOURCES, name));
  for (const file of [...sources.sort(), ...more]) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

/** A place for what is compiled of the sources as they are. */
export const cached = (name: string): string => join(ROOT, '.cache', 'native', name);

/** The path of the library. Compiling takes some seconds. */
export async function compiledNative(): Promise<string> {
  const { buildNative } = await import('../../../kernels/node/native/build.mjs');
  const path = cached(`${hashOfSources()}.node`);
  if (!existsSync(path)) await buildNative(path);
  return path;
}
