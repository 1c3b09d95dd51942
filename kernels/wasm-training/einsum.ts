/** Sums of products by the names of axes. TensorFlow.js has no gradient of it on any backend: this is for prediction. */
import {
  backend_util,
  type EinsumAttrs,
  matMul,
  reshape,
  sum,
  type Tensor,
  type Tensor3D,
  transpose,
} from '@tensorflow/tfjs-core';
import { composed } from './kernel.ts';

/** A factor, and the number of each of its axes: those of the output come first, in its order, then those that are summed over. */
interface Factor {
  readonly x: Tensor;
  readonly axes: readonly number[];
}

/** einsum('abc,cd->abd') is y[a, b, d] = sum over c of x0[a, b, c] x1[c, d]; one factor, or two, which are brought to a matMul. */
export const einsum = composed<string, EinsumAttrs>((inputs, { equation }) => {
  const tensors: Tensor[] = Object.values(inputs);
  const { allDims, summedDims, idDims } = backend_util.decodeEinsumEquation(equation, tensors.length);
  backend_util.checkEinsumDimSizes(allDims.length, idDims, tensors);
  const [a, b] = tensors.map((x, i) => {
    const others = idDims[1 - i] ?? [];
    return sumOver({ x, axes: idDims[i] as number[] }, (axis) => summedDims.includes(axis) && !others.includes(axis));
  }) as [Factor, Factor?];
  return inOrder(b ? product(a, b, summedDims) : a);
});

function sumOver({ x, axes }: Factor, isSummed: (axis: number) => boolean): Factor {
  const places = [...axes.keys()].filter((place) => isSummed(axes[place] as number));
  return { x: places.length > 0 ? sum(x, places) : x, axes: axes.filter((axis) => !isSummed(axis)) };
}

/** Axes that both have are summed over, or else each index of them is a product of its own. */
function product(a: Factor, b: Factor, summedDims: readonly number[]): Factor {
  const both = a.axes.filter((axis) => b.axes.includes(axis));
  const summed = both.filter((axis) => summedDims.includes(axis));
  const batch = both.filter((axis) => !summedDims.includes(axis));
  const [rows, columns] = [a, b].map(({ axes }) => axes.filter((axis) => !both.includes(axis))) as [number[], number[]];
  const y = matMul(asMatrices(a, [batch, rows, summed]), asMatrices(b, [batch, summed, columns]));
  const axes = [...batch, ...rows, ...columns];
  return {
    x: reshape(
      y,
      axes.map((axis) => sizeIn(a, axis) ?? (sizeIn(b, axis) as number)),
    ),
    axes,
  };
}

const sizeIn = ({ x, axes }: Factor, axis: number): number | undefined => x.shape[axes.indexOf(axis)];

/** x [batch, rows, columns], of axes each of which becomes one. */
function asMatrices(factor: Factor, groups: readonly (readonly number[])[]): Tensor3D {
  const sizes = groups.map((axes) => axes.reduce((size, axis) => size * (sizeIn(factor, axis) as number), 1));
  const order = groups.flat().map((axis) => factor.axes.indexOf(axis));
  return reshape(transpose(factor.x, order), sizes as [number, number, number]);
}

/** The axes by their numbers. */
const inOrder = ({ x, axes }: Factor): Tensor =>
  transpose(
    x,
    axes.map((_, axis) => axes.indexOf(axis)),
  );
