/** What only the cpu backend has: a WebAssembly memory, of which large tensors must not take much, nor for long. */
import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { run } from '../../kernels/core/registry.ts';
import { host } from '../../kernels/cpu/host.ts';
import { batchNorm, groupNorm, layerNorm, rmsNorm, spectralNorm } from '../../layers/index.ts';
import { describeBackends } from '../support/backends.ts';

const MB = 2 ** 20;

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** The largest memory that a host has grown to. */
let largest = 0;
beforeEach(() => {
  largest = 0;
  const { grow } = WebAssembly.Memory.prototype;
  jest.spyOn(WebAssembly.Memory.prototype, 'grow').mockImplementation(function (this: WebAssembly.Memory, pages) {
    const before = grow.call(this, pages);
    largest = Math.max(largest, this.buffer.byteLength);
    return before;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** Sines that begin anew after each 4099 values: millions of them would take longer than what is tested. */
const wave = (size: number, from: number, step: number) => {
  const period = Float32Array.from({ length: 4099 }, (_, i) => from + Math.sin(i * step) * 2);
  const values = new Float32Array(size);
  for (let i = 0; i < size; i += period.length) values.set(period.subarray(0, size - i), i);
  return values;
};

/** y, dx, dgamma and dbeta of rows of c values, in float64, at some places. */
function expected(x: Float32Array, dy: Float32Array, gamma: Float32Array, epsilon: number, center: boolean) {
  const c = gamma.length;
  const rows = x.length / c;
  const of = (row: number) => {
    let [mean, square] = [0, 0];
    for (let i = 0; i < c; i++) mean += x[row * c + i]!;
    mean = center ? mean / c : 0;
    for (let i = 0; i < c; i++) square += (x[row * c + i]! - mean) ** 2;
    const f = center ? Math.sqrt(square / c + epsilon) : Math.sqrt(square / c) + epsilon;
    let [sumD, sumDXHat] = [0, 0];
    for (let i = 0; i < c; i++) {
      const d = dy[row * c + i]! * gamma[i]!;
      sumD += d;
      sumDXHat += (d * (x[row * c + i]! - mean)) / f;
    }
    return { mean, f, k: center ? 1 : f / (f - epsilon), meanD: center ? sumD / c : 0, meanDXHat: sumDXHat / c };
  };
  const all = Array.from({ length: rows }, (_, row) => of(row));
  return (at: number) => {
    const { mean, f, k, meanD, meanDXHat } = all[Math.floor(at / c)]!;
    const i = at % c;
    const xHat = (x[at]! - mean) / f;
    let [dgamma, dbeta] = [0, 0];
    for (let row = 0; row < rows; row++) {
      dgamma += (dy[row * c + i]! * (x[row * c + i]! - all[row]!.mean)) / all[row]!.f;
      dbeta += dy[row * c + i]!;
    }
    return { y: xHat * gamma[i]!, dx: (dy[at]! * gamma[i]! - meanD - k * xHat * meanDXHat) / f, dgamma, dbeta };
  };
}

const tests = () => {
  describe('rows too long for a block', () => {
    test.each([
      ['layerNorm', 1, 4_000_003, 0],
      ['layerNorm', 2, 1_100_001, 1e4],
      ['rmsNorm', 2, 1_050_000, 3],
    ] as const)('%s of [%d, %d], mean %d: values and gradients, in little memory', (name, rows, c, mean) => {
      const size = rows * c;
      const [x, dy, gamma] = [wave(size, mean, 0.7), wave(size, 0.5, 1.3), wave(c, 3, 0.01)];
      const functions = {
        layerNorm: (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => layerNorm(x, { gamma, beta }),
        rmsNorm: (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => rmsNorm(x, { gamma, beta }),
      };
      const before = tf.memory().numTensors;
      const inputs = [tf.tensor(x, [rows, c]), tf.tensor(gamma), tf.zeros([c])];
      const upstream = tf.tensor(dy, [rows, c]);
      const { value, grads } = tf.valueAndGrads(functions[name])(inputs, upstream);
      const [y, dx, dgamma, dbeta] = [value, ...grads].map((t) => t.dataSync()) as Float32Array[];
      const at = expected(x, dy, gamma, name === 'layerNorm' ? 1e-3 : 1e-6, name === 'layerNorm');
      for (const place of [0, 1, 31, 4097, c - 1, size - 1, Math.floor(size / 2)]) {
        const right = at(place);
        const got = { y: y![place], dx: dx![place], dgamma: dgamma![place % c], dbeta: dbeta![place % c] };
        for (const key of ['y', 'dx', 'dgamma', 'dbeta'] as const) {
          expect([key, place, Math.abs(got[key]! - right[key]) < 2e-5]).toEqual([key, place, true]);
        }
      }
      tf.dispose([inputs, upstream, value, grads]);
      expect(tf.memory().numTensors).toBe(before);
      expect(largest).toBeLessThan(64 * MB);
      expect(host()!.bytes).toBeLessThan(64 * MB);
    });

    test('groups of long rows are those of the view', () => {
      const [c, groups] = [1_200_000, 3];
      const x = wave(c, 5, 0.9);
      tf.tidy(() => {
        const y = groupNorm(tf.tensor(x, [1, c]), { groups });
        const parts = layerNorm(tf.tensor(x, [groups, c / groups]));
        expect(y.dataSync()).toBeClose(parts.dataSync(), { atol: 1e-6 });
      });
      expect(largest).toBeLessThan(64 * MB);
    });
  });

  test('long rows with parameters for every two of them, and a residual, are as the last sums alone', () => {
    const [rows, c] = [2, 2 ** 20 + 3];
    const ofRows = (x: Float32Array, dy: Float32Array, gamma: Float32Array, added?: Float32Array) => {
      const [n, conditions] = [x.length / c, gamma.length / c];
      const view = { n, s: 1, c, groups: 1, ...(conditions > 1 && { rowsPerCondition: rows }) };
      const attrs = { view, epsilon: 1e-3, epsilonPlacement: 'inside', center: true, rescale: true } as const;
      const shape = conditions > 1 ? [conditions, c] : [c];
      const parameters = { gamma: tf.tensor(gamma, shape), beta: tf.tensor(gamma.map(Math.abs), shape) };
      const residual = added && tf.tensor(added, [n, c]);
      const given = tf.tensor(x, [n, c]);
      const [y, statistics, sum = given] = run(
        'Normalize',
        { x: given, residual, ...parameters },
        attrs,
      ) as tf.Tensor[];
      const inputs = { dy: tf.tensor(dy, [n, c]), dsum: residual, x: sum!, statistics: statistics!, ...parameters };
      const gradients = run('NormalizeGrad', inputs, { ...attrs, affine: true }) as tf.Tensor[];
      return [y!, sum!, ...gradients].map((t) => t.dataSync() as Float32Array);
    };
    const [x, residual, dy] = [wave(4 * c, 3, 0.7), wave(4 * c, 1, 0.3), wave(4 * c, 0.5, 1.3)];
    const gamma = wave(2 * c, 2, 0.1);
    const before = tf.backend().numDataIds();
    tf.tidy(() => {
      const together = ofRows(x, dy, gamma, residual);
      const lastOf = (values: Float32Array) => values.subarray(values.length / 2);
      const added = lastOf(residual);
      const sum = lastOf(x).map((value, i) => value + added[i]!);
      const [y, , dx, ...ofParameters] = ofRows(sum, lastOf(dy), lastOf(gamma));
      const right = [y!, sum, dx!.map((value, i) => value + added[i]!), ...ofParameters];
      // Some of the millions: to compare all would take longer than what is tested.
      const some = (values: Float32Array) => values.filter((_, i) => i % 997 === 0);
      for (const [i, values] of right.entries()) {
        expect(some(lastOf(together[i]!))).toBeClose(some(values), { ofMax: 1e-6 });
      }
    });
    expect(tf.backend().numDataIds()).toBe(before);
  });

  test('a gradient that comes again and again does not round a sum away, with parameters for each position', () => {
    const [s, c] = [65_537, 4];
    const view = { n: 1, s, c, groups: c, rowsPerCondition: 1 };
    const attrs = { view, epsilon: 1e-3, epsilonPlacement: 'inside', center: true, rescale: true } as const;
    const equal = 0.1 / 7;
    tf.tidy(() => {
      const [x, gamma, dy] = [tf.tensor(wave(s * c, 3, 0.7), [s, c]), tf.ones([s, c]), tf.fill([s, c], equal)];
      const [, statistics] = run('Normalize', { x, gamma }, attrs) as [tf.Tensor, tf.Tensor];
      const [dx] = run('NormalizeGrad', { dy, x, statistics, gamma }, { ...attrs, affine: true });
      expect(dx.dataSync()).toBeClose(new Float32Array(s * c), { atol: 1e-6 * equal });
    });
  });

  test('integers that a cast has left in their array count as floats', () => {
    tf.tidy(() => {
      const x = tf.tensor2d([1, 2, 5, 7], [2, 2]);
      const [mean, variance] = [tf.tensor1d([1, 2], 'int32'), tf.tensor1d([3, 5], 'int32')];
      const y = batchNorm(x, { mean, variance }).y.dataSync();
      const right = batchNorm(x, { mean: tf.tensor1d([1, 2]), variance: tf.tensor1d([3, 5]) }).y.dataSync();
      expect(y).toEqual(right);
      expect(Array.from(y).some((value) => !Number.isInteger(value))).toBe(true);
    });
  });

  test('memory that a large matrix takes is given back', () => {
    const before = host()!.bytes;
    tf.tidy(() => spectralNorm(tf.ones([5000, 5000]), { u: tf.ones([1, 5000]) }).sigma.dataSync());
    expect(largest).toBeGreaterThan(64 * MB);
    expect(host()!.bytes).toBeLessThanOrEqual(Math.max(before, MB));
  });

  test('what needs more memory than there is, is refused by name before it starts', () => {
    expect(() => host()!.take(2 ** 30)).toThrow(
      /^tfjs-normalizations: a kernel of the cpu backend needs \d+ bytes of WebAssembly memory, of which there are 2147483648 at most; split the tensor/,
    );
  });

  test('the memory of very many columns is told in full, so that it is refused', () => {
    const size = host()!.kernels.formSize(2 ** 26, 2 ** 26, true);
    expect(size).toBe(128 + 64 * 2 ** 26); // for each the coefficients, its sums and the gradients of its parameters
    expect(() => host()!.take(size / 4)).toThrow('of WebAssembly memory, of which there are 2147483648 at most');
  });
};

describeBackends('memory', tests, { only: ['cpu'] });
