/** The kernel `Normalize`. */
import { kernel } from './backend.ts';
import { reciprocal } from './divisor.ts';
import { elementwise, firstValues, vector } from './elementwise.ts';
import { layoutOf, oneChannelAsRows } from './layout.ts';
import { giveStatistics, statistics } from './statistics.ts';

export const normalize = kernel<'Normalize'>((gpu, inputs, attrs) => {
  const { center, epsilon, yOnly = false } = attrs;
  const { x } = inputs;
  const gamma = vector(gpu, inputs.gamma);
  const beta = vector(gpu, inputs.beta);
  const view = gamma || beta ? attrs.view : oneChannelAsRows(attrs.view);
  const layout = layoutOf(view, gpu.packedShape(x));
  const { alongRows } = layout;
  const activations = gpu.texture(x, layout.shape);
  const ofX = statistics(gpu, activations, layout, center, {
    moments: !yOnly,
    ...(alongRows ? {} : { affine: { attrs, gamma, beta } }),
  });
  const { texture, momentTexels } = ofX;

  const first = center ? ` - ${firstValues(layout)}.${alongRows ? 'xxyy' : 'xyxy'}` : '';
  const y = elementwise(gpu, activations, {
    name: 'normalize',
    layout,
    ...(alongRows
      ? {
          functions: reciprocal(attrs),
          statements: `
  vec4 found = statisticsTexel(momentTexels + row);
  value = (xHere(row, column)${first}${center ? ' - found.xxyy' : ''}) * reciprocal(found.zw).xxyy;
  ${gamma ? 'value *= gammaInFirstRow(column).xyxy;' : ''}
  ${beta ? 'value += betaInFirstRow(column).xyxy;' : ''}`,
          textures: { statistics: texture, gamma, beta },
          integers: { momentTexels },
          floats: { epsilon },
        }
      : {
          statements: `
  vec4 affine = statisticsInColumn(affines + line, column);
  value = (xHere(row, column)${first}) * affine.xyxy + affine.zwzw;`,
          textures: { statistics: texture },
          integers: { affines: momentTexels / layout.columns + layout.count },
        }),
  });
  const result = gpu.give(y, x.shape, layout.shape);
  return yOnly ? [result] : [result, giveStatistics(gpu, ofX)];
});
