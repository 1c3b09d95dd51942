/**
 * Normalizations that an exporter has spelled out in a graph: found by what the nodes compute and over which axes, never by names.
 * What is not exactly a normalization, or whose axes or sizes are not known before the graph runs, is none.
 */
import type { Graph } from './graph.ts';
import { type GraphNode, plainName } from './graph-node.ts';
import type { StaticShape } from './graph-shapes.ts';

/** What a group of values is divided by. */
export type Divisor = 'deviation' | 'rootMeanSquare' | 'length';

/** What statistics a normalization takes of x, and where its epsilon is. */
interface Kind {
  readonly divisor: Divisor;
  /** The node that is normalized. */
  readonly x: string;
  /** The axes that are normalized together, from the front, in their order. */
  readonly axes: readonly number[];
  readonly epsilon: number;
  /** sqrt(v + epsilon), sqrt(v) + epsilon, max(sqrt(v), epsilon) */
  readonly placement: 'inside' | 'outside' | 'floor';
}

/** A normalization in a graph. */
export interface Match extends Kind {
  /** The node whose result is that of the normalization. */
  readonly result: string;
  readonly gamma: string | undefined;
  readonly beta: string | undefined;
  /** The nodes that compute it, without its result and without constants. */
  readonly within: ReadonlySet<string>;
  readonly form: GraphForm;
}

/** A node that has one value for all along axes of x. */
interface Statistic extends Pick<Kind, 'x' | 'axes'> {
  /** Whether the axes are still there, with size 1. */
  readonly kept: boolean;
}
type Root = Kind & Statistic;

/** A sum over axes of x, or of the squares of x or of its deviations. */
interface Sum extends Statistic {
  readonly of: 'x' | 'squares' | 'squaredDeviations';
  /** Whether it is divided by the number of values, which need not be known. */
  readonly isAverage: boolean;
  /** What it is multiplied by besides. */
  readonly factor: number;
}

const SUMS = ['Add', 'AddV2', 'BiasAdd'];
const PASSING = ['Identity', 'StopGradient'];
const RESHAPING = ['Reshape', 'ExpandDims', 'Squeeze'];
const QUOTIENTS = ['RealDiv', 'Div'];

export class Matcher {
  readonly #graph: Graph;

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  /**
   * A recognizer of statistics that knows what it has found, looks through nodes that only pass on or give another shape, and is asked
   * about many nodes again and again.
   */
  #remembered<T extends Statistic>(recognize: (name: string) => T | undefined): (name: string) => T | undefined {
    const found = new Map<string, T | undefined>();
    const ask = (given: string): T | undefined => {
      const name = this.#before(given);
      if (!found.has(name)) found.set(name, this.#reshaped(name, ask) ?? recognize(name));
      return found.get(name);
    };
    return ask;
  }

  #op = (name: string): string => this.#graph.node(name)?.op ?? '';

  /** The inputs of a node if its op is one of these. */
  #inputs(name: string, ...ops: readonly string[]): string[] {
    return ops.includes(this.#op(name)) ? this.#graph.inputs(name) : [];
  }

  /** Both orders of the two inputs of a node. */
  #orders(name: string, ...ops: readonly string[]): [string, string][] {
    const [a, b] = this.#inputs(name, ...ops);
    return a !== undefined && b !== undefined
      ? [
          [a, b],
          [b, a],
        ]
      : [];
  }

  /** The same value before nodes that only pass it on. */
  #before(name: string): string {
    const [source] = this.#inputs(name, ...PASSING);
    return source === undefined ? plainName(name) : this.#before(source);
  }

  #isSame = (a: string, b: string): boolean => this.#before(a) === this.#before(b);

  /** The value whose square a node is. */
  #rootOf(name: string): string | undefined {
    const [squared] = this.#inputs(name, 'Square');
    if (squared !== undefined) return squared;
    const [a, b] = this.#inputs(name, 'Mul', 'Pow');
    if (a === undefined || b === undefined) return undefined;
    const isSquare = this.#op(name) === 'Mul' ? this.#isSame(a, b) : this.#graph.number(b) === 2;
    return isSquare ? a : undefined;
  }

  /** A node as a sum times a factor. */
  #sum = this.#remembered((name): Sum | undefined => {
    for (const [inner, factor] of this.#orders(name, 'Mul')) {
      const by = this.#graph.number(factor);
      const sum = by === undefined ? undefined : this.#sum(inner);
      if (by !== undefined && sum) return { ...sum, factor: sum.factor * by };
    }
    const [numerator, denominator] = this.#inputs(name, ...QUOTIENTS);
    if (numerator !== undefined && denominator !== undefined) {
      const by = this.#graph.number(denominator);
      const sum = by ? this.#sum(numerator) : undefined;
      return sum && by ? { ...sum, factor: sum.factor / by } : undefined;
    }
    return this.#plainSum(name);
  });

  #plainSum(name: string): Sum | undefined {
    const [summand] = this.#inputs(name, 'Sum', 'Mean');
    const node = this.#graph.node(name) as GraphNode;
    const axes = summand === undefined ? undefined : this.#graph.axes(node);
    if (summand === undefined || !axes || axes.length === 0) return undefined;
    const kept = Boolean(node.attr?.keep_dims?.b);
    const sum = { axes, kept, isAverage: node.op === 'Mean', factor: 1 };
    const root = this.#rootOf(summand);
    const deviations =
      root === undefined ? this.#inputs(summand, 'SquaredDifference') : this.#inputs(this.#before(root), 'Sub');
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
        if (this.#isMeanOf(mean, x, axes)) return { ...sum, of: 'squaredDeviations', x: this.#before(x) };
      }
    }
    if (root !== undefined) return { ...sum, of: 'squares', x: this.#before(root) };
    return { ...sum, of: 'x', x: this.#before(summand) };
  }

  /** The number of values along axes, where it is known. */
  #count(name: string, axes: readonly number[]): number | undefined {
    const shape = this.#graph.shape(name);
    const sizes = axes.map((axis) => shape?.[axis]);
    return sizes.includes(undefined) ? undefined : (sizes as number[]).reduce((a, b) => a * b, 1);
  }

  /** Whether a sum is a mean: one of the exporter's, or times a factor that is 1 over the number of values. */
  #isMean({ x, axes, isAverage, factor }: Sum): boolean {
    const n = isAverage ? 1 : this.#count(x, axes);
    return n !== undefined && Math.abs(factor * n - 1) < 1e-6;
  }

  /** Whether a node is the mean of x over these axes, and stands where it meets x axis by axis. */
  #isMeanOf(name: string, x: string, axes: readonly number[]): boolean {
    const sum = this.#sum(name);
    return (
      sum?.of === 'x' &&
      this.#isSame(sum.x, x) &&
      String(sum.axes) === String(axes) &&
      this.#isMean(sum) &&
      this.#meets(sum)
    );
  }

  /** Whether a statistic, multiplied with x, meets its own values: its axes are there, or were the first. */
  #meets = ({ axes, kept }: Statistic): boolean => kept || axes.every((axis, i) => axis === i);

  /** What a node that only gives another shape to a statistic has, with the axes there or gone. */
  #reshaped<T extends Statistic>(name: string, recognize: (inner: string) => T | undefined): T | undefined {
    const [inner] = this.#inputs(name, ...RESHAPING);
    const statistic = inner === undefined ? undefined : recognize(inner);
    const [shape, own] = [this.#graph.shape(name), this.#graph.shape(statistic?.x ?? '')];
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
    for (const [inner, zero] of this.#orders(name, 'Maximum')) {
      if (this.#graph.number(zero) === 0) return this.#square(inner);
    }
    const [clipped] = this.#inputs(name, 'Relu');
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
    const [squares, squareOfMean] = this.#inputs(name, 'Sub');
    const meanSquare = squares === undefined ? undefined : this.#sum(squares);
    const root = squareOfMean === undefined ? undefined : this.#rootOf(this.#before(squareOfMean));
    const mean = root === undefined ? undefined : this.#sum(root);
    if (meanSquare?.of !== 'squares' || mean?.of !== 'x' || !this.#isSame(meanSquare.x, mean.x)) return undefined;
    const { x, axes, kept } = meanSquare;
    const isOne =
      String(axes) === String(mean.axes) && kept === mean.kept && this.#isMean(meanSquare) && this.#isMean(mean);
    return isOne ? { divisor: 'deviation', x, axes, kept } : undefined;
  });

  /** A node as what is under the root, with epsilon. */
  #radicand = this.#remembered((name): Root | undefined => {
    for (const [inner, epsilon] of this.#orders(name, ...SUMS, 'Maximum')) {
      const by = this.#graph.number(epsilon);
      const square = by !== undefined && by > 0 ? this.#square(inner) : undefined;
      if (square && by !== undefined) {
        const isFloor = this.#op(name) === 'Maximum';
        return { ...square, epsilon: isFloor ? Math.sqrt(by) : by, placement: isFloor ? 'floor' : 'inside' };
      }
    }
    const square = this.#square(name);
    return square && { ...square, epsilon: 0, placement: 'inside' };
  });

  /** A node as what x is divided by. */
  #divisor = this.#remembered((name): Root | undefined => {
    const [under] = this.#inputs(name, 'Sqrt');
    if (under !== undefined) return this.#radicand(under);
    const [base, power] = this.#inputs(name, 'Pow');
    if (base !== undefined && power !== undefined && this.#graph.number(power) === 0.5) return this.#radicand(base);
    for (const [inner, epsilon] of this.#orders(name, ...SUMS, 'Maximum')) {
      const by = this.#graph.number(epsilon);
      const root = by !== undefined && by > 0 ? this.#divisor(inner) : undefined;
      if (root?.epsilon === 0 && by !== undefined) {
        return { ...root, epsilon: by, placement: this.#op(name) === 'Maximum' ? 'floor' : 'outside' };
      }
    }
    return undefined;
  });

  /** A node as 1 over what x is divided by. */
  #inverse = this.#remembered((name): Root | undefined => {
    const [under] = this.#inputs(name, 'Rsqrt');
    if (under !== undefined) return this.#radicand(under);
    const [base, power] = this.#inputs(name, 'Pow');
    if (base !== undefined && power !== undefined && this.#graph.number(power) === -0.5) return this.#radicand(base);
    const [divisor] = this.#inputs(name, 'Reciprocal');
    if (divisor !== undefined) return this.#divisor(divisor);
    const [one, by] = this.#inputs(name, ...QUOTIENTS);
    return one !== undefined && by !== undefined && this.#graph.number(one) === 1 ? this.#divisor(by) : undefined;
  });

  /** The normalization that a root belongs to; a reason why there is none; undefined if the root is of no statistic. */
  find(root: string): Match | string | undefined {
    const after = this.#after(root);
    // An epsilon may also be added to the root.
    const kinds = [root, ...after].flatMap((name) => this.#inverse(name) ?? this.#divisor(name) ?? []);
    if (kinds.length === 0) return undefined;
    const found: Match[] = [];
    for (const kind of kinds) {
      const expansion = new Expansion(this.#graph, (name) => this.#atom(name, kind));
      for (const result of after) {
        const match = this.#matchAt(result, kind, expansion);
        if (match) found.push(match);
      }
    }
    const parameters = ({ gamma, beta }: Match) => Number(gamma !== undefined) + Number(beta !== undefined);
    const [most] = found.sort((a, b) => parameters(b) - parameters(a));
    if (!most)
      return 'what is done with its root is no normalization, or its axes or sizes are not known before the graph runs';
    for (const name of [most.result, ...most.within]) {
      // They say that something comes before, which one operation would not.
      if (this.#graph.node(name)?.input?.some((input) => input.startsWith('^')))
        return `its step ${name} waits for another`;
    }
    for (const name of most.within) {
      const others = this.#graph.users(name).filter((user) => user !== most.result && !most.within.has(user));
      if (others.length > 0 || this.#graph.isOutput(name)) return `its step ${name} is also used elsewhere`;
    }
    return most;
  }

  /** The nodes after a root that may complete the normalization. */
  #after(root: string): string[] {
    const found: string[] = [];
    let names = [root];
    for (let steps = 0; steps < LONGEST; steps++) {
      names = [...new Set(names.flatMap((name) => this.#graph.users(name)))].filter((name) =>
        [...ARITHMETIC, ...RESHAPING, ...PASSING, 'Sqrt', 'Reciprocal', 'Maximum'].includes(this.#op(name)),
      );
      found.push(...names.filter((name) => !found.includes(name)));
    }
    return found;
  }

  /** The normalization whose result a node is. */
  #matchAt(result: string, kind: Kind, expansion: Expansion): Match | undefined {
    const shape = this.#graph.shape(kind.x);
    const form = shape && formOf(kind, shape.length);
    if (!shape || !form || !ARITHMETIC.includes(this.#op(result))) return undefined;
    const terms = expansion.terms(result);
    const isOf = ({ atoms }: Term, factors: readonly string[]) =>
      atoms.length === factors.length && factors.every((factor) => atoms.includes(factor));
    const of = (...factors: string[]) => terms?.filter((term) => isOf(term, factors)) ?? [];
    const scaled = of('x', 'inverse');
    const shifted = of('mean', 'inverse');
    const added = of();
    const isCentred = kind.divisor === 'deviation';
    if (!terms || scaled.length !== 1 || shifted.length !== (isCentred ? 1 : 0) || added.length > 1) return undefined;
    if (terms.length !== scaled.length + shifted.length + added.length) return undefined;
    const [
      {
        others: [gamma, ...more],
        sign,
      } = { others: [], sign: 1 },
    ] = scaled;
    const [
      {
        others: [beta, ...moreOfBeta],
        sign: signOfBeta,
      } = { others: [], sign: 1 },
    ] = added;
    if (sign !== 1 || signOfBeta !== 1 || more.length > 0 || moreOfBeta.length > 0) return undefined;
    if (isCentred && (shifted[0]?.sign !== -1 || String(shifted[0].others) !== String(gamma ?? []))) return undefined;
    for (const parameter of [gamma, beta]) {
      if (parameter !== undefined && !this.#isParameter(parameter, shape, parameterAxes(form, kind.axes)))
        return undefined;
    }
    return { ...kind, form, result, gamma, beta, within: this.#steps(result, [kind.x, gamma, beta]) };
  }

  /** What a node is in the formula; undefined if it is a step of it or another value. */
  #atom(name: string, kind: Kind): Atom | undefined {
    if (this.#isSame(name, kind.x)) return 'x';
    const isSameKind = (other: Root | undefined): boolean => {
      const { divisor, x, axes, epsilon, placement } = kind;
      const isEqual =
        other && other.divisor === divisor && this.#isSame(other.x, x) && String(other.axes) === String(axes);
      return Boolean(isEqual && other.epsilon === epsilon && other.placement === placement && this.#meets(other));
    };
    if (isSameKind(this.#inverse(name))) return 'inverse';
    if (isSameKind(this.#divisor(name))) return 'divisor';
    return this.#isMeanOf(name, kind.x, kind.axes) ? 'mean' : undefined;
  }

  /** Whether a node is a constant with one value for each index of the last `axes` axes. */
  #isParameter(name: string, shape: StaticShape, axes: number): boolean {
    const constant = this.#before(name);
    const own = this.#graph.shape(constant) ?? [];
    const sizes = own.slice(own.findIndex((size) => size !== 1));
    const wanted = shape.slice(shape.length - axes);
    return this.#graph.isConstant(constant) && String(sizes) === String(wanted) && own.length <= shape.length;
  }

  /** All that a result is computed by, back to these inputs and to constants. */
  #steps(result: string, inputs: readonly (string | undefined)[]): Set<string> {
    const steps = new Set<string>();
    const ends = inputs.filter((input) => input !== undefined).map(plainName);
    const visit = (name: string): void => {
      const taken = this.#inputs(name, this.#op(name));
      // The second input of these is a shape, or axes.
      const isShaping = [...RESHAPING, 'Sum', 'Mean'].includes(this.#op(name));
      for (const input of isShaping ? taken.slice(0, 1) : taken) {
        if (ends.includes(input) || steps.has(input) || this.#op(input) === 'Const') continue;
        steps.add(input);
        visit(input);
      }
    };
    visit(plainName(result));
    return steps;
  }
}

/** Which of our normalizations one is: by its axes among those of x. Undefined if it is none. */
export type GraphForm = 'layer' | 'batch' | 'instance' | 'group' | 'rootMeanSquare' | 'length';

export function formOf(
  { divisor, axes, placement }: Pick<Kind, 'divisor' | 'axes' | 'placement'>,
  rank: number,
): GraphForm | undefined {
  if (rank < 2 || rank > 6) return undefined;
  const is = (...others: number[]) => String(axes) === String(others);
  const from = (start: number, end: number) => Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i);
  const areLast = is(...from(rank - axes.length, rank));
  if (divisor !== 'deviation') return areLast ? divisor : undefined;
  if (placement !== 'inside') return undefined;
  if (areLast) return 'layer';
  if (is(...from(0, rank - 1))) return 'batch';
  if (is(...from(1, rank - 1))) return 'instance';
  // [batch, ..., groups, channels of a group]
  return rank > 3 && is(...from(1, rank - 2), rank - 1) ? 'group' : undefined;
}

/** How many of the last axes have parameters: those that are normalized, if they are the last, else the channels. */
function parameterAxes(form: GraphForm, axes: readonly number[]): number {
  if (form === 'group') return 2;
  return form === 'batch' || form === 'instance' ? 1 : axes.length;
}

/** From a root to the end of its normalization there are at most so many nodes. */
const LONGEST = 8;
const ARITHMETIC = [...SUMS, 'Sub', 'Mul', 'Neg', ...QUOTIENTS];

type Atom = 'x' | 'mean' | 'inverse' | 'divisor';

/** A product: of these atoms of the formula, and of other nodes. */
interface Term {
  readonly sign: 1 | -1;
  readonly atoms: readonly string[];
  readonly others: readonly string[];
}

/** Multiplies out what nodes compute, until only the atoms of the formula and other nodes are left. */
class Expansion {
  readonly #graph: Graph;
  readonly #atomOf: (name: string) => Atom | undefined;
  readonly #containing = new Map<string, boolean>();

  constructor(graph: Graph, atomOf: (name: string) => Atom | undefined) {
    const atoms = new Map<string, Atom | undefined>();
    this.#graph = graph;
    this.#atomOf = (name) => {
      if (!atoms.has(name)) atoms.set(name, atomOf(name));
      return atoms.get(name);
    };
  }

  /** The sum of products that a node is; undefined if it divides by what is no atom, or has too many steps. */
  terms(name: string, steps = 0): Term[] | undefined {
    const atom = this.#atomOf(name);
    if (atom === 'divisor' || steps > LONGEST) return undefined;
    if (atom) return [{ sign: 1, atoms: [atom], others: [] }];
    const { op = '' } = this.#graph.node(name) ?? {};
    const inputs = this.#graph.inputs(name);
    const [a, b] = inputs;
    if (!this.#contains(name, LONGEST - steps) || a === undefined) return [{ sign: 1, atoms: [], others: [name] }];
    if (PASSING.includes(op)) return this.terms(a, steps + 1);
    const first = this.terms(a, steps + 1);
    if (op === 'Neg') return first?.map(negative);
    if (b === undefined || !first) return undefined;
    if (QUOTIENTS.includes(op)) {
      return this.#atomOf(b) === 'divisor'
        ? first.map((term) => ({ ...term, atoms: [...term.atoms, 'inverse'] }))
        : undefined;
    }
    const second = this.terms(b, steps + 1);
    if (!second) return undefined;
    if (op === 'Sub') return [...first, ...second.map(negative)];
    if (op !== 'Mul') return [...first, ...second];
    return first.flatMap((one) => second.map((other) => product(one, other)));
  }

  /** Whether a node is arithmetic on atoms. */
  #contains(name: string, steps: number): boolean {
    const key = `${steps} ${name}`;
    const known = this.#containing.get(key);
    if (known !== undefined) return known;
    const { op = '' } = this.#graph.node(name) ?? {};
    const isStep = steps > 0 && (ARITHMETIC.includes(op) || PASSING.includes(op));
    const contains =
      this.#atomOf(name) !== undefined ||
      (isStep && this.#graph.inputs(name).some((input) => this.#contains(input, steps - 1)));
    this.#containing.set(key, contains);
    return contains;
  }
}

const negative = (term: Term): Term => ({ ...term, sign: term.sign === 1 ? -1 : 1 });
const product = (a: Term, b: Term): Term => ({
  sign: a.sign === b.sign ? 1 : -1,
  atoms: [...a.atoms, ...b.atoms],
  others: [...a.others, ...b.others],
});
