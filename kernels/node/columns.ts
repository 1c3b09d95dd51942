/**
 * Normalize where a group is no row: Group, Instance, and what batch.ts leaves. TensorFlow sees x as [n, s, c] and takes
 * sums over s; they are folded into groups here, so that a NaN cannot leave its group.
 */
import type { NormalizeAttrs, NormalizeGradAttrs } from '../contract.ts';
import type { View } from '../view.ts';
import { apply, applyPerChannel } from './affine.ts';
import type { Call, Value } from './backend.ts';
import type { Backward, Forward, Gradients, Normalized } from './route.ts';
import { centre, centreAgain, floorOf, layoutOf, reciprocals, sums, uncentred } from './statistics.ts';

type Numbers = ArrayLike<number>;

export function forward(call: Call, { x, gamma, beta }: Forward, attrs: NormalizeAttrs): Normalized {
  const { view, center, rescale } = attrs;
  const layout = layoutOf(view);
  const x3 = call.reshape(x, layout.shape);
  const { xc, mean, variance } = center ? centre(call, x3, layout, floorOf(attrs)) : uncentred(call, x3, layout);
  const r = reciprocals(variance, attrs);
  const gammas = gamma && call.read(gamma);
  const scale = rescale ? perColumn(call, view, (group, i) => (r[group] as number) * (gammas?.[i] ?? 1)) : gamma;
  const parameters = { scale, shift: beta };
  const y = view.n === 1 ? applyPerChannel(call, xc, parameters, view.c) : apply(call, xc, parameters);
  return { y, mean, variance };
}

/** dx = dy gamma r - xc k r^3 mean(D xc) - r mean(D), where xc = x - mean and r = 1 / f. */
export function backward(call: Call, { dy, x, gamma, saved }: Backward, attrs: NormalizeGradAttrs): Gradients {
  const { view, center, rescale, affine } = attrs;
  const layout = layoutOf(view);
  const x3 = call.reshape(x, layout.shape);
  const dy3 = call.reshape(dy, layout.shape);
  const xc = center ? centreAgain(call, x3, saved, layout, floorOf(attrs)) : x3;
  const gammas = gamma ? call.read(gamma) : new Float32Array(view.c).fill(1);
  const product = call.mul(dy3, xc);
  const sumDyXc = sums(call, product, layout);
  call.free(product);
  const folded = fold(view, layout.count, gammas, saved.r, sums(call, dy3, layout), sumDyXc);
  const { dgamma, dbeta, meanD, meanDxc } = folded;

  const { r, k, rOrZero } = saved;
  const at = (values: Float64Array, group: number) => values[group] as number;
  const scale = (group: number, channel: number) => (gammas[channel] as number) * at(rOrZero, group);
  const slope = (group: number) => at(k, group) * at(r, group) ** 2 * at(meanDxc, group) * at(rOrZero, group);
  const shift = (group: number) => at(meanD, group) * at(rOrZero, group);
  let dx = dy3;
  if (rescale || gamma) dx = call.replace(dx, call.mul(dx, perColumn(call, view, scale)));
  if (rescale) {
    const along = call.replace(xc, call.mul(xc, perColumn(call, view, slope)));
    dx = call.replace(dx, call.sub(dx, along));
    call.free(along);
  }
  if (center) dx = call.replace(dx, call.sub(dx, perColumn(call, view, shift)));
  return affine ? { dx, dgamma, dbeta } : { dx };
}

/** From the sums over s of dy and of dy xc: the gradients of the parameters, and per group the means of D and D xc. */
function fold(view: View, count: number, gammas: Numbers, r: Float64Array, sumDy: Numbers, sumDyXc: Numbers) {
  const dgamma = new Float64Array(view.c);
  const dbeta = new Float64Array(view.c);
  const meanD = new Float64Array(r.length);
  const meanDxc = new Float64Array(r.length);
  const add = (to: Float64Array, i: number, value: number) => {
    to[i] = (to[i] as number) + value;
  };
  eachColumn(view, (group, channel, i) => {
    const share = (gammas[channel] as number) / count;
    add(dbeta, channel, sumDy[i] as number);
    add(dgamma, channel, (sumDyXc[i] as number) * (r[group] as number));
    add(meanD, group, share * (sumDy[i] as number));
    add(meanDxc, group, share * (sumDyXc[i] as number));
  });
  return { dgamma, dbeta, meanD, meanDxc };
}

/** A number per example and channel as a tensor that meets x: [n, 1, c], or [c] of one example. */
function perColumn(call: Call, view: View, f: (group: number, channel: number) => number): Value {
  const { n, c } = view;
  const values = new Float32Array(n * c);
  eachColumn(view, (group, channel, i) => {
    values[i] = f(group, channel);
  });
  return call.constant(values, n === 1 ? [c] : [n, 1, c]);
}

function eachColumn({ n, c, groups }: View, f: (group: number, channel: number, i: number) => void): void {
  const d = c / groups;
  for (let group = 0, i = 0; group < n * groups; group++) {
    const first = (group % groups) * d;
    for (let channel = first; channel < first + d; channel++) f(group, channel, i++);
  }
}
