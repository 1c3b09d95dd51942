/** Which kernels serve which backend. What the kernels compute is tested elsewhere. */
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { fused, has, isHalf, register } from '../../kernels/core/registry.ts';
import { cpu } from '../../kernels/cpu/index.ts';
import { layerNorm, normalizationKernels, registerKernels } from '../../layers/index.ts';

afterAll(async () => {
  await tf.setBackend('cpu');
});

const kernelsOf = async (backend: string) => {
  await tf.setBackend(backend);
  const { kernelNames } = await tf.profile(() => layerNorm(tf.tensor2d([[1, 2, 3, 4]])));
  return kernelNames.filter((name) => name.startsWith('tfjs-normalizations/'));
};

test('a backend of another name runs the kernels that registerKernels gives it, and ordinary ops before', async () => {
  tf.registerBackend('mine', tf.findBackendFactory('cpu') as () => tf.KernelBackend);
  tf.copyRegisteredKernels('cpu', 'mine');
  for (const { kernelName } of tf.getKernelsForBackend('mine')) {
    if (kernelName.startsWith('tfjs-normalizations/')) tf.unregisterKernel(kernelName, 'mine');
  }
  expect(await kernelsOf('mine')).toEqual([]);
  registerKernels('mine', 'cpu');
  expect(await kernelsOf('mine')).toEqual(['tfjs-normalizations/2/Normalize']);
  expect(await kernelsOf('cpu')).toEqual(['tfjs-normalizations/2/Normalize']);
});

test('there are no kernels of an unknown name', () => {
  expect(() => registerKernels('theirs')).toThrow(
    "registerKernels: there are kernels for cpu, tensorflow, wasm, webgl, webgpu, mine; received 'theirs'; name one of them as like",
  );
});

describe('what a set of kernels says of itself', () => {
  const useBackend = async (name: string) => {
    tf.registerBackend(name, tf.findBackendFactory('cpu') as () => tf.KernelBackend);
    await tf.setBackend(name);
  };

  test('a backend without a set has nothing, and gets all once there is one', async () => {
    await useBackend('bare');
    expect(normalizationKernels()).toEqual({ backend: 'bare', kernels: 'composed' });
    expect([fused(), has('SwapAxes'), isHalf()]).toEqual([false, false, false]);
    register(cpu, 'bare');
    expect(normalizationKernels()).toEqual({ backend: 'bare', kernels: 'fused' });
    expect([fused(), has('SwapAxes'), has('Spread'), isHalf()]).toEqual([true, true, false, false]);
  });

  test('a set that cannot run is asked once, and not used', async () => {
    await useBackend('old');
    const supported = jest.fn(() => false);
    register({ ...cpu, supported, isHalf: () => true, describe: () => 'SIMD' }, 'old');
    expect(normalizationKernels()).toEqual({ backend: 'old', kernels: 'composed' });
    expect([fused(), has('SwapAxes'), isHalf()]).toEqual([false, false, false]);
    expect(supported).toHaveBeenCalledTimes(1);
  });

  test('what describes itself as native is native, and all else fused; 16-bit floats come and go', async () => {
    await useBackend('described');
    const set = { ...cpu, describe: jest.fn((_: unknown) => 'native: of 2 threads'), isHalf: jest.fn(() => true) };
    register(set, 'described');
    expect(normalizationKernels()).toEqual({
      backend: 'described',
      kernels: 'native',
      details: 'native: of 2 threads',
    });
    expect(set.describe).toHaveBeenCalledWith(tf.backend());
    set.describe.mockReturnValue('ops, since the native kernels are not there; else native');
    expect(normalizationKernels()).toMatchObject({ kernels: 'fused', details: set.describe(undefined) });
    expect(isHalf()).toBe(true);
    set.isHalf.mockReturnValue(false);
    expect(isHalf()).toBe(false);
  });

  test('a set that is registered again is not asked again', async () => {
    await useBackend('twice');
    const set = { ...cpu, supported: jest.fn(() => true) };
    register(set, 'twice');
    expect(fused()).toBe(true);
    register(set, 'twice');
    expect(fused()).toBe(true);
    expect(set.supported).toHaveBeenCalledTimes(1);
    // Another copy of the package has the same kernels: the first ones stay.
    const name = 'tfjs-normalizations/2/SwapAxes';
    const first = tf.getKernel(name, 'twice');
    register({ ...cpu, kernels: { ...cpu.kernels, SwapAxes: () => [] as never } }, 'twice');
    expect(tf.getKernel(name, 'twice')).toBe(first);
    expect(first.kernelFunc).toBe(cpu.kernels.SwapAxes);
  });
});
