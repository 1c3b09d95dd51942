/**
 * How far a kernel's result may be from the float64 oracle, as a share of the largest expected value of that output. The
 * resolution of float32 is 6e-8; every step above it has its reason.
 */
import type { Route } from '../cases/kernels.ts';
import type { BackendName } from './backends.ts';
import type { Tolerance } from './matchers.ts';

/** Mean of x over its standard deviation, which is 1. */
export type Offset = number;
export type OutputKind = 'activations' | 'gradient' | 'sums' | 'means' | 'variances' | 'blended';

/** What the documentation promises of y, dx and dgamma on the cpu backend, at means of 0, 1e4 and 1e6. */
const PROMISE = 1e-6;

/** The composed reference keeps it too: it sums with TensorFlow.js's own ops, which sum in float64 on cpu. */
const COMPOSED: Record<BackendName, number> = {
  cpu: PROMISE,
  'browser-cpu': PROMISE,
  wasm: 2e-5, // sums thousands of values one after the other in float32
  'browser-wasm': 2e-5,
  'threaded-wasm': 2e-5,
  webgl: 2e-6, // sums in float32, in a tree
  webgpu: 2e-6,
  tensorflow: 2e-5, // as wasm, where it sums over an axis that is not the last
  'tensorflow-ops': 2e-5,
};

const FUSED: Record<BackendName, number> = {
  ...COMPOSED,
  wasm: PROMISE, // the kernels of cpu
  'browser-wasm': PROMISE,
  'threaded-wasm': PROMISE,
  webgl: 3e-6, // what is summed to dgamma and dbeta is float32 at every level
  webgpu: 3e-6,
  tensorflow: PROMISE, // native kernels, which sum as those of cpu do
  'tensorflow-ops': 1e-5, // TensorFlow sums 40000 rows in float32
};

export function kernelTolerance(backend: BackendName, route: Route, offset: Offset, kind: OutputKind) {
  const share = (route === 'kernel' ? FUSED : COMPOSED)[backend];
  const tolerance = (ofMax: number, atol = 0) => ({ ofMax, atol }) satisfies Tolerance;
  // A mean near 0 is what is left when values of about 1 cancel.
  if (kind === 'means') return tolerance(share, share);
  // Moments are float32 tensors: x minus a rounded mean is off by a share of the mean.
  if (kind === 'blended') return tolerance(share + 1.2e-7 * offset);
  return tolerance(share);
}
