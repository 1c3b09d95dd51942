/** Axes brought last for a function of x and of a tensor in the order that the function sees, and gradients of two orders. */
import { grad, mul, square, sum, type Tensor, tidy, valueAndGrad } from '@tensorflow/tfjs';
import { withLast } from '../../kernels/ops/axes.ts';
import { normals } from '../support/random.ts';
import { takeAll, withTensors } from './tensors.ts';

export interface LastCase {
  readonly shape: readonly number[];
  readonly axes: readonly number[];
}

export const lastInputs = ({ shape }: LastCase) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return { x: normals(1, size), moved: normals(2, size), dy: normals(3, size) };
};

/** y = x^2 moved, with the gradient dx of sum(y dy), and the gradient of sum(dx^2). */
export const bringLast = (args: LastCase) =>
  withTensors(async (make) => {
    const { shape, axes } = args;
    const values = lastInputs(args);
    const [x, dy] = [values.x, values.dy].map((v) => make(v, [...shape])) as [Tensor, Tensor];
    const last = [...shape.filter((_, axis) => !axes.includes(axis)), ...axes.map((axis) => shape[axis] as number)];
    const moved = make(values.moved, last);
    const f = (x: Tensor) => withLast(x, axes, (x) => mul(square(x), moved));
    const { value: y, grad: dx } = tidy(() => valueAndGrad(f)(x, dy));
    const second = tidy(() => grad((x) => sum(square(grad(f)(x, dy))))(x));
    return takeAll({ y, dx, second });
  });
