/** Names of operations by what they do, and what nodes take, past nodes that only pass a value on. */
import type { Graph } from './graph.ts';
import { plainName } from './graph-node.ts';

export const SUMS = ['Add', 'AddV2', 'BiasAdd'];
export const PASSING = ['Identity', 'StopGradient'];
export const RESHAPING = ['Reshape', 'ExpandDims', 'Squeeze'];
export const QUOTIENTS = ['RealDiv', 'Div'];
export const ARITHMETIC = [...SUMS, 'Sub', 'Mul', 'Neg', ...QUOTIENTS];

/** A graph, asked for what a node is if it is one of certain operations. */
export class Ops {
  readonly graph: Graph;

  constructor(graph: Graph) {
    this.graph = graph;
  }

  op = (name: string): string => this.graph.node(name)?.op ?? '';

  /** The inputs of a node if its op is one of these. */
  inputs(name: string, ...ops: readonly string[]): string[] {
    return ops.includes(this.op(name)) ? this.graph.inputs(name) : [];
  }

  /** Both orders of the two inputs of a node. */
  orders(name: string, ...ops: readonly string[]): [string, string][] {
    const [a, b] = this.inputs(name, ...ops);
    return a !== undefined && b !== undefined
      ? [
          [a, b],
          [b, a],
        ]
      : [];
  }

  /** The same value before nodes that only pass it on. */
  before(name: string): string {
    const [source] = this.inputs(name, ...PASSING);
    return source === undefined ? plainName(name) : this.before(source);
  }

  isSame = (a: string, b: string): boolean => this.before(a) === this.before(b);
}
