/** A convolution of 3 x 3 positions that keeps height and width, as far as maps need it. */
import { add, conv2d, type Tensor, type Tensor4D } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import type { AddWeight, ProjectionOptions } from './projection.ts';

const SIZE = 3;

export class Convolution {
  readonly #kernel: LayerVariable;
  readonly #bias: LayerVariable | undefined = undefined;

  /** Adds the weights `name`/kernel [3, 3, inputs, outputs] and `name`/bias [outputs] by `addWeight`. */
  constructor(addWeight: AddWeight, name: string, inputs: number, outputs: number, options: ProjectionOptions) {
    const { kernelInitializer, kernelRegularizer, kernelConstraint } = options;
    const { biasInitializer, biasRegularizer, biasConstraint } = options;
    const shape = [SIZE, SIZE, inputs, outputs];
    this.#kernel = addWeight(`${name}/kernel`, shape, kernelInitializer, kernelRegularizer, kernelConstraint);
    if (!options.useBias) return;
    this.#bias = addWeight(`${name}/bias`, [outputs], biasInitializer, biasRegularizer, biasConstraint);
  }

  /** x [batch, height, width, inputs] becomes [batch, height, width, outputs]; beyond the border are zeros. */
  apply(x: Tensor): Tensor {
    const y = conv2d(x as Tensor4D, this.#kernel.read() as Tensor4D, 1, 'same');
    return this.#bias ? add(y, this.#bias.read()) : y;
  }
}
