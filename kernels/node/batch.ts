/**
 * Normalize by TensorFlow's batch normalization ops, one forward and one backward. They add up a column in float32, one value after
 * the other: so the statistics of long columns are taken by other ops, and this one only applies them.
 */
import type { NormalizeAttrs, NormalizeGradAttrs } from '../core/contract.ts';
import { isDivisor } from '../core/numbers.ts';
import type { View } from '../core/view.ts';
import { batchNormalize, fourAxes } from './affine.ts';
import type { Call, Value } from './backend.ts';
import * as columns from './columns.ts';
import type { Backward, Forward, Gradients, Normalized } from './route.ts';
import {
  centre,
  centreAgain,
  type Layout,
  layoutOf,
  meansOf,
  needsCentring,
  parameter,
  ROUNDS,
  spread,
  subtract,
} from './statistics.ts';
import { PART, ROWS, sumOfRows } from './sums.ts';

/** Not on a GPU: there the reserved outputs of the op are not mean and variance. */
export const serves = (call: Call, { view, center, rescale, epsilon, epsilonPlacement }: NormalizeAttrs): boolean =>
  view.n === 1 &&
  view.groups === view.c &&
  center &&
  rescale &&
  epsilonPlacement === 'inside' &&
  isDivisor(epsilon) &&
  !call.backend.isUsingGpuDevice;

/**
 * Whether the op's own sums are exact enough. With many channels that holds for more rows: their error is at most 2e-6, unless most
 * values are equal, and other sums would take up to twice the time.
 */
const isShort = ({ s, c }: View) => s <= ROWS || (s <= 8 * ROWS && c >= 32);

/** The layout of these ops: each channel is one column. */
const asOneColumn = ({ s, c }: View): Layout => ({ shape: [1, s, c], statistics: [c], copies: 1, fold: 1, count: s });

/** The op centres by a float32 mean: if that is not exact enough, x is centred first, and the op runs again. */
export function forward(call: Call, inputs: Forward, attrs: NormalizeAttrs): Normalized {
  const { view, epsilon } = attrs;
  if (!isShort(view)) return forwardLong(call, inputs, attrs);
  const { x, gamma, beta } = inputs;
  const layout = asOneColumn(view);
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

/** For long columns: the op applies the mean, unless that is so many deviations from 0 that x has to be centred first. */
function forwardLong(call: Call, { x, gamma, beta }: Forward, { view, epsilon }: NormalizeAttrs): Normalized {
  const layout = layoutOf(view);
  const width = layout.shape[2] as number;
  const whole = call.reshape(x, layout.shape);
  const mean = meansOf(call, whole, layout);
  const meanTensor = spread(call, mean, layout);
  const squares = call.squaredDifference(whole, meanTensor);
  const variance = meansOf(call, squares, layout);
  call.free(squares);
  const far = needsCentring(mean, variance, epsilon);
  const statistics = far ? centre(call, whole, layout, epsilon) : { xc: whole, mean, variance };
  const parameters = {
    mean: far ? undefined : meanTensor,
    variance: spread(call, statistics.variance, layout),
    scale: gamma && parameter(call, gamma, layout),
    shift: beta && parameter(call, beta, layout),
  };
  const y = batchNormalize(call, fourAxes(call, statistics.xc, width), parameters, width, epsilon);
  return { y, mean: statistics.mean, variance: statistics.variance };
}

export function backward(call: Call, inputs: Backward, attrs: NormalizeGradAttrs): Gradients {
  const { view, epsilon, affine } = attrs;
  if (!isShort(view)) return columns.backward(call, inputs, attrs);
  const { dy, x, gamma, saved } = inputs;
  const { c } = view;
  const layout = asOneColumn(view);
  const far = needsCentring(saved.mean, saved.variance, epsilon);
  const centred = far ? centreAgain(call, call.reshape(x, layout.shape), saved, layout, epsilon) : x;
  const xc = fourAxes(call, centred, c);
  const given = [
    call.reshape(dy, xc.shape),
    xc,
    gamma ?? call.ones([c]),
    call.constant(far ? new Float32Array(c) : saved.mean),
    call.constant(saved.variance),
    call.constant(new Float32Array(0)),
  ];
  const [dx, dgamma, dbeta] = call.run('FusedBatchNormGradV3', given, { epsilon }, 5) as [Value, Value, Value];
  if (!affine) return { dx };
  // dy is often the same everywhere, as that of a mean is: then all rounding errors of its sum have the same sign.
  const sumDy = view.s > PART ? sumOfRows(call, call.reshape(dy, [view.s, c])) : call.read(dbeta);
  return { dx, dgamma: call.read(dgamma), dbeta: sumDy };
}
