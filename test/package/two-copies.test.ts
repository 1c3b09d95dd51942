/** The build of release 0.1.0 and the present one in one process: each computes with kernels of its own. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = join(__dirname, '..', '..');
const COPIES = { old: 'test/goldens/release-0.1.0/build.cjs', present: 'dist/layers/index.js' };

const SCRIPT = `
const tf = require('@tensorflow/tfjs');
const load = process.argv[1].split(',').map((path) => require(process.cwd() + '/' + path));
const run = (copy) => {
  const x = tf.tensor2d([[1, 2, 3, 4], [2, 2, 4, 4]]);
  let y, dx, train, state;
  const names = new Set();
  const { runKernel } = tf.engine();
  tf.engine().runKernel = function (...args) { names.add(args[0]); return runKernel.apply(this, args); };
  try {
    y = Array.from(copy.layerNorm(x, { epsilon: 1e-5 }).dataSync());
    dx = Array.from(tf.grad((x) => tf.sum(tf.square(copy.rmsNorm(x).mul(tf.tensor1d([1, 2, 3, 4])))))(x).dataSync());
    const layer = new copy.BatchNormalization({ momentum: 0.5 });
    train = Array.from(layer.apply(x, { training: true }).dataSync());
    state = layer.getWeights().map((weight) => Array.from(weight.dataSync()));
  } finally {
    tf.engine().runKernel = runKernel;
  }
  return { y, dx, train, state, names: [...names].filter((name) => name.startsWith('tfjs-normalizations/')) };
};
tf.setBackend('cpu').then(() => console.log(JSON.stringify(load.map(run))));
`;

const both = (...paths: string[]) => {
  const output = execFileSync(process.execPath, ['-e', SCRIPT, paths.join()], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: 'pipe',
  });
  return JSON.parse(output.split('\n').find((line) => line.startsWith('[{'))!);
};

test.each([
  ['first', [COPIES.old, COPIES.present]],
  ['last', [COPIES.present, COPIES.old]],
])('with 0.1.0 loaded %s', (when, paths) => {
  const [first, second] = both(...paths);
  const [old, present] = when === 'first' ? [first, second] : [second, first];
  for (const name of old.names) expect(name).toMatch(/^tfjs-normalizations\/[A-Z]\w+$/);
  for (const name of present.names) expect(name).toMatch(/^tfjs-normalizations\/2\/[A-Z]\w+$/);
  expect([old.names.length, present.names.length]).toEqual([3, 3]);
  const numbers = ({ y, dx, train, state }: { y: number[]; dx: number[]; train: number[]; state: number[][] }) =>
    [y, dx, train, ...state].flat();
  expect(numbers(present)).toBeClose(numbers(old), { ofMax: 1e-6 });
  expect(present.y.slice(0, 4)).toBeClose([-1.3416, -0.4472, 0.4472, 1.3416], { atol: 1e-4 });
});
