/** Makes parameters for each position of a map, by two convolutions of 3 x 3 positions that keep height and width. */
import { add, conv2d, image, relu, reshape, type Tensor, type Tensor4D } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable } from '@tensorflow/tfjs-layers';
import type { Project } from './conditional-layer.ts';
import { type AddWeight, addKernelAndBias, type ProjectionOptions } from './projection.ts';

const SIZE = 3;

class Convolution {
  readonly #kernel: LayerVariable;
  readonly #bias: LayerVariable | undefined;

  /** Adds the weights `name`/kernel [3, 3, inputs, outputs] and `name`/bias [outputs] by `addWeight`. */
  constructor(addWeight: AddWeight, name: string, inputs: number, outputs: number, options: ProjectionOptions) {
    [this.#kernel, this.#bias] = addKernelAndBias(addWeight, name, [SIZE, SIZE, inputs, outputs], [outputs], options);
  }

  /** x [batch, height, width, inputs] becomes [batch, height, width, outputs], with zeros as padding. */
  apply(x: Tensor): Tensor {
    const y = conv2d(x as Tensor4D, this.#kernel.read() as Tensor4D, 1, 'same');
    return this.#bias ? add(y, this.#bias.read()) : y;
  }
}

/**
 * Makes parameters [batch, height, width, ...outputs] for x [batch, height, width, channels] of a map
 * [batch, any height, any width, classes]: the map is resized to the height and width of x by nearest values, and then goes through
 * a convolution, relu and another convolution.
 *
 * @param options those of the second convolution
 */
export function convolutionsOfMap(
  addWeight: AddWeight,
  classes: number,
  hiddenUnits: number,
  outputs: readonly number[],
  options: ProjectionOptions,
): Project {
  const hiddenOptions = { ...options, useBias: true, kernelInitializer: initializers.glorotUniform({}) };
  const hidden = new Convolution(addWeight, 'hidden', classes, hiddenUnits, hiddenOptions);
  const units = outputs.reduce((a, b) => a * b, 1);
  const last = new Convolution(addWeight, 'condition', hiddenUnits, units, options);
  return (map, x) => {
    const [height, width] = x.shape.slice(1, 3) as [number, number];
    const isSame = map.shape[1] === height && map.shape[2] === width;
    const fitting = isSame ? map : image.resizeNearestNeighbor(map as Tensor4D, [height, width]);
    return reshape(last.apply(relu(hidden.apply(fitting))), [-1, height, width, ...outputs]);
  };
}
