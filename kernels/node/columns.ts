/**
 * Normalize where a group is not a row: Group, Instance, and cases of Batch that batch.ts does not serve. TensorFlow takes sums of
 * x [n, s, c] over s; the sums of the channels of a group are added here, so that a NaN cannot leave its group.
 */
import type { NormalizeAttrs, NormalizeGradAttrs } from '../core/contract.ts';
import type { View } from '../core/view.ts';
import { apply, applyPerChannel } from './affine.ts';
import type { Call, Value } from './backend.ts';
import type { Backward, Forward, Gradients, Normalized } from './route.ts';
import {
  centre,
  floorOf,
  type Layout,
  layoutOf,
  means,
  meansOf,
  needsCentring,
  parameter,
  perChannel,
  reciprocals,
  spread,
  spreadChannels,
  uncentred,
} from './statistics.ts';
import { ROWS, sums } from './sums.ts';

type Numbers = ArrayLike<number>;

export function forward(call: Call, { x, gamma, beta }: Forward, attrs: NormalizeAttrs): Normalized {
  const { view, center, rescale } = attrs;
  const layout = layoutOf(view);
  const x3 = call.reshape(x, layout.shape);
  const { xc, mean, variance } = center ? centre(call, x3, layout, floorOf(attrs)) : uncentred(call, x3, layout);
  const r = reciprocals(variance, attrs);
  const gammas = gamma && call.read(gamma);
  const scale = rescale
    ? perColumn(call, view, layout, (group, i) => (r[group] as number) * (gammas?.[i] ?? 1))
    : gamma && parameter(call, gamma, layout);
  const parameters = { scale, shift: beta && parameter(call, beta, layout) };
  const y =
    view.n === 1 ? applyPerChannel(call, xc, parameters, layout.shape[2] as number) : apply(call, xc, parameters);
  return { y, mean, variance };
}

/**
 * dx = dy gamma r - xc k r^3 mean(D xc) - r mean(D), where xc = x - mean and r = 1 / f.
 *
 * The saved mean is rounded to float32. Its rounding error, delta = mean(xc), matters if the mean is many deviations from 0, and in
 * sums over long columns. In long columns with one channel per group dy is centred instead, which leaves dx and dgamma the same:
 * then delta does not matter, nor do rounding errors of sums of nearly equal values.
 */
export function backward(call: Call, { dy, x, gamma, saved }: Backward, attrs: NormalizeGradAttrs): Gradients {
  const { view, center, rescale, affine } = attrs;
  const layout = layoutOf(view);
  const x3 = call.reshape(x, layout.shape);
  let dy3 = call.reshape(dy, layout.shape);
  const xc = center ? call.sub(x3, spread(call, saved.mean, layout)) : x3;
  const far = center && needsCentring(saved.mean, saved.variance, floorOf(attrs));
  const long = center && view.s > ROWS;
  const centresDy = long && !far && view.groups === view.c;
  const delta = (far || long) && !centresDy ? meansOf(call, xc, layout) : undefined;
  const sumOfDy = () => perChannel(sums(call, dy3), layout);
  const sumDyFirst = centresDy ? sumOfDy() : undefined;
  if (sumDyFirst) dy3 = call.sub(dy3, spread(call, means(sumDyFirst, layout), layout));
  const gammas = gamma ? call.read(gamma) : new Float32Array(view.c).fill(1);
  const product = call.mul(dy3, xc);
  const sumDyXc = perChannel(sums(call, product), layout);
  call.free(product);
  const sumDy = sumDyFirst ?? sumOfDy();
  const { dgamma, dbeta, meanD, meanDxc } = fold(view, layout.count, gammas, { r: saved.r, delta, sumDy, sumDyXc });

  const { r, k, rOrZero } = saved;
  const at = (values: Float64Array, group: number) => values[group] as number;
  const scale = (group: number, channel: number) => (gammas[channel] as number) * at(rOrZero, group);
  const slope = (group: number) => at(k, group) * at(r, group) ** 2 * at(meanDxc, group) * at(rOrZero, group);
  const shift = (group: number) => {
    const alongDelta = delta && rescale ? slope(group) * at(delta, group) : 0;
    return at(meanD, group) * at(rOrZero, group) - alongDelta;
  };
  let dx = dy3;
  if (rescale || gamma) dx = call.replace(dx, call.mul(dx, perColumn(call, view, layout, scale)));
  if (rescale) {
    const along = call.replace(xc, call.mul(xc, perColumn(call, view, layout, slope)));
    dx = call.replace(dx, call.sub(dx, along));
    call.free(along);
  }
  if (center && !centresDy) dx = call.replace(dx, call.sub(dx, perColumn(call, view, layout, shift)));
  return affine ? { dx, dgamma, dbeta } : { dx };
}

interface Sums {
  readonly r: Float64Array;
  readonly delta: Float64Array | undefined;
  readonly sumDy: Numbers;
  readonly sumDyXc: Numbers;
}

/** From the sums over s of dy and of dy xc: the gradients of the parameters, and per group the means of D and D xc. */
function fold(view: View, count: number, gammas: Numbers, { r, delta, sumDy, sumDyXc }: Sums) {
  const dgamma = new Float64Array(view.c);
  const dbeta = new Float64Array(view.c);
  const meanD = new Float64Array(r.length);
  const meanDxc = new Float64Array(r.length);
  const add = (to: Float64Array, i: number, value: number) => {
    to[i] = (to[i] as number) + value;
  };
  eachColumn(view, (group, channel, i) => {
    const share = (gammas[channel] as number) / count;
    const dy = sumDy[i] as number;
    const dyXc = (sumDyXc[i] as number) - (delta ? (delta[group] as number) * dy : 0);
    add(dbeta, channel, dy);
    add(dgamma, channel, dyXc * (r[group] as number));
    add(meanD, group, share * dy);
    add(meanDxc, group, share * dyXc);
  });
  return { dgamma, dbeta, meanD, meanDxc };
}

/** A number per example and channel as a tensor that is broadcast to x. */
function perColumn(call: Call, view: View, layout: Layout, f: (group: number, channel: number) => number): Value {
  const values = new Float32Array(view.n * view.c);
  eachColumn(view, (group, channel, i) => {
    values[i] = f(group, channel);
  });
  return spreadChannels(call, values, layout);
}

function eachColumn({ n, c, groups }: View, f: (group: number, channel: number, i: number) => void): void {
  const d = c / groups;
  for (let group = 0, i = 0; group < n * groups; group++) {
    const first = (group % groups) * d;
    for (let channel = first; channel < first + d; channel++) f(group, channel, i++);
  }
}
