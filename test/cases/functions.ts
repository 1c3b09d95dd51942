/** The public functions on reproducible inputs, with their gradients. */
import * as tf from '@tensorflow/tfjs';
import { type FunctionName, functions } from '../support/functions.ts';
import { normals } from '../support/random.ts';
import { takeAll, withTensors } from './tensors.ts';

export interface FunctionCase {
  readonly name: FunctionName;
  readonly shape: readonly number[];
  readonly seed: number;
  readonly options?: object;
  /** The number of values in gamma and beta; absent: neither. */
  readonly parameters?: number | undefined;
  /** x becomes factor * x + shift: exact for a power of two and a small integer, since x is made of multiples of 2^-8. */
  readonly factor?: number;
  readonly shift?: number;
  /** The axes are permuted before the function and put back after it. */
  readonly order?: readonly number[];
}

/** The outputs for integer inputs and parameters: given as such, cast to float32, and given as numbers. */
export const applyToIntegers = ({ name }: { readonly name: FunctionName }) =>
  withTensors(async () => {
    const outputs = (make: (values: number[], shape?: number[]) => tf.Tensor) =>
      tf.tidy(() => {
        const x = make([2, 40, 3, 50, 7, 60, 1, 80], [2, 2, 2]);
        const [gamma, beta, mean, variance] = [
          [3, 5],
          [7, 9],
          [1, 10],
          [5, 101],
        ].map((v) => make(v));
        const statistics = name === 'batchNorm' ? { mean, variance } : {};
        const groups = name === 'groupNorm' ? { groups: 1 } : {};
        return functions[name](x, { gamma, beta, ...statistics, ...groups } as object);
      });
    return takeAll({
      integers: outputs((values, shape) => tf.tensor(values, shape, 'int32')),
      cast: outputs((values, shape) => tf.cast(tf.tensor(values, shape, 'int32'), 'float32')),
      floats: outputs((values, shape) => tf.tensor(values, shape)),
    });
  });

/** The function of x, gamma and beta, and the gradients of sum(y dy). */
export const applyFunction = (args: FunctionCase) =>
  withTensors(async (make) => {
    const { name, shape, seed, options, parameters, factor = 1, shift = 0, order } = args;
    const size = shape.reduce((a, b) => a * b, 1);
    const x = make(
      normals(seed, size).map((v) => (factor * Math.round(256 * v)) / 256 + shift),
      [...shape],
    );
    const dy = make(normals(seed + 1, size), [...shape]);
    const affine = parameters ? [make(normals(seed + 2, parameters, 1, 0.5)), make(normals(seed + 3, parameters))] : [];
    const back = order?.map((_, axis) => order.indexOf(axis));
    const f = (x: tf.Tensor, gamma?: tf.Tensor, beta?: tf.Tensor) => {
      const y = functions[name](order ? tf.transpose(x, [...order]) : x, { ...options, gamma, beta });
      return back ? tf.transpose(y, back) : y;
    };
    const { value, grads } = tf.valueAndGrads(f)([x, ...affine], dy);
    return takeAll({ y: value, dx: grads[0], dgamma: grads[1], dbeta: grads[2] });
  });
