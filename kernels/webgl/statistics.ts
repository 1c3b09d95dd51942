/**
 * The statistics of all groups in one texture, a packed tensor [2, k] with two columns to a texel. The first `momentTexels` texels are
 * the moments [2, n * groups] of the contract. The next region is for other programs, with a texel per line: the means *relative to
 * the first value of the line*, which are more exact than the moments, and the standard deviations, since variances overflow 16-bit
 * floats. For groups of channels regions with the factor and summand of y may follow, see `Affine`; and with 16-bit floats one with
 * the first values, from which moving averages are made.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type Gpu, isHalfPrecision } from './backend.ts';
import { conditionsOfSample, type Layout } from './layout.ts';
import { type Affine, merge } from './merge.ts';
import { partials } from './partials.ts';
import { atOnce, cut, divisorOf, MERGED } from './parts.ts';
import type { Texture } from './texture.ts';

export interface Statistics {
  readonly texture: Texture;
  readonly momentTexels: number;
  /** The number of texels that are used. */
  readonly texels: number;
}

interface Wanted {
  /** Whether to write the moments [2, n * groups]. */
  readonly moments: boolean;
  readonly affine?: Affine;
}

/** @param center false: means are 0, and variances mean squares */
export function statistics(gpu: Gpu, x: Texture, layout: Layout, center: boolean, wanted: Wanted): Statistics {
  const { alongRows, view } = layout;
  const momentTexels = wanted.moments ? layout.momentTexels : 0;
  const groupWidth = alongRows ? 1 : view.c / view.groups;
  const count = layout.count * layout.across;
  let state = partials(gpu, x, layout, center, isWhole(layout) ? momentTexels : 0);
  if (isWhole(layout)) return { texture: state.texture, momentTexels, texels: momentTexels + count };

  while (state.parts > 1 && state.parts * groupWidth > MERGED) {
    state = merge(gpu, x, layout, state, { center, momentTexels: 0, together: atOnce(state.parts), width: 1, step: 1 });
  }
  let step = 1;
  while (groupWidth / step > MERGED) {
    const width = step * divisorOf(groupWidth / step);
    if (width === step) break; // a large prime
    state = merge(gpu, x, layout, state, { center, momentTexels: 0, together: 1, width, step });
    step = width;
  }
  const { affine } = wanted;
  const hasFirstValues = momentTexels > 0 && isHalfPrecision();
  state = merge(gpu, x, layout, state, {
    center,
    momentTexels,
    together: state.parts,
    width: groupWidth,
    step,
    affine,
    hasFirstValues,
  });
  return {
    texture: state.texture,
    momentTexels,
    texels: momentTexels + regions(layout, affine !== undefined, hasFirstValues) * count,
  };
}

/** How many regions there are after the moments. */
const regions = (layout: Layout, hasAffine: boolean, hasFirstValues: boolean): number =>
  isWhole(layout) ? 1 : 1 + (hasAffine ? conditionsOfSample(layout) : 0) + Number(hasFirstValues);

/** Whether one draw takes all statistics: those of rows that are not cut. */
const isWhole = (layout: Layout): boolean => layout.alongRows && cut(layout).parts === 1;

/** The data of statistics that were made here: what others have after the moments, in as many columns, means nothing. */
const own = new WeakSet<TensorInfo['dataId']>();
export const areOwn = ({ dataId }: TensorInfo): boolean => own.has(dataId);

/** The tensor of statistics [2, k]: two columns for each texel. */
export function giveStatistics(gpu: Gpu, { texture, texels }: Statistics): TensorInfo {
  const info = gpu.give(texture, [2, 2 * texels]);
  own.add(info.dataId);
  return info;
}

/** Statistics that this backend has saved for the same layout; undefined for others. */
export function savedStatistics(gpu: Gpu, info: TensorInfo, layout: Layout): Statistics | undefined {
  if (!areOwn(info)) return undefined;
  const texels = (info.shape[1] as number) / 2;
  const count = layout.count * layout.across;
  const isForLayout = [false, true].some(
    (hasAffine) => texels === layout.momentTexels + regions(layout, hasAffine, isHalfPrecision()) * count,
  );
  return isForLayout
    ? { texture: gpu.texture(info, info.shape), momentTexels: layout.momentTexels, texels }
    : undefined;
}
