/** The start of the lengths g of weight normalization, here and in TensorFlow Addons: norms of the kernel, or set by the first batch. */
import { abs, greater, max, mul, onesLike, slice, sub, sum, type Tensor, tidy, where } from '@tensorflow/tfjs-core';
import type { LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { constant } from '../../kernels/core/tape.ts';
import { standardizing, unitNorms } from '../../kernels/functions/weights.ts';
import { type Kernel, lastPartOfName, type Replacement, readingAs, withReplaced } from './inner-layer.ts';
import type { Kwargs } from './options.ts';

/** Replaces the activation while the outputs before it are measured. */
const LINEAR = { apply: (x: Tensor) => x, getClassName: () => 'linear' };
/** Outputs of a unit that differ by less than this share of the largest differ by rounding alone. */
const ROUNDING = 1e-5;

type Layer = layers.Layer;

/** The norms of the units of a kernel, [units]. Warns of units that are zeros: they have no direction, and no gradient. */
export function kernelNorms(wrapper: Layer, variable: LayerVariable, axes: readonly number[]): Tensor {
  const norms = unitNorms(variable.read(), axes);
  const zeros = norms.dataSync().filter((value) => value === 0).length;
  if (zeros > 0) {
    console.warn(
      `${wrapper.getClassName()}: ${zeros} of the ${norms.size} units in ${lastPartOfName(variable)} of '${wrapper.name}' are zeros, ` +
        'which have no direction, so that training never moves them; use another initializer, such as glorotNormal',
    );
  }
  return norms;
}

/** The bias, if the layer has one. */
export const biasOf = (layer: object): LayerVariable | undefined =>
  (layer as { bias?: LayerVariable | null }).bias ?? undefined;

/** The measured outputs of the wrapped layer for one batch, [units] each. */
interface Measurement {
  /** The length with which outputs have variance 1: 1 / sqrt(variance + 1e-10). */
  readonly g: Tensor;
  /** The bias with which they then have mean 0. */
  readonly bias: Tensor;
  /** Whether the outputs of a unit differ: only then they have a variance. */
  readonly varies: Tensor;
}

/** The call of a wrapper that sets g and the bias by its inputs. The wrapped layer has one kernel. */
interface FirstCall {
  readonly wrapper: Layer & { readonly layer: Layer };
  readonly kernel: Kernel;
  /** The values of kernel and bias with which outputs are measured. */
  readonly values: { readonly kernel: Tensor; readonly bias: Tensor | undefined };
  readonly inputs: Tensor | Tensor[];
  readonly kwargs: Kwargs;
}

/**
 * Sets g and the bias by the outputs of one batch. Units whose outputs are all the same get g from `otherwise` and keep the
 * bias. Returns false if all units are such: then nothing is set, and the next batch has to be tried.
 */
export function initializeByBatch(
  call: FirstCall,
  g: LayerVariable,
  measuredG: (measured: Tensor) => Tensor,
  otherwise: Tensor,
): boolean {
  const measured = measure(call);
  if (!measured) return false;
  g.write(where(measured.varies, measuredG(measured.g), otherwise));
  const bias = biasOf(call.wrapper.layer);
  bias?.write(where(measured.varies, measured.bias, bias.read()));
  return true;
}

/** The wrappers that have warned of units without variance; once is enough. */
const warned = new WeakSet<Layer>();

/** Runs the wrapped layer without its activation and measures the outputs; undefined if no unit's outputs differ. */
function measure({ wrapper, kernel, values, inputs, kwargs }: FirstCall): Measurement | undefined {
  const { layer } = wrapper;
  const { owner, key, variable } = kernel;
  const replaced: Replacement[] = [[owner, key, readingAs(variable, values.kernel)]];
  const bias = biasOf(layer);
  if (bias && values.bias) replaced.push([owner, 'bias', readingAs(bias, values.bias)]);
  if ('activation' in owner) replaced.push([owner, 'activation', LINEAR]);
  const outputs = constant(() => withReplaced(replaced, () => layer.call(inputs, kwargs) as Tensor));
  return tidy(() => {
    const axis = owner.dataFormat === 'channelsFirst' ? 1 : outputs.rank - 1;
    const varies = variesAlong(outputs, axis);
    const count = sum(varies).dataSync()[0] as number;
    if (count < varies.size && !warned.has(wrapper)) {
      warned.add(wrapper);
      console.warn(
        `${wrapper.getClassName()}: in the first batch ${varies.size - count} of the ${varies.size} units of '${wrapper.name}' ` +
          `have one output only, without a variance to start g from; they keep g and bias${count ? '' : ', and the next batch is tried'}; ` +
          'begin with a batch of several different examples',
      );
    }
    return count === 0 ? undefined : { ...standardizing(outputs, axis), varies };
  });
}

/** Whether the values of each channel differ, [channels]. They are compared with the first value: a mean would be rounded. */
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

/**
 * The weight `initialized`, which is 0 until g and the bias are set. Its value is read from the device only while it is 0, and after
 * it was loaded or set.
 */
export class InitializedFlag {
  readonly #weight: LayerVariable;
  /** The data of the last value that was not 0; a new value has other data. */
  #seen: object | undefined = undefined;

  constructor(weight: LayerVariable) {
    this.#weight = weight;
  }

  get isSet(): boolean {
    const value = this.#weight.read();
    if (value.dataId !== this.#seen && value.dataSync()[0] !== 0) this.#seen = value.dataId;
    return value.dataId === this.#seen;
  }

  set(): void {
    this.#weight.write(onesLike(this.#weight.read()));
    this.#seen = this.#weight.read().dataId;
  }
}
