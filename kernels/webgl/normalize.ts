/** The kernels `Normalize` and `NormalizeGrad`: the draws that write y and dx, and which sums they need. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { NormalizeAttrs, NormalizeGradAttrs } from '../contract.ts';
import { type Gpu, isHalfPrecision, kernel, type Texture } from './backend.ts';
import { elementwise, firstValues } from './elementwise.ts';
import { item, pivots, spread } from './glsl.ts';
import { type Layout, layoutOf, wholeColumns } from './layout.ts';
import { isOurs, type Statistics, statistics } from './statistics.ts';
import { groupMeans, overLines, reduced, type Sums, sumsOfParts, totals } from './sums.ts';

const IS_SMALL = 'lessThanEqual(deviation, vec2(epsilon))';

/** GLSL of what depends on the placement of epsilon, by lane; see `NormalizeGradAttrs`. */
const PLACEMENTS = {
  inside: { reciprocal: 'inversesqrt(deviation * deviation + epsilon)', slope: 'rstd * rstd', direct: 'rstd' },
  outside: {
    reciprocal: '1. / (deviation + epsilon)',
    slope: 'mix(vec2(0.), rstd / deviation, notEqual(deviation, vec2(0.)))',
    direct: 'rstd',
  },
  floor: {
    reciprocal: `1. / mix(deviation, vec2(epsilon), ${IS_SMALL})`,
    slope: `mix(rstd * rstd, vec2(0.), ${IS_SMALL})`,
    direct: `mix(rstd, vec2(0.), ${IS_SMALL})`,
  },
  none: { reciprocal: 'vec2(1.)', slope: 'vec2(0.)', direct: 'rstd' },
};

/**
 * `reciprocal`: 1 / f. `direct`: the same where dx is not 0. `slope`: k / f^2, by which x - mean turns up in dx.
 */
function divisor({ rescale, epsilonPlacement }: NormalizeAttrs): string {
  const { reciprocal, slope, direct } = PLACEMENTS[rescale ? epsilonPlacement : 'none'];
  return `
vec2 reciprocal(vec2 deviation) { return ${reciprocal}; }
vec2 direct(vec2 deviation, vec2 rstd) { return ${direct}; }
vec2 slope(vec2 deviation, vec2 rstd) { return ${slope}; }`;
}

const vector = (gpu: Gpu, info: TensorInfo | undefined): Texture | undefined =>
  info && gpu.texture(info, [1, 1, info.shape[0] as number]);

/** GLSL: statistics of a texel's lines. */
const found = ({ alongRows }: Layout) =>
  `vec4 found = statisticsTexel(mains + ${alongRows ? 'row' : 'line * columns + column'});`;

/** GLSL: x minus its mean, in two steps of which the first is exact. */
const centred = (layout: Layout, center: boolean) =>
  `xHere(row, column)${center ? ` - ${firstValues(layout)}.${spread(layout)} - found.xy.${spread(layout)}` : ''}`;

export const normalize = kernel((gpu, inputs, attrs: NormalizeAttrs) => {
  const { view, center, epsilon, yOnly = false } = attrs;
  const x = inputs.x as TensorInfo;
  const layout = layoutOf(view, gpu.packedShape(x));
  const activations = gpu.texture(x, layout.shape);
  const { texture, mains } = statistics(gpu, activations, layout, center, !yOnly);
  const gamma = vector(gpu, inputs.gamma);
  const beta = vector(gpu, inputs.beta);
  const y = elementwise(gpu, activations, {
    name: 'normalize',
    layout,
    functions: divisor(attrs),
    statements: `
  ${found(layout)}
  value = (${centred(layout, center)}) * ${gamma ? 'gammaInColumn(0, column).xyxy * ' : ''}reciprocal(found.zw).${spread(layout)};
  ${beta ? 'value += betaInColumn(0, column).xyxy;' : ''}`,
    textures: { statistics: texture, gamma, beta },
    integers: { mains },
    floats: { epsilon },
  });
  const result = gpu.give(y, x.shape, layout.shape);
  return yOnly ? [result] : [result, gpu.give(texture, [2, layout.units])];
});

interface Operands {
  readonly layout: Layout;
  readonly attrs: NormalizeGradAttrs;
  readonly x: Texture;
  readonly dy: Texture;
  readonly gamma: Texture | undefined;
  readonly statistics: Statistics;
}

/** What sums of dy and dy xHat have in common, whichever way they are taken. */
const terms = ({ x, dy, statistics, layout, attrs }: Operands) => ({
  functions: `${divisor(attrs)} ${pivots(layout)}`,
  textures: { x, dy, statistics: statistics.texture },
  integers: { mains: statistics.mains },
  floats: { epsilon: attrs.epsilon },
});

/** Sums over the texels of each line, whose statistics are the line's own; along rows dy is weighted by gamma. */
function sumsOfGroups(gpu: Gpu, operands: Operands): Sums {
  const { layout, attrs, gamma } = operands;
  const { alongRows, view } = layout;
  const weight = (k: string) => (alongRows && gamma ? ` * gammaAt(0, ${k}).xyxy` : '');
  const common = terms(operands);
  return sumsOfParts(gpu, layout, layout.columns, alongRows ? view.c : view.s, {
    ...common,
    textures: { ...common.textures, gamma: alongRows ? gamma : undefined },
    before: `vec4 found = statisticsTexel(mains + line * across + column);
  ${attrs.center ? 'vec4 pivot = pivots(line, column).xxyy;' : ''}`,
    d: (k) => item(layout, 'dy', k) + weight(k),
    h: (k) => item(layout, 'x', k) + (attrs.center ? ' - pivot - found.xxyy' : ''),
    factor: 'reciprocal(found.zw)',
  });
}

/** Sums down the columns where groups are rows: every texel row has statistics of its own. */
function sumsOfChannels(gpu: Gpu, operands: Operands): Sums {
  const { layout, attrs } = operands;
  const common = terms(operands);
  const h = attrs.center ? '(xAt(k, column) - pivots(k, 0).xxyy - found.xxyy)' : 'xAt(k, column)';
  return sumsOfParts(gpu, wholeColumns(layout), layout.columns, layout.view.n, {
    ...common,
    functions: `${common.functions}
vec4 xHat(int k, int column) {
  vec4 found = statisticsTexel(mains + k);
  return ${h} * reciprocal(found.zw).xxyy;
}`,
    before: '',
    d: (k) => `dyAt(${k}, column).xzyw`,
    h: (k) => `xHat(${k}, column).xzyw`,
    factor: 'vec2(1.)',
  });
}

/** Where `dx` finds mean(D) and mean(D xHat): in the means of groups, or from dbeta and dgamma of a batch. */
type Means = { readonly means: Texture } | { readonly dgamma: Texture; readonly dbeta: Texture };

function writeDx(gpu: Gpu, { layout, attrs, x, dy, gamma, statistics }: Operands, sums: Means): Texture {
  const { center, epsilon } = attrs;
  const lanes = spread(layout);
  const weight = gamma ? ' * gammaInColumn(0, column).xyxy' : '';
  const means =
    'means' in sums
      ? `meansTexel(${layout.alongRows ? 'row' : 'line * columns + column'})`
      : `vec4(dbetaInColumn(0, column).xy, dgammaInColumn(0, column).xy) * share${weight}`;
  return elementwise(gpu, x, {
    name: 'gradient of x',
    layout,
    functions: divisor(attrs),
    statements: `
  ${found(layout)}
  vec4 means = ${means};
  vec2 rstd = reciprocal(found.zw);
  value = (dyHere(row, column)${weight}${center ? ` - means.xy.${lanes}` : ''}) * direct(found.zw, rstd).${lanes};
  value -= (${centred(layout, center)}) * (slope(found.zw, rstd) * means.zw).${lanes};`,
    textures: { dy, statistics: statistics.texture, gamma, ...sums },
    integers: { mains: statistics.mains },
    floats: { epsilon, share: 1 / layout.view.s },
  });
}

export const normalizeGrad = kernel((gpu, inputs, attrs: NormalizeGradAttrs) => {
  const { view, center, affine } = attrs;
  const x = inputs.x as TensorInfo;
  const moments = inputs.moments as TensorInfo;
  const layout = layoutOf(view, gpu.packedShape(x));
  const activations = gpu.texture(x, layout.shape);
  const operands: Operands = {
    layout,
    attrs,
    x: activations,
    dy: gpu.texture(inputs.dy as TensorInfo, layout.shape),
    gamma: vector(gpu, inputs.gamma),
    statistics: isOurs(moments.dataId, layout)
      ? { texture: gpu.texture(moments, moments.shape), mains: layout.pairs }
      : statistics(gpu, activations, layout, center, false),
  };
  const sums = sumsOfGroups(gpu, operands);
  const give = (dx: Texture, parameters: Texture[]) => [
    gpu.give(dx, x.shape, layout.shape),
    ...parameters.map((texture) => gpu.give(texture, [view.c])),
  ];

  const parameters = () => {
    const perChannel = overLines(gpu, layout.alongRows ? sumsOfChannels(gpu, operands) : sums);
    const count = layout.alongRows ? view.n : view.s;
    const [dgamma, dbeta] = (['dh', 'd'] as const).map((which) => totals(gpu, perChannel, which, 1, view.c, count));
    return { dgamma, dbeta } as { dgamma: Texture; dbeta: Texture };
  };
  // For a batch the two sums are the gradients of the parameters, unless those may overflow.
  const isBatch = !layout.alongRows && view.n === 1 && view.groups === view.c && !isHalfPrecision();
  if (affine && isBatch) {
    const { dgamma, dbeta } = parameters();
    return give(writeDx(gpu, operands, { dgamma, dbeta }), [dgamma, dbeta]);
  }
  const means = layout.alongRows ? reduced(gpu, sums, 1).texture : groupMeans(gpu, sums, layout, operands.gamma);
  const dx = writeDx(gpu, operands, { means });
  if (!affine) return give(dx, []);
  const { dgamma, dbeta } = parameters();
  return give(dx, [dgamma, dbeta]);
});
