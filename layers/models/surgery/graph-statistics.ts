/** Statistics in a graph: nodes that are a mean, or what a normalization divides by, whatever operations an exporter wrote for it. */
import type { GraphNode } from './graph-node.ts';
import { type Ops, QUOTIENTS, RESHAPING, SUMS } from './graph-ops.ts';
import type { StaticShape } from './graph-shapes.ts';

/** What a group of values is divided by. */
export type Divisor = 'deviation' | 'rootMeanSquare' | 'length';

/** What statistics a normalization takes of x, and where its epsilon is. */
export interface Kind {
  readonly divisor: Divisor;
  /** The node that is normalized. */
  readonly x: string;
  /** The axes that are normalized together, from the front, in their order. */
  readonly axes: readonly number[];
  readonly epsilon: number;
  /** sqrt(v + epsilon), sqrt(v) + epsilon, max(sqrt(v), epsilon) */
  readonly placement: 'inside' | 'outside' | 'floor';
}

/** A node that has one value for all along axes of x. */
interface Statistic extends Pick<Kind, 'x' | 'axes'> {
  /** Whether the axes are still there, with size 1. */
  readonly kept: boolean;
}
/** What x is divided by, and where its values are. */
export type Root = Kind & Statistic;

/** A sum over axes of x, or of the squares of x or of its deviations. */
interface Sum extends Statistic {
  readonly of: 'x' | 'squares' | 'squaredDeviations';
  /** Whether it is divided by the number of values, which need not be known. */
  readonly isAverage: boolean;
  /** What it is multiplied by besides. */
  readonly factor: number;
}

export class GraphStatistics {
  readonly #ops: Ops;

  constructor(ops: Ops) {
    this.#ops = ops;
  }

  /**
   * A recognizer of statistics that knows what it has found, looks through nodes that only pass on or give another shape, and is asked
   * about many nodes again and again.
   */
  #remembered<T extends Statistic>(recognize: (name: string) => T | undefined): (name: string) => T | undefined {
    const found = new Map<string, T | undefined>();
    const ask = (given: string): T | undefined => {
      const name = this.#ops.before(given);
      if (!found.has(name)) found.set(name, this.#reshaped(name, ask) ?? recognize(name));
      return found.get(name);
    };
    return ask;
  }

  /** The value whose square a node is. */
  #rootOf(name: string): string | undefined {
    const [squared] = this.#ops.inputs(name, 'Square');
    if (squared !== undefined) return squared;
    const [a, b] = this.#ops.inputs(name, 'Mul', 'Pow');
    if (a === undefined || b === undefined) return undefined;
    const isSquare = this.#ops.op(name) === 'Mul' ? this.#ops.isSame(a, b) : this.#ops.graph.number(b) === 2;
    return isSquare ? a : undefined;
  }

  /** A node as a sum times a factor. */
  #sum = this.#remembered((name): Sum | undefined => {
    for (const [inner, factor] of this.#ops.orders(name, 'Mul')) {
      const by = this.#ops.graph.number(factor);
      const sum = by === undefined ? undefined : this.#sum(inner);
      if (by !== undefined && sum) return { ...sum, factor: sum.factor * by };
    }
    const [numerator, denominator] = this.#ops.inputs(name, ...QUOTIENTS);
    if (numerator !== undefined && denominator !== undefined) {
      const by = this.#ops.graph.number(denominator);
      const sum = by ? this.#sum(numerator) : undefined;
      return sum && by ? { ...sum, factor: sum.factor / by } : undefined;
    }
    return this.#plainSum(name);
  });

  #plainSum(name: string): Sum | undefined {
    const [summand] = this.#ops.inputs(name, 'Sum', 'Mean');
    const node = this.#ops.graph.node(name) as GraphNode;
    const axes = summand === undefined ? undefined : this.#ops.graph.axes(node);
    if (summand === undefined || !axes || axes.length === 0) return undefined;
    const kept = Boolean(node.attr?.keep_dims?.b);
    const sum = { axes, kept, isAverage: node.op === 'Mean', factor: 1 };
    const root = this.#rootOf(summand);
    const deviations =
      root === undefined
        ? this.#ops.inputs(summand, 'SquaredDifference')
        : this.#ops.inputs(this.#ops.before(root), 'Sub');
    const [a, b] = deviations;
    if (a !== undefined && b !== undefined) {
      // The mean may come first in a squared difference.
      const orders =
        root === undefined
          ? [
              [a, b],
              [b, a],
            ]
          : [[a, b]];
      for (const [x, mean] of orders as [string, string][]) {
        if (this.isMeanOf(mean, x, axes)) return { ...sum, of: 'squaredDeviations', x: this.#ops.before(x) };
      }
    }
    if (root !== undefined) return { ...sum, of: 'squares', x: this.#ops.before(root) };
    return { ...sum, of: 'x', x: this.#ops.before(summand) };
  }

  /** The number of values along axes, where it is known. */
  #count(name: string, axes: readonly number[]): number | undefined {
    const shape = this.#ops.graph.shape(name);
    const sizes = axes.map((axis) => shape?.[axis]);
    return sizes.includes(undefined) ? undefined : (sizes as number[]).reduce((a, b) => a * b, 1);
  }

  /** Whether a sum is a mean: one of the exporter's, or times a factor that is 1 over the number of values. */
  #isMean({ x, axes, isAverage, factor }: Sum): boolean {
    const n = isAverage ? 1 : this.#count(x, axes);
    return n !== undefined && Math.abs(factor * n - 1) < 1e-6;
  }

  /** Whether a node is the mean of x over these axes, and stands where it meets x axis by axis. */
  isMeanOf(name: string, x: string, axes: readonly number[]): boolean {
    const sum = this.#sum(name);
    return (
      sum?.of === 'x' &&
      this.#ops.isSame(sum.x, x) &&
      String(sum.axes) === String(axes) &&
      this.#isMean(sum) &&
      this.meets(sum)
    );
  }

  /** Whether a statistic, multiplied with x, meets its own values: its axes are there, or were the first. */
  readonly meets = ({ axes, kept }: Statistic): boolean => kept || axes.every((axis, i) => axis === i);

  /** What a node that only gives another shape to a statistic has, with the axes there or gone. */
  #reshaped<T extends Statistic>(name: string, recognize: (inner: string) => T | undefined): T | undefined {
    const [inner] = this.#ops.inputs(name, ...RESHAPING);
    const statistic = inner === undefined ? undefined : recognize(inner);
    const [shape, own] = [this.#ops.graph.shape(name), this.#ops.graph.shape(statistic?.x ?? '')];
    if (!statistic || !shape || !own) return undefined;
    const { axes } = statistic;
    const others = own.filter((_, i) => !axes.includes(i));
    const fits = (sizes: StaticShape) =>
      shape.length === sizes.length &&
      sizes.every((size, i) => size === shape[i] || (size !== 1 && !(size && shape[i])));
    if (fits(own.map((size, i) => (axes.includes(i) ? 1 : size)))) return { ...statistic, kept: true };
    return fits(others) ? { ...statistic, kept: false } : undefined;
  }

  /** A node as what is under the root. */
  #square = this.#remembered((name): (Statistic & Pick<Kind, 'divisor'>) | undefined => {
    // Variances that are computed as differences may be below 0, and are kept from it.
    for (const [inner, zero] of this.#ops.orders(name, 'Maximum')) {
      if (this.#ops.graph.number(zero) === 0) return this.#square(inner);
    }
    const [clipped] = this.#ops.inputs(name, 'Relu');
    if (clipped !== undefined) return this.#square(clipped);
    const sum = this.#sum(name);
    if (sum && sum.of !== 'x') {
      const { x, axes, kept } = sum;
      if (this.#isMean(sum)) return { divisor: sum.of === 'squares' ? 'rootMeanSquare' : 'deviation', x, axes, kept };
      return sum.of === 'squares' && !sum.isAverage && sum.factor === 1
        ? { divisor: 'length', x, axes, kept }
        : undefined;
    }
    // mean(x^2) - mean(x)^2
    const [squares, squareOfMean] = this.#ops.inputs(name, 'Sub');
    const meanSquare = squares === undefined ? undefined : this.#sum(squares);
    const root = squareOfMean === undefined ? undefined : this.#rootOf(this.#ops.before(squareOfMean));
    const mean = root === undefined ? undefined : this.#sum(root);
    if (meanSquare?.of !== 'squares' || mean?.of !== 'x' || !this.#ops.isSame(meanSquare.x, mean.x)) return undefined;
    const { x, axes, kept } = meanSquare;
    const isOne =
      String(axes) === String(mean.axes) && kept === mean.kept && this.#isMean(meanSquare) && this.#isMean(mean);
    return isOne ? { divisor: 'deviation', x, axes, kept } : undefined;
  });

  /** A node as what is under the root, with epsilon. */
  #radicand = this.#remembered((name): Root | undefined => {
    for (const [inner, epsilon] of this.#ops.orders(name, ...SUMS, 'Maximum')) {
      const by = this.#ops.graph.number(epsilon);
      const square = by !== undefined && by > 0 ? this.#square(inner) : undefined;
      if (square && by !== undefined) {
        const isFloor = this.#ops.op(name) === 'Maximum';
        return { ...square, epsilon: isFloor ? Math.sqrt(by) : by, placement: isFloor ? 'floor' : 'inside' };
      }
    }
    const square = this.#square(name);
    return square && { ...square, epsilon: 0, placement: 'inside' };
  });

  /** A node as what x is divided by. */
  readonly divisor = this.#remembered((name): Root | undefined => {
    const [under] = this.#ops.inputs(name, 'Sqrt');
    if (under !== undefined) return this.#radicand(under);
    const [base, power] = this.#ops.inputs(name, 'Pow');
    if (base !== undefined && power !== undefined && this.#ops.graph.number(power) === 0.5) return this.#radicand(base);
    for (const [inner, epsilon] of this.#ops.orders(name, ...SUMS, 'Maximum')) {
      const by = this.#ops.graph.number(epsilon);
      const root = by !== undefined && by > 0 ? this.divisor(inner) : undefined;
      if (root?.epsilon === 0 && by !== undefined) {
        return { ...root, epsilon: by, placement: this.#ops.op(name) === 'Maximum' ? 'floor' : 'outside' };
      }
    }
    return undefined;
  });

  /** A node as 1 over what x is divided by. */
  readonly inverse = this.#remembered((name): Root | undefined => {
    const [under] = this.#ops.inputs(name, 'Rsqrt');
    if (under !== undefined) return this.#radicand(under);
    const [base, power] = this.#ops.inputs(name, 'Pow');
    if (base !== undefined && power !== undefined && this.#ops.graph.number(power) === -0.5)
      return this.#radicand(base);
    const [divisor] = this.#ops.inputs(name, 'Reciprocal');
    if (divisor !== undefined) return this.divisor(divisor);
    const [one, by] = this.#ops.inputs(name, ...QUOTIENTS);
    return one !== undefined && by !== undefined && this.#ops.graph.number(one) === 1 ? this.divisor(by) : undefined;
  });
}
