/** Keras's EinsumDense, as far as attention needs it: a dense layer whose inputs, and outputs, may be several axes. */
import { add, matMul, reshape, type Tensor } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { product } from '../../kernels/core/view.ts';
import type { Constraint, Initializer, Regularizer } from './identifiers.ts';

/** The options of all projections of a layer. */
export interface ProjectionOptions {
  readonly useBias: boolean;
  readonly kernelInitializer: Initializer;
  readonly kernelRegularizer?: Regularizer | undefined;
  readonly kernelConstraint?: Constraint | undefined;
  readonly biasInitializer: Initializer;
  readonly biasRegularizer?: Regularizer | undefined;
  readonly biasConstraint?: Constraint | undefined;
}

/** Adds a weight that is trained. */
export type AddWeight = (
  name: string,
  shape: number[],
  initializer: Initializer,
  regularizer?: Regularizer,
  constraint?: Constraint,
) => LayerVariable;

export class Projection {
  readonly #kernel: LayerVariable;
  readonly #bias: LayerVariable | undefined = undefined;
  readonly #inputs: readonly number[];
  readonly #outputs: readonly number[];

  /** Adds the weights `name`/kernel [...inputs, ...outputs] and `name`/bias [...outputs] by `add`. */
  constructor(
    add: AddWeight,
    name: string,
    inputs: readonly number[],
    outputs: readonly number[],
    options: ProjectionOptions,
  ) {
    this.#inputs = inputs;
    this.#outputs = outputs;
    const { kernelInitializer, kernelRegularizer, kernelConstraint } = options;
    const { biasInitializer, biasRegularizer, biasConstraint } = options;
    const shape = [...inputs, ...outputs];
    this.#kernel = add(`${name}/kernel`, shape, kernelInitializer, kernelRegularizer, kernelConstraint);
    if (options.useBias)
      this.#bias = add(`${name}/bias`, [...outputs], biasInitializer, biasRegularizer, biasConstraint);
  }

  /** x [..., ...inputs] becomes [..., ...outputs]. */
  apply(x: Tensor): Tensor {
    const kept = x.shape.slice(0, x.rank - this.#inputs.length);
    const [from, to] = [this.#inputs, this.#outputs].map((sizes) => product(sizes, 0, sizes.length)) as [
      number,
      number,
    ];
    const rows = matMul(reshape(x, [-1, from]), reshape(this.#kernel.read(), [from, to]));
    const y = this.#bias ? add(rows, reshape(this.#bias.read(), [to])) : rows;
    return reshape(y, [...kept, ...this.#outputs]);
  }
}
