/**
 * Normalize where s = 1, so that each group is a row of d contiguous values: Layer, RMS, Query-Key, and Group of dense features.
 * For operations with statistics TensorFlow sees x as [n * groups, d], for those with gamma and beta as [n, c].
 */
import type { NormalizeAttrs, NormalizeGradAttrs } from '../core/contract.ts';
import { applyPerChannel } from './affine.ts';
import type { Call, Value } from './backend.ts';
import type { Backward, Forward, Gradients, Normalized } from './route.ts';
import { centre, centreAgain, floorOf, layoutOf, reciprocals, spread, uncentred } from './statistics.ts';
import { sumAlongRows, sumOfRows, weightedSumOfRows } from './sums.ts';

export function forward(call: Call, { x, gamma, beta }: Forward, attrs: NormalizeAttrs): Normalized {
  const { view, center, rescale } = attrs;
  const layout = layoutOf(view);
  const rows = call.reshape(x, layout.shape);
  const { xc, mean, variance } = center ? centre(call, rows, layout, floorOf(attrs)) : uncentred(call, rows, layout);
  const xHat = rescale ? call.replace(xc, call.mul(xc, spread(call, reciprocals(variance, attrs), layout))) : xc;
  const y = applyPerChannel(call, call.reshape(xHat, [view.n, view.c]), { scale: gamma, shift: beta }, view.c);
  return { y, mean, variance };
}

export function backward(call: Call, inputs: Backward, attrs: NormalizeGradAttrs): Gradients {
  return attrs.view.groups === 1 ? wholeRows(call, inputs, attrs) : partsOfRows(call, inputs, attrs);
}

/**
 * dx = ((D - xc k r^2 mean(D xc)) - mean(D)) r, where xc = x - mean and r = 1 / f. The product dy xc serves for the means, with
 * gamma as weight, and for dgamma, with r as weight.
 */
function wholeRows(call: Call, { dy, x, gamma, saved }: Backward, attrs: NormalizeGradAttrs): Gradients {
  const { view, center, rescale, affine } = attrs;
  const layout = layoutOf(view);
  const d = layout.shape[1] as number;
  const { r, k, rOrZero } = saved;
  const dyRows = call.reshape(dy, layout.shape);
  const xc = centred(call, x, saved, attrs);

  const product = call.mul(dyRows, xc);
  const weights = new Float32Array(d).fill(1 / d);
  if (gamma) {
    const gammas = call.read(gamma);
    for (let i = 0; i < d; i++) weights[i] = (gammas[i] as number) / d;
  }
  const parameters = affine && {
    dgamma: weightedSumOfRows(call, Float32Array.from(r), product),
    dbeta: sumOfRows(call, dyRows),
  };
  const meanDxc = rescale ? call.take(sumAlongRows(call, product, weights)) : undefined;
  const meanD = center ? sumAlongRows(call, dyRows, weights) : undefined;
  call.free(product);

  let dx = dyRows;
  if (gamma) dx = call.replace(dx, call.mul(dx, gamma));
  if (meanDxc) {
    const slope = r.map((r, i) => (k[i] as number) * r * r * (meanDxc[i] as number));
    const along = call.replace(xc, call.mul(xc, spread(call, slope, layout)));
    dx = call.replace(dx, call.sub(dx, along));
    call.free(along);
  }
  if (meanD) dx = call.replace(dx, call.sub(dx, meanD));
  if (rescale) dx = call.replace(dx, call.mul(dx, spread(call, rOrZero, layout)));
  return { dx, ...parameters };
}

/** If a row has several groups, gamma differs between them: so D = gamma dy is made first, and xHat once more for dgamma. */
function partsOfRows(call: Call, { dy, x, gamma, saved }: Backward, attrs: NormalizeGradAttrs): Gradients {
  const { view } = attrs;
  const { n, c } = view;
  const dyc = call.reshape(dy, [n, c]);
  const D = gamma ? call.mul(dyc, gamma) : dyc;
  const { dx } = wholeRows(call, { dy: D, x, gamma: undefined, saved }, { ...attrs, affine: false });
  if (!attrs.affine) return { dx };
  const xHat = call.mul(centred(call, x, saved, attrs), spread(call, saved.r, layoutOf(view)));
  const dgamma = sumOfRows(call, call.mul(dyc, call.reshape(xHat, [n, c])));
  return { dx, dgamma, dbeta: sumOfRows(call, dyc) };
}

function centred(call: Call, x: Value, saved: Backward['saved'], attrs: NormalizeAttrs): Value {
  const layout = layoutOf(attrs.view);
  const shaped = call.reshape(x, layout.shape);
  return attrs.center ? centreAgain(call, shaped, saved, layout, floorOf(attrs)) : shaped;
}
