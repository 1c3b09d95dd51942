/** The kernels of the blended form, and moving averages. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { isDivisor } from '../core/numbers.ts';
import type { View } from '../core/view.ts';
import { apply, applyPerChannel, batchNormalize, fourAxes } from './affine.ts';
import { type Call, kernel, type Value } from './backend.ts';
import { centre, layoutOf, momentsOf, reciprocals } from './statistics.ts';
import { sums } from './sums.ts';

export const Moments = kernel<'Moments'>((call, { x }, { view }) => {
  const layout = layoutOf(view);
  const { mean, variance } = centre(call, call.reshape(call.input(x), layout.shape), layout, 0);
  return [momentsOf(call, mean, variance)];
});

/** x and a parameter of n * c values in shapes that broadcast: [.., c] and [c], or [n, s, c] and [n, 1, c]. */
const activations = (call: Call, x: TensorInfo, { n, s, c }: View): Value =>
  n === 1 ? call.input(x) : call.reshape(call.input(x), [n, s, c]);
const parameter = (call: Call, p: TensorInfo, { n, c }: View): Value =>
  call.reshape(call.input(p), n === 1 ? [c] : [n, 1, c]);

export const ScaleShift = kernel<'ScaleShift'>((call, inputs, { view, epsilon }) => {
  const { n, c } = view;
  const x = activations(call, inputs.x, view);
  const [mean, variance, scale, shift] = [inputs.mean, inputs.variance, inputs.scale, inputs.shift].map(
    (p) => p && parameter(call, p, view),
  );
  if (n === 1 && variance && isDivisor(epsilon)) {
    const y = batchNormalize(call, fourAxes(call, x, c), { mean, variance, scale, shift }, c, epsilon);
    return [call.output(y, inputs.x.shape)];
  }
  const affine = { mean, scale: variance ? standardized(call, variance, scale, epsilon) : scale, shift };
  const y = n === 1 ? applyPerChannel(call, x, affine, c) : apply(call, x, affine);
  return [call.output(y, inputs.x.shape)];
});

/** scale / sqrt(variance + epsilon). */
function standardized(call: Call, variance: Value, scale: Value | undefined, epsilon: number): Value {
  const r = reciprocals(new Float64Array(call.read(variance)), { epsilon, epsilonPlacement: 'inside' });
  const scales = scale && call.read(scale);
  return call.constant(scales ? r.map((r, i) => r * (scales[i] as number)) : r, variance.shape);
}

export const ScaleShiftGrad = kernel<'ScaleShiftGrad'>((call, { dy, x, mean }, { view }) => {
  const { n, s, c } = view;
  const dy3 = call.reshape(call.input(dy), [n, s, c]);
  const xc = call.sub(call.reshape(call.input(x), [n, s, c]), parameter(call, mean, view));
  const product = call.replace(xc, call.mul(dy3, xc));
  const sumOf = (values: Value) => call.small(new Float32Array(sums(call, values)), [n, c]);
  return [sumOf(product), sumOf(dy3)];
});

export const BlendGrad = kernel<'BlendGrad'>((call, inputs, { view }) => {
  const { n, c } = view;
  const [mean, a, b] = [inputs.mean, inputs.a, inputs.b].map((p) => parameter(call, p, view)) as [Value, Value, Value];
  const x = activations(call, inputs.x, view);
  const affine = { mean, scale: a, shift: b };
  const rest = n === 1 ? applyPerChannel(call, x, affine, c) : apply(call, x, affine);
  const direct = call.mul(activations(call, inputs.dy, view), parameter(call, inputs.scale, view));
  return [call.output(call.add(call.reshape(rest, direct.shape), direct), inputs.x.shape)];
});

/** In JavaScript: with so few numbers an op would take longer. */
export const Average = kernel<'Average'>((call, { old, moments }, { row, momentum }) => {
  const before = call.numbers(old);
  const both = call.numbers(moments);
  // The moments are the first columns of statistics, which another backend may have made wider.
  const start = (row * both.length) / 2;
  const after = new Float32Array(before.length);
  for (let i = 0; i < after.length; i++) {
    after[i] = momentum * (before[i] as number) + (1 - momentum) * (both[start + i] as number);
  }
  return [call.small(after, old.shape)];
});
