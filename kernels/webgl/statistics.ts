/**
 * The statistics of every group, in one texture. Its first `mains` texels are the tensor [2, n * groups] of means and
 * variances that the contract asks for. Then comes what other programs read, for every line: the means *relative to the
 * first value of the line*, which keeps digits that the tensor has no room for, and the standard deviations, since variances
 * overflow 16-bit floats. For groups of channels y's factor and summand may follow, see `Affine`; and with 16-bit floats
 * the first values, from which moving averages are made.
 */
import type { DataId, TensorInfo } from '@tensorflow/tfjs-core';
import { type Gpu, isHalfPrecision, type Texture } from './backend.ts';
import type { Layout } from './layout.ts';
import { type Affine, merge } from './merge.ts';
import { partials } from './partials.ts';
import { atOnce, cut, divisorOf, MERGED } from './parts.ts';

export interface Statistics {
  readonly texture: Texture;
  readonly mains: number;
}

interface Wanted {
  /** The tensor [2, n * groups]. */
  readonly moments: boolean;
  readonly affine?: Affine;
}

/** @param center false: means are 0, and variances mean squares */
export function statistics(gpu: Gpu, x: Texture, layout: Layout, center: boolean, wanted: Wanted): Statistics {
  const { alongRows, view } = layout;
  const mains = wanted.moments ? layout.mains : 0;
  const groupWidth = alongRows ? 1 : view.c / view.groups;
  const isWhole = alongRows && cut(layout).parts === 1;
  let state = partials(gpu, x, layout, center, isWhole ? mains : 0);
  if (isWhole) return remember(gpu, { texture: state.texture, mains }, layout);

  while (state.parts > 1 && state.parts * groupWidth > MERGED) {
    state = merge(gpu, x, layout, state, { center, mains: 0, together: atOnce(state.parts), width: 1, step: 1 });
  }
  let step = 1;
  while (groupWidth / step > MERGED) {
    const width = step * divisorOf(groupWidth / step);
    if (width === step) break; // a large prime
    state = merge(gpu, x, layout, state, { center, mains: 0, together: 1, width, step });
    step = width;
  }
  const { affine } = wanted;
  const firsts = mains > 0 && isHalfPrecision();
  state = merge(gpu, x, layout, state, {
    center,
    mains,
    together: state.parts,
    width: groupWidth,
    step,
    affine,
    firsts,
  });
  const count = layout.count * layout.across;
  return remember(
    gpu,
    { texture: state.texture, mains },
    layout,
    firsts ? mains + (affine ? 2 : 1) * count : undefined,
  );
}

/**
 * Tensors of moments that came from here, and in which texture and layout: the gradient takes any others from x anew. On the
 * way to another backend and back a tensor loses what follows it in its texture.
 */
const made = new WeakMap<DataId, Made>();
interface Made {
  readonly texture: unknown;
  readonly layout: string;
  /** In which texels the relative means and deviations of the lines begin, and their first values, where these are there. */
  readonly mains: number;
  readonly firsts: number | undefined;
}
const signature = ({ alongRows, rows, view }: Layout) =>
  [alongRows, alongRows && rows % 2 === 1 ? rows : 0, ...Object.values(view)].join();

function remember(gpu: Gpu, result: Statistics, layout: Layout, firsts?: number): Statistics {
  const { info } = result.texture;
  made.set(info.dataId, { texture: gpu.held(info), layout: signature(layout), mains: result.mains, firsts });
  return result;
}

export function isOurs(gpu: Gpu, info: TensorInfo, layout: Layout): boolean {
  return knownOf(gpu, info)?.layout === signature(layout);
}

/** What is known of a tensor of moments that came from here, and is where it was. */
export function knownOf(gpu: Gpu, info: TensorInfo): Made | undefined {
  const known = made.get(info.dataId);
  return known?.texture === gpu.held(info) ? known : undefined;
}
