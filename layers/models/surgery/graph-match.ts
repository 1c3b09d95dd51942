/**
 * Normalizations that an exporter has spelled out in a graph: found by what the nodes compute and over which axes, never by names.
 * What is not exactly a normalization, or whose axes or sizes are not known before the graph runs, is none.
 */
import type { Graph } from './graph.ts';
import { type Atom, Expansion, LONGEST, type Term } from './graph-expansion.ts';
import { plainName } from './graph-node.ts';
import { ARITHMETIC, Ops, PASSING, RESHAPING } from './graph-ops.ts';
import type { StaticShape } from './graph-shapes.ts';
import { GraphStatistics, type Kind, type Root } from './graph-statistics.ts';

/** A normalization in a graph. */
export interface Match extends Kind {
  /** The node whose result is that of the normalization. */
  readonly result: string;
  /** The constant that multiplies; undefined where there is none. */
  readonly gamma: string | undefined;
  /** The constant that is added; undefined where there is none. */
  readonly beta: string | undefined;
  /** The nodes that compute it, without its result and without constants. */
  readonly within: ReadonlySet<string>;
  /** Which of our normalizations it is. */
  readonly form: GraphForm;
}

/** Finds the normalizations of a graph. */
export class Matcher {
  readonly #ops: Ops;
  readonly #statistics: GraphStatistics;

  constructor(graph: Graph) {
    this.#ops = new Ops(graph);
    this.#statistics = new GraphStatistics(this.#ops);
  }

  /** The normalization that a root belongs to; a reason why there is none; undefined if the root is of no statistic. */
  find(root: string): Match | string | undefined {
    const after = this.#after(root);
    // An epsilon may also be added to the root.
    const kinds = [root, ...after].flatMap(
      (name) => this.#statistics.inverse(name) ?? this.#statistics.divisor(name) ?? [],
    );
    if (kinds.length === 0) return undefined;
    const found: Match[] = [];
    for (const kind of kinds) {
      const expansion = new Expansion(this.#ops.graph, (name) => this.#atom(name, kind));
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
      // Such an input only says that another node must run before this step, which one operation for all steps cannot say.
      if (this.#ops.graph.node(name)?.input?.some((input) => input.startsWith('^')))
        return `its step ${name} waits for another`;
    }
    for (const name of most.within) {
      const others = this.#ops.graph.users(name).filter((user) => user !== most.result && !most.within.has(user));
      if (others.length > 0 || this.#ops.graph.isOutput(name)) return `its step ${name} is also used elsewhere`;
    }
    return most;
  }

  /** The nodes after a root that may complete the normalization. */
  #after(root: string): string[] {
    const found: string[] = [];
    let names = [root];
    for (let steps = 0; steps < LONGEST; steps++) {
      names = [...new Set(names.flatMap((name) => this.#ops.graph.users(name)))].filter((name) =>
        [...ARITHMETIC, ...RESHAPING, ...PASSING, 'Sqrt', 'Reciprocal', 'Maximum'].includes(this.#ops.op(name)),
      );
      found.push(...names.filter((name) => !found.includes(name)));
    }
    return found;
  }

  /** The normalization whose result a node is. */
  #matchAt(result: string, kind: Kind, expansion: Expansion): Match | undefined {
    const shape = this.#ops.graph.shape(kind.x);
    const form = shape && formOf(kind, shape.length);
    if (!shape || !form || !ARITHMETIC.includes(this.#ops.op(result))) return undefined;
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
    if ([...scaled, ...added].some(({ sign }) => sign !== 1)) return undefined;
    const [gammas, betas] = [scaled, added].map((some) => some.flatMap(({ others }) => others)) as [string[], string[]];
    if (gammas.length > 1 || betas.length > 1) return undefined;
    if (shifted.some(({ sign, others }) => sign !== -1 || String(others) !== String(gammas))) return undefined;
    const [[gamma], [beta]] = [gammas, betas];
    for (const parameter of [gamma, beta]) {
      if (parameter !== undefined && !this.#isParameter(parameter, shape, parameterAxes(form, kind.axes)))
        return undefined;
    }
    return { ...kind, form, result, gamma, beta, within: this.#steps(result, [kind.x, gamma, beta]) };
  }

  /** What a node is in the formula; undefined if it is a step of it or another value. */
  #atom(name: string, kind: Kind): Atom | undefined {
    if (this.#ops.isSame(name, kind.x)) return 'x';
    const isSameKind = (other: Root | undefined): boolean => {
      const { divisor, x, axes, epsilon, placement } = kind;
      const isEqual =
        other && other.divisor === divisor && this.#ops.isSame(other.x, x) && String(other.axes) === String(axes);
      return Boolean(
        isEqual && other.epsilon === epsilon && other.placement === placement && this.#statistics.meets(other),
      );
    };
    if (isSameKind(this.#statistics.inverse(name))) return 'inverse';
    if (isSameKind(this.#statistics.divisor(name))) return 'divisor';
    return this.#statistics.isMeanOf(name, kind.x, kind.axes) ? 'mean' : undefined;
  }

  /** Whether a node is a constant with one value for each index of the last `axes` axes. */
  #isParameter(name: string, shape: StaticShape, axes: number): boolean {
    const constant = this.#ops.before(name);
    const own = this.#ops.graph.shape(constant) ?? [];
    const sizes = own.slice(own.findIndex((size) => size !== 1));
    const wanted = shape.slice(shape.length - axes);
    return this.#ops.graph.isConstant(constant) && String(sizes) === String(wanted) && own.length <= shape.length;
  }

  /** All that a result is computed by, back to these inputs and to constants. */
  #steps(result: string, inputs: readonly (string | undefined)[]): Set<string> {
    const steps = new Set<string>();
    const ends = inputs.filter((input) => input !== undefined).map(plainName);
    const visit = (name: string): void => {
      const taken = this.#ops.inputs(name, this.#ops.op(name));
      // The second input of these is a shape, or axes.
      const isShaping = [...RESHAPING, 'Sum', 'Mean'].includes(this.#ops.op(name));
      for (const input of isShaping ? taken.slice(0, 1) : taken) {
        if (ends.includes(input) || steps.has(input) || this.#ops.op(input) === 'Const') continue;
        steps.add(input);
        visit(input);
      }
    };
    visit(plainName(result));
    return steps;
  }
}

/** Our normalizations, as graphs have them. */
export type GraphForm = 'layer' | 'batch' | 'instance' | 'group' | 'rootMeanSquare' | 'length';

/** Which of our normalizations one is, by its axes among those of x; undefined if it is none. */
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
