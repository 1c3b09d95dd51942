/** A folder in which the tests of a file write. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';

/**
 * The path of a folder that is there while tests run, and empty before them. Made when they start, not when their file is loaded: for
 * mutation testing a file is loaded once, and its tests run for each mutant.
 */
export function scratchFolder(): string {
  const path = join(tmpdir(), `tfjs-normalizations-${randomUUID()}`);
  beforeAll(() => void mkdirSync(path));
  afterAll(() => rmSync(path, { recursive: true }));
  return path;
}
