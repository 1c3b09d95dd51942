/**
 * For layers that may be given one input twice, as in self-attention. TensorFlow.js's `predict` disposes of a tensor when it has been
 * used as often as there are layers after it, and counts each layer once: if one layer uses it twice, it is disposed of before the next
 * layer can use it. So the graph is given each different input once, and the layer repeats them.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type layers, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';

/** What `apply` of a layer takes. */
export type Inputs = Parameters<layers.Layer['apply']>[0];

export class RepeatedInputs {
  readonly #layer: layers.Layer;
  /** By the number of different inputs of a call in the graph with repeated ones: the index of each input among the different ones. */
  readonly #orders = new Map<number, readonly number[]>();

  constructor(layer: layers.Layer) {
    this.#layer = layer;
  }

  /** Calls `apply` with the different inputs when a graph is made, and with all inputs when it runs. */
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
