/** Normalize in TensorFlow's batch normalization ops, one each way. */
import type { NormalizeAttrs, NormalizeGradAttrs } from '../contract.ts';
import { isDivisor } from '../quotient.ts';
import { fourAxes } from './affine.ts';
import type { Call, Value } from './backend.ts';
import type { Backward, Forward, Gradients, Normalized } from './route.ts';
import { centreAgain, layoutOf, needsCentring, ROUNDS, subtract } from './statistics.ts';

/** On a GPU the reserved outputs are not mean and variance, which rules these ops out. */
export const serves = (call: Call, { view, center, rescale, epsilon, epsilonPlacement }: NormalizeAttrs): boolean =>
  view.n === 1 &&
  view.groups === view.c &&
  center &&
  rescale &&
  epsilonPlacement === 'inside' &&
  isDivisor(epsilon) &&
  !call.backend.isUsingGpuDevice;

/** The op centres by a float32 mean: where that is not enough, it runs again on the centred values. */
export function forward(call: Call, { x, gamma, beta }: Forward, attrs: NormalizeAttrs): Normalized {
  const { view, epsilon } = attrs;
  const layout = { ...layoutOf(view), statistics: [view.c] };
  const scale = gamma ?? call.ones([view.c]);
  const shift = beta ?? call.constant(new Float32Array(view.c));
  const none = call.constant(new Float32Array(0));
  const total = new Float64Array(view.c);
  let xc = fourAxes(call, x, view.c);
  for (let round = 1; ; round++) {
    const outputs = call.run('FusedBatchNormV3', [xc, scale, shift, none, none], { epsilon }, 6);
    const [y, , , mean, variance] = outputs as [Value, Value, Value, Value, Value, Value];
    const m = call.read(mean);
    const v = call.read(variance);
    call.free(...outputs.slice(1));
    if (round === ROUNDS || !needsCentring(m, v, epsilon)) {
      return { y, mean: total.map((t, i) => t + (m[i] as number)), variance: v };
    }
    call.free(y);
    xc = subtract(call, xc, m, total, layout);
  }
}

export function backward(call: Call, { dy, x, gamma, saved }: Backward, attrs: NormalizeGradAttrs): Gradients {
  const { view, epsilon, affine } = attrs;
  const { c } = view;
  const layout = layoutOf(view);
  const far = needsCentring(saved.mean, saved.variance, epsilon);
  const centred = far ? centreAgain(call, call.reshape(x, layout.shape), saved, layout, epsilon) : x;
  const xc = fourAxes(call, centred, c);
  const inputs = [
    call.reshape(dy, xc.shape),
    xc,
    gamma ?? call.ones([c]),
    call.constant(far ? new Float32Array(c) : saved.mean),
    call.constant(saved.variance),
    call.constant(new Float32Array(0)),
  ];
  const [dx, dgamma, dbeta] = call.run('FusedBatchNormGradV3', inputs, { epsilon }, 5) as [Value, Value, Value];
  return affine ? { dx, dgamma: call.read(dgamma), dbeta: call.read(dbeta) } : { dx };
}
