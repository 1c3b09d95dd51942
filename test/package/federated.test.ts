/** The example of federated training: clients with digits of their own, merged, know all digits better than each of them. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { ROOT } from '../support/user.ts';

const example = (...args: string[]) =>
  promisify(execFile)(process.execPath, [join(ROOT, 'examples', 'federated', 'main.js'), ...args], { cwd: ROOT });

test('three clients, none of which has all digits', async () => {
  const { stdout } = await example('--rounds', '3', '--samples', '2000');
  const lines = stdout.trim().split('\n').slice(1);
  const rows = lines.map((line) => [...line.matchAll(/([\d.]+) %/g)].map(([, share]) => Number(share)));
  expect(lines.map((line) => line.replace(/ {2}.*/, ''))).toEqual(['round 1', 'round 2', 'round 3', 'recalibrated']);
  const [, , [one, two, three, merged] = [], [, , , exact] = []] = rows;
  // A client that knows three or four digits of ten.
  for (const client of [one, two, three]) expect(client).toBeLessThan(45);
  expect(merged).toBeGreaterThan(Math.max(one!, two!, three!) + 10);
  expect(exact).toBeGreaterThan(merged! - 5);
});

test('options that it does not have', async () => {
  await expect(example('--rounds', '0')).rejects.toThrow(/--rounds/);
  expect((await example('--help')).stdout).toMatch('--samples N');
});
