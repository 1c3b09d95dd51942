/** Which kernels serve which backend. What the kernels compute is tested elsewhere. */
import { afterAll, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { layerNorm, registerKernels } from '../../layers/index.ts';

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
