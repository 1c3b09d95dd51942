/** Keras's EinsumDense, as far as attention needs it: a dense layer whose inputs, and outputs, may be several axes. */
import { add, matMul, reshape, type Tensor } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { product } from '../../kernels/core/view.ts';
import {
  type Constraint,
  type Identifier,
  type Initializer,
  identifierOptions,
  type Regularizer,
} from './identifiers.ts';

/** Options of every layer with projections. */
export interface ProjectionArgs {
  /** Add a bias to each projection. Default: true. */
  useBias?: boolean;
  /** Where the kernels start. The default is the class's. */
  kernelInitializer?: Identifier<Initializer>;
  /** Adds a penalty on the kernels to the loss. Default: none. */
  kernelRegularizer?: Identifier<Regularizer>;
  /** Projects the kernels after every step of training. Default: none. */
  kernelConstraint?: Identifier<Constraint>;
  /** Where the biases start. Default: zeros. */
  biasInitializer?: Identifier<Initializer>;
  /** Adds a penalty on the biases to the loss. Default: none. */
  biasRegularizer?: Identifier<Regularizer>;
  /** Projects the biases after every step of training. Default: none. */
  biasConstraint?: Identifier<Constraint>;
}

/** The names of these options but `useBias`. */
export const PROJECTION_IDENTIFIERS = [...identifierOptions('kernel'), ...identifierOptions('bias')];

/** The same options as fields of a layer, resolved. */
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

/** Adds the weights `name`/kernel and, with `useBias`, `name`/bias of these shapes by `add`. */
export function addKernelAndBias(
  add: AddWeight,
  name: string,
  kernelShape: number[],
  biasShape: number[],
  options: ProjectionOptions,
): [kernel: LayerVariable, bias: LayerVariable | undefined] {
  const { kernelInitializer, kernelRegularizer, kernelConstraint } = options;
  const { biasInitializer, biasRegularizer, biasConstraint } = options;
  const kernel = add(`${name}/kernel`, kernelShape, kernelInitializer, kernelRegularizer, kernelConstraint);
  if (!options.useBias) return [kernel, undefined];
  return [kernel, add(`${name}/bias`, biasShape, biasInitializer, biasRegularizer, biasConstraint)];
}

export class Projection {
  readonly #kernel: LayerVariable;
  readonly #bias: LayerVariable | undefined;
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
    [this.#kernel, this.#bias] = addKernelAndBias(add, name, [...inputs, ...outputs], [...outputs], options);
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
