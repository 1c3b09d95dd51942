/** The kernels `Normalize` and `NormalizeGrad`: the draws that write y and dx, and which sums they need. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { EpsilonPlacement, NormalizeAttrs, NormalizeGradAttrs } from '../contract.ts';
import { type Gpu, isHalfPrecision, kernel, type Texture } from './backend.ts';
import { DIVISOR, emit, item, paddingUniforms, pivots, place, spread } from './glsl.ts';
import { type Layout, layoutOf, lineUniforms, wholeColumns } from './layout.ts';
import { isOurs, type Statistics, statistics } from './statistics.ts';
import { groupMeans, overLines, reduced, type Sums, sumsOfParts, type Terms, totals } from './sums.ts';

const PLACEMENTS: Record<EpsilonPlacement, number> = { inside: 0, outside: 1, floor: 2 };
const NO_DIVISOR = 3;

const divisorUniforms = ({ rescale, epsilonPlacement, epsilon }: NormalizeAttrs) => ({
  integers: { placement: rescale ? PLACEMENTS[epsilonPlacement] : NO_DIVISOR },
  floats: { epsilon },
});

const vector = (gpu: Gpu, info: TensorInfo | undefined): Texture | undefined =>
  info && gpu.texture(info, [1, 1, info.shape[0] as number]);

/** GLSL: the line of a texel of x, and where its statistics are. */
const lineOf = ({ alongRows }: Layout) => `
  int line = ${alongRows ? 'row' : 'row / length'};
  vec4 found = statisticsTexel(mains + ${alongRows ? 'row' : 'line * columns + column'});`;

/** GLSL: x minus its mean, in two exact steps. */
const centred = (layout: Layout, center: boolean) => {
  const lanes = spread(layout);
  return center ? `xAt(row, column) - pivots(line, column).${lanes} - found.xy.${lanes}` : 'xAt(row, column)';
};

export const normalize = kernel((gpu, { x, gamma, beta }, attrs: NormalizeAttrs) => {
  const { view, center, yOnly = false } = attrs;
  const info = x as TensorInfo;
  const layout = layoutOf(view, gpu.packedShape(info));
  const activations = gpu.texture(info, layout.shape);
  const { texture, mains } = statistics(gpu, activations, layout, center, !yOnly);
  const { integers, floats } = divisorUniforms(attrs);
  const y = gpu.draw({
    name: 'normalize',
    source: `${DIVISOR} ${pivots(layout)} ${emit()}
void main() {
  ${place(activations, layout)}
  ${lineOf(layout)}
  vec4 y = (${centred(layout, center)}) * (reciprocal(found.zw).${spread(layout)}${gamma ? ' * gammaAt(0, column).xyxy' : ''});
  ${beta ? 'y += betaAt(0, column).xyxy;' : ''}
  emit(row, column, y);
}`,
    textures: { x: activations, statistics: texture, gamma: vector(gpu, gamma), beta: vector(gpu, beta) },
    integers: { columns: layout.columns, length: layout.length, mains, ...paddingUniforms(layout), ...integers },
    floats,
    size: activations,
  });
  const result = gpu.give(y, info.shape, layout.shape);
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
const terms = ({
  x,
  dy,
  statistics,
  layout,
  attrs,
}: Operands): Pick<Terms, 'functions' | 'textures' | 'integers' | 'floats'> => {
  const { integers, floats } = divisorUniforms(attrs);
  return {
    functions: `${DIVISOR} ${pivots(layout)}`,
    textures: { x, dy, statistics: statistics.texture },
    integers: { mains: statistics.mains, ...integers },
    floats,
  };
};

/** Sums over the texels of each line, whose statistics are the line's own; along rows dy is weighted by gamma. */
function sumsOfGroups(gpu: Gpu, operands: Operands): Sums {
  const { layout, attrs, gamma } = operands;
  const { alongRows, view } = layout;
  const weight = alongRows && gamma ? ' * gammaAt(0, k).xyxy' : '';
  const common = terms(operands);
  return sumsOfParts(gpu, layout, layout.columns, alongRows ? view.c : view.s, {
    ...common,
    textures: { ...common.textures, gamma: weight ? gamma : undefined },
    before: `vec4 found = statisticsTexel(mains + line * across + column);
  ${attrs.center ? 'vec4 pivot = pivots(line, column).xxyy;' : ''}`,
    d: item(layout, 'dy') + weight,
    h: item(layout, 'x') + (attrs.center ? ' - pivot - found.xxyy' : ''),
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
    d: 'dyAt(k, column).xzyw',
    h: 'xHat(k, column).xzyw',
    factor: 'vec2(1.)',
  });
}

/** Where `dx` finds mean(D) and mean(D xHat): in the means of groups, or from dbeta and dgamma of a batch. */
type Means = { readonly means: Texture } | { readonly dgamma: Texture; readonly dbeta: Texture };

function writeDx(gpu: Gpu, operands: Operands, found: Means): Texture {
  const { layout, attrs, x, dy, gamma, statistics } = operands;
  const lanes = spread(layout);
  const { integers, floats } = divisorUniforms(attrs);
  const weight = gamma ? 'gammaAt(0, column).xyxy' : '1.';
  const means =
    'means' in found
      ? 'meansTexel(line * across + lineColumn)'
      : `vec4(dbetaAt(0, column).xy, dgammaAt(0, column).xy) * (share * ${weight})`;
  return gpu.draw({
    name: 'gradient of x',
    source: `${DIVISOR} ${pivots(layout)} ${emit()}
/** k / f^2, with which xHat mean(D xHat) turns up in dx: xHat is (x - mean) / f already. */
vec2 slope(vec2 deviation, vec2 reciprocal) {
  vec2 square = reciprocal * reciprocal;
  if (placement == 0) return square;
  if (placement == 1) return mix(vec2(0.), reciprocal / deviation, notEqual(deviation, vec2(0.)));
  if (placement == 2) return mix(square, vec2(0.), lessThanEqual(deviation, vec2(epsilon)));
  return vec2(0.);
}
void main() {
  ${place(x, layout)}
  ${lineOf(layout)}
  int lineColumn = ${layout.alongRows ? '0' : 'column'};
  vec4 means = ${means};
  vec2 rstd = reciprocal(found.zw);
  vec2 direct = rstd;
  if (placement == 2) direct = mix(rstd, vec2(0.), lessThanEqual(found.zw, vec2(epsilon)));
  vec2 through = slope(found.zw, rstd) * means.zw;
  vec4 dx = (dyAt(row, column) * ${weight}${attrs.center ? ` - means.xy.${lanes}` : ''}) * direct.${lanes};
  emit(row, column, dx - (${centred(layout, attrs.center)}) * through.${lanes});
}`,
    textures: { x, dy, statistics: statistics.texture, gamma, ...found },
    integers: {
      ...lineUniforms(layout),
      ...{ columns: layout.columns, mains: statistics.mains, ...paddingUniforms(layout), ...integers },
    },
    floats: { ...floats, share: 1 / layout.view.s },
    size: x,
  });
}

export const normalizeGrad = kernel((gpu, inputs, attrs: NormalizeGradAttrs) => {
  const { view, center, affine } = attrs;
  const x = inputs['x'] as TensorInfo;
  const moments = inputs['moments'] as TensorInfo;
  const layout = layoutOf(view, gpu.packedShape(x));
  const activations = gpu.texture(x, layout.shape);
  const operands: Operands = {
    layout,
    attrs,
    x: activations,
    dy: gpu.texture(inputs['dy'] as TensorInfo, layout.shape),
    gamma: vector(gpu, inputs['gamma']),
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
