/**
 * A layer of several inputs that may be given the same one twice, as in self-attention. In a graph TensorFlow.js's `predict` disposes
 * of a tensor once it was taken as often as there are layers after it, counting each layer once: a tensor that goes into one layer
 * twice would be gone before the next layer takes it. So the graph is told of each different input once, and the layer repeats them.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type layers, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';

/** What `apply` of a layer takes. */
export type Inputs = Parameters<layers.Layer['apply']>[0];

export class RepeatedInputs {
  readonly #layer: layers.Layer;
  /** By how many different inputs a call in the graph has: which of them is each input, where some are the same. */
  readonly #orders = new Map<number, readonly number[]>();

  constructor(layer: layers.Layer) {
    this.#layer = layer;
  }

  /** Calls `apply` with all inputs. In a graph notes which of them are the same; when it runs, repeats those. */
  apply<T>(inputs: Inputs, apply: (inputs: Inputs) => T): T {
    const list = [inputs].flat() as (Tensor | SymbolicTensor)[];
    if (!list.every((input) => input instanceof SymbolicTensor))
      return apply(this.#repeated(list as Tensor[]) ?? inputs);
    const different = [...new Set(list)];
    if (different.length === list.length) return apply(inputs);
    const order = list.map((input) => different.indexOf(input));
    const known = this.#orders.get(different.length);
    if (known && String(known) !== String(order)) {
      const { name } = this.#layer;
      const rule = 'is shared by calls in which other inputs are the same, which TensorFlow.js does not tell apart';
      fail(this.#layer.getClassName(), `'${name}' ${rule}; use a layer for each`);
    }
    const outputs = apply(inputs);
    this.#orders.set(different.length, order);
    for (const output of [outputs].flat()) Object.assign(output as object, { inputs: different });
    return outputs;
  }

  #repeated(list: Tensor[]): Tensor[] | undefined {
    const order = this.#layer.inboundNodes.length > 0 ? this.#orders.get(list.length) : undefined;
    return order?.map((i) => list[i] as Tensor);
  }
}

/** Two inputs, or their shapes; fails where there are not two. */
export function pairOf<T>(layer: layers.Layer, inputs: T[], names: string): [T, T] {
  if (inputs.length === 2) return inputs as [T, T];
  return fail(layer.getClassName(), `the inputs are ${names}; received ${inputs.length}; call apply with a list`);
}
