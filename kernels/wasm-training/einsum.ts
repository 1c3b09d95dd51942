/** Sums of products by the names of axes. TensorFlow.js has no gradient of it on any backend: this is for prediction. */
import { backend_util, type EinsumAttrs, matMul, reshape, sum, type Tensor, transpose } from '@tensorflow/tfjs-core';
import { composed } from './kernel.ts';

/** A factor or product, and the number of each of its axes. Axes of the output have the lowest numbers, in its order. */
interface Named {
  readonly x: Tensor;
  readonly axes: readonly number[];
}

/** einsum('abc,cd->abd') is y[a, b, d] = sum over c of x0[a, b, c] x1[c, d]; one factor, or two, which are brought to a matMul. */
export const einsum = composed<string, EinsumAttrs>((inputs, { equation }) => {
  const tensors: Tensor[] = Object.values(inputs);
  const { allDims, summedDims, idDims } = backend_util.decodeEinsumEquation(equation, tensors.length);
  backend_util.checkEinsumDimSizes(allDims.length, idDims, tensors);
  const [a, b] = tensors.map((x, i) => ({ x, axes: idDims[i] as number[] })) as unknown as [Named, Named?];
  const { x, axes } = b ? product(a, b, (axis) => summedDims.includes(axis)) : a;
  // Sorted by their numbers, the axes of the output come first. Those after them belong to one factor only, and are summed over.
  const inOrder = transpose(
    x,
    [...axes.keys()].sort((i, k) => (axes[i] as number) - (axes[k] as number)),
  );
  const kept = allDims.length - summedDims.length;
  return axes.length > kept ? sum(inOrder, [...axes.keys()].slice(kept)) : inOrder;
});

/** The product of two factors. An axis that both have is summed over, or else there is a product for each of its indices. */
function product(a: Named, b: Named, isSummed: (axis: number) => boolean): Named {
  const both = a.axes.filter((axis) => b.axes.includes(axis));
  const summed = both.filter(isSummed);
  const batch = both.filter((axis) => !isSummed(axis));
  const [rows, columns] = [a, b].map(({ axes }) => axes.filter((axis) => !both.includes(axis))) as [number[], number[]];
  const axes = [...batch, ...rows, ...columns];
  const y = matMul(asMatrices(a, batch, rows, summed), asMatrices(b, batch, summed, columns));
  return { x: reshape(y, sizes(axes, a, b)), axes };
}

/** The sizes of axes, each from the first factor that has it. */
const sizes = (axes: readonly number[], ...factors: readonly Named[]): number[] =>
  axes.map(
    (axis) => factors.map(({ x, axes }) => x.shape[axes.indexOf(axis)]).find((size) => size !== undefined) as number,
  );

/** x as [batch, rows, columns], of axes each of which becomes one. */
function asMatrices(factor: Named, ...groups: readonly (readonly number[])[]): Tensor {
  const order = groups.flat().map((axis) => factor.axes.indexOf(axis));
  return reshape(
    transpose(factor.x, order),
    groups.map((axes) => sizes(axes, factor).reduce((a, b) => a * b, 1)),
  );
}
