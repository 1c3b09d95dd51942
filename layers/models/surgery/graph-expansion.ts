/** Formulas in a graph, multiplied out: sums of products of the parts of a normalization and of other nodes. */
import type { Graph } from './graph.ts';
import { ARITHMETIC, PASSING, QUOTIENTS } from './graph-ops.ts';

/** The most nodes from a root to the end of its normalization. */
export const LONGEST = 8;

/** A part of the formula of a normalization. */
export type Atom = 'x' | 'mean' | 'inverse' | 'divisor';

/** A product: of these atoms of the formula, and of other nodes. */
export interface Term {
  readonly sign: 1 | -1;
  readonly atoms: readonly string[];
  readonly others: readonly string[];
}

/** Multiplies out what nodes compute, until only the atoms of the formula and other nodes are left. */
export class Expansion {
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
