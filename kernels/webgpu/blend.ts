/**
 * The kernels of the blended forms: `Moments`, and one multiplication and addition per element with coefficients of each
 * example and channel, in which statistics play no part: `ScaleShift`, `ScaleShiftGrad`, `BlendGrad`; and `Average`.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { View } from '../core/view.ts';
import { type Gpu, kernel, workgroupSize } from './backend.ts';
import { RECIPROCAL_ROOT } from './divisor.ts';
import { GROUP, groupIntegers, inFours, inGroup, inOnes, lanesOfGroups } from './lanes.ts';
import { sourceOf, statistics } from './statistics.ts';
import { sumsOf } from './sums.ts';

export const Moments = kernel<'Moments'>((gpu, { x }, attrs) => {
  const view = inFours(attrs.view);
  return [gpu.give(statistics(gpu, sourceOf(gpu, x, view, true), view, !attrs.asStatistics))];
});

/** A program with an invocation for each value of x, which computes `value` from that and the coefficients of index `i`. */
function elementwise(
  gpu: Gpu,
  name: string,
  x: TensorInfo,
  { s, c }: View,
  inputs: Record<string, TensorInfo | undefined>,
  statements: string,
  { functions = '', floats = {} } = {},
): TensorInfo {
  const size = x.shape.reduce((a, b) => a * b, 1);
  return gpu.run({
    name,
    source: `${functions}
fn main(index : i32) {
  if (index < uniforms.size) {
    let i = index / (uniforms.s * uniforms.c) * uniforms.c + index % uniforms.c;
    var value = xAt(index);
    ${statements}
    result[index] = value;
  }
}`,
    inputs: { x, ...inputs },
    integers: { size, s, c },
    floats,
    workgroups: Math.ceil(size / workgroupSize),
    shape: x.shape,
  });
}

export const ScaleShift = kernel<'ScaleShift'>((gpu, { x, mean, variance, scale, shift }, { view, epsilon }) => [
  gpu.give(
    elementwise(
      gpu,
      'scale and shift',
      x,
      view,
      { means: mean, variances: variance, scales: scale, shifts: shift },
      `
    ${mean ? 'value -= meansAt(i);' : ''}
    ${variance ? 'value *= reciprocalRoot(variancesAt(i) + uniforms.epsilon);' : ''}
    ${scale ? 'value *= scalesAt(i);' : ''}
    ${shift ? 'value += shiftsAt(i);' : ''}`,
      { functions: RECIPROCAL_ROOT, floats: { epsilon } },
    ),
  ),
]);

export const ScaleShiftGrad = kernel<'ScaleShiftGrad'>((gpu, { dy, x, mean }, { view }) => {
  const { n, s, c } = view;
  const channels = inOnes({ n, s, c, groups: c });
  const terms = {
    lanes: lanesOfGroups(channels),
    before: GROUP,
    walk: inGroup(channels),
    d: 'dyAt(at#)',
    h: 'xAt(at#) - meansAt(unit)',
    inputs: { dy },
    inputsOfH: { x, means: mean },
    integers: groupIntegers(channels),
  };
  const dshift = gpu.make([n, c]);
  const dscale = sumsOf(gpu, terms, [n, c], dshift);
  return [gpu.give(dscale), gpu.give(dshift)];
});

export const BlendGrad = kernel<'BlendGrad'>((gpu, { dy, x, mean, scale, a, b }, { view }) => [
  gpu.give(
    elementwise(
      gpu,
      'gradient of a blend',
      x,
      view,
      { dy, means: mean, scales: scale, a, b },
      'value = dyAt(index) * scalesAt(i) + (value - meansAt(i)) * aAt(i) + bAt(i);',
    ),
  ),
]);

export const Average = kernel<'Average'>((gpu, { old, moments }, { row, momentum }) => {
  const size = old.shape[0] as number;
  const average = gpu.run({
    name: 'moving average',
    source: `
fn main(index : i32) {
  if (index < uniforms.size) {
    result[index] = uniforms.momentum * oldAt(index) + (1.0 - uniforms.momentum) * momentsAt(uniforms.start + index);
  }
}`,
    inputs: { old, moments },
    integers: { size, start: row * (moments.shape[1] as number) },
    floats: { momentum },
    workgroups: Math.ceil(size / workgroupSize),
    shape: old.shape,
  });
  return [gpu.give(average)];
});
