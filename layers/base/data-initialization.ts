/** Where the lengths g of weight normalization start, here and in TensorFlow Addons: by the kernel, or by the first batch. */
import { abs, greater, max, mul, slice, sub, sum, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { constant } from '../../kernels/core/tape.ts';
import { standardizing, unitNorms } from '../../kernels/functions/weights.ts';
import { type Kernel, type Loan, lending, nameOf, reading } from './inner-layer.ts';
import type { Kwargs } from './options.ts';

/** Takes the place of the activation while the outputs before it are measured. */
const LINEAR = { apply: (x: Tensor) => x, getClassName: () => 'linear' };
/** Outputs of a unit that differ by less than this share of the largest are one output, and rounding. */
const ROUNDING = 1e-5;

type Layer = layers.Layer;

/** The norms of the units of a kernel, [units]. Warns of zeros: without a direction they have no gradient, nor has g. */
export function kernelNorms(wrapper: Layer, variable: LayerVariable, axes: readonly number[]): Tensor {
  const norms = unitNorms(variable.read(), axes);
  const zeros = norms.dataSync().filter((value) => value === 0).length;
  if (zeros > 0) {
    console.warn(
      `${wrapper.getClassName()}: ${zeros} of the ${norms.size} units in ${nameOf(variable)} of '${wrapper.name}' are zeros, ` +
        'which have no direction, so that training never moves them; use another initializer, such as glorotNormal',
    );
  }
  return norms;
}

/** The bias of a layer that has one. */
export const biasOf = (layer: object): LayerVariable | undefined =>
  (layer as { bias?: LayerVariable | null }).bias ?? undefined;

/** What the first batch says of g and the bias. */
interface FirstBatch {
  readonly g: Tensor;
  readonly bias: Tensor;
  /** Of each unit, whether its outputs differ: only then they have a variance. */
  readonly varies: Tensor;
  /** How many units do. */
  readonly count: number;
}

/** Those who were told of units without variance; once is enough. */
const told = new WeakSet<Layer>();

/** Runs the wrapped layer with `kernel` and `bias`, and standardizes its outputs. */
export function firstBatch(
  wrapper: Layer & { readonly layer: Layer },
  { owner, key, variable }: Kernel,
  values: { readonly kernel: Tensor; readonly bias: Tensor | undefined },
  inputs: Tensor | Tensor[],
  kwargs: Kwargs,
): FirstBatch {
  const { layer } = wrapper;
  const loans: Loan[] = [[owner, key, reading(variable, values.kernel)]];
  const bias = biasOf(layer);
  if (bias && values.bias) loans.push([owner, 'bias', reading(bias, values.bias)]);
  if ('activation' in owner) loans.push([owner, 'activation', LINEAR]);
  const t = constant(() => lending(loans, () => layer.call(inputs, kwargs) as Tensor));
  return tidy(() => {
    const axis = owner.dataFormat === 'channelsFirst' ? 1 : t.rank - 1;
    const varies = variesAlong(t, axis);
    const count = sum(varies).dataSync()[0] as number;
    if (count < varies.size && !told.has(wrapper)) {
      told.add(wrapper);
      console.warn(
        `${wrapper.getClassName()}: in the first batch ${varies.size - count} of the ${varies.size} units of '${wrapper.name}' ` +
          `have one output only, without a variance to start g from; they keep g and bias${count ? '' : ', and the next batch is tried'}; ` +
          'begin with a batch of several different examples',
      );
    }
    return { ...standardizing(t, axis), varies, count };
  });
}

/** Whether the values of each channel differ, [channels]. They are compared with the first: a mean would be rounded. */
function variesAlong(t: Tensor, axis: number): Tensor {
  return tidy(() => {
    const others = t.shape.map((_, i) => i).filter((i) => i !== axis);
    const one = t.shape.map((size, i) => (i === axis ? size : 1));
    const first = slice(
      t,
      t.shape.map(() => 0),
      one,
    );
    return greater(max(abs(sub(t, first)), others), mul(max(abs(t), others), ROUNDING));
  });
}
