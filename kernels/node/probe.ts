/** Compares native kernels with those composed of TensorFlow's ops on a few small cases, before they are used. */
import { engine, Tensor, type TensorInfo, tensor, tidy } from '@tensorflow/tfjs-core';
import type { Attrs, Inputs, KernelSet, Name } from '../core/contract.ts';
import { conditionsOf, type View } from '../core/view.ts';
import type { NodePort } from './backend.ts';

export type Kernels = KernelSet<NodePort>['kernels'];
type Outputs = readonly Tensor[];

/** Rows, columns, groups; conditions of several samples, and of a part of one. */
const VIEWS: readonly View[] = [
  { n: 6, s: 1, c: 20, groups: 1 },
  { n: 1, s: 6, c: 20, groups: 20 },
  { n: 2, s: 3, c: 20, groups: 4 },
  { n: 16, s: 1, c: 20, groups: 1, rowsPerCondition: 8 },
  { n: 1, s: 16, c: 20, groups: 20, rowsPerCondition: 8 },
];
const FORM = { epsilon: 0.5, epsilonPlacement: 'inside', center: true, rescale: true } as const;
const TOLERANCE = 1e-4;

/** The first native kernel whose results differ, or undefined. Throws if an op does. */
export function firstDifference(expected: Kernels, native: Partial<Kernels>, backend: NodePort): Name | undefined {
  return tidy(() => {
    for (const view of VIEWS) {
      const wrong = differenceOn(view, expected, native, backend);
      if (wrong) return wrong;
    }
    return undefined;
  });
}

function differenceOn(view: View, expected: Kernels, native: Partial<Kernels>, backend: NodePort): Name | undefined {
  const { n, s, c } = view;
  const values = (seed: number, shape: number[]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return tensor(
      Float32Array.from({ length: size }, (_, i) => 1.5 + Math.sin(seed + i * i)),
      shape,
    );
  };
  const [x, dy, residual] = [1, 2, 3].map((seed) => values(seed, [n * s, c])) as [Tensor, Tensor, Tensor];
  const [gamma, beta] = [4, 5].map((seed) => values(seed, [conditionsOf(view) * c])) as [Tensor, Tensor];
  const [mean, variance, scale, shift] = [6, 7, 8, 9].map((seed) => values(seed, [n * c])) as Tensor[] as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  /** The results of the composed kernel; undefined if there is a native one with other results. */
  const both = <K extends Name & keyof Kernels>(
    name: K,
    inputs: Inputs<K, Tensor>,
    attrs: Attrs<K>,
  ): Outputs | undefined => {
    const run = (kernels: Partial<Kernels>) => {
      // TypeScript does not relate the type of a kernel to its name here.
      const kernel = kernels[name] as unknown as (call: object) => TensorInfo[];
      return kernel({ inputs, attrs, backend }).map(known);
    };
    const results = run(expected);
    return native[name] && !areClose(run(native), results) ? undefined : results;
  };
  const normalized = both('Normalize', { x, gamma, beta }, { ...FORM, view });
  if (!normalized) return 'Normalize';
  const [, statistics] = normalized as [Tensor, Tensor];
  const attrs = { ...FORM, view, affine: true };
  if (!both('Normalize', { x, residual, gamma }, { ...FORM, view })) return 'Normalize';
  if (!both('Normalize', { x }, { ...FORM, view, center: false, yOnly: true })) return 'Normalize';
  if (!both('NormalizeGrad', { dy, x, statistics, gamma }, attrs)) return 'NormalizeGrad';
  if (!both('NormalizeGrad', { dy, dsum: residual, x, statistics }, { ...attrs, affine: false }))
    return 'NormalizeGrad';
  if (!both('Moments', { x }, { view })) return 'Moments';
  if (!both('ScaleShift', { x, mean, variance, scale, shift }, { view, epsilon: 0.5 })) return 'ScaleShift';
  if (!both('ScaleShiftGrad', { dy, x, mean }, { view })) return 'ScaleShiftGrad';
  if (!both('BlendGrad', { dy, x, mean, scale, a: variance, b: shift }, { view })) return 'BlendGrad';
  const old = values(10, [statistics.shape[1] as number]);
  if (!both('Average', { old, moments: statistics }, { row: 1, momentum: 0.75 })) return 'Average';
  return undefined;
}

/** A result as a tensor that TensorFlow.js knows, and frees. */
const known = (info: TensorInfo): Tensor => (info instanceof Tensor ? info : engine().makeTensorFromTensorInfo(info));

function areClose(results: Outputs, expected: Outputs): boolean {
  return (
    results.length === expected.length &&
    results.every((result, k) => {
      const [a, b] = [result.dataSync(), (expected[k] as Tensor).dataSync()];
      return (
        a.length === b.length &&
        a.every((value, i) => Math.abs(value - (b[i] as number)) < TOLERANCE * (1 + Math.abs(value)))
      );
    })
  );
}
