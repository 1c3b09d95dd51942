/** The topology of a graph model: its nodes, who uses them, and what is known of their shapes before the graph runs. */
import { io, type Tensor } from '@tensorflow/tfjs-core';
import { type Attribute, type GraphNode, type GraphTopology, nodeName, plainName } from './graph-node.ts';
import { inferShape, type Known, type StaticShape } from './graph-shapes.ts';

/** Constants larger than this are weights; their values matter to nobody here. */
const LARGEST_READ = 64;

export class Graph {
  readonly #nodes: Map<string, GraphNode>;
  readonly #users = new Map<string, Set<string>>();
  readonly #weights: Readonly<Record<string, Tensor>>;
  readonly #outputs: ReadonlySet<string>;
  readonly #shapes = new Map<string, StaticShape | undefined>();

  /** The nodes are copied. `outputs` are the names of nodes that must stay. */
  constructor({ node }: GraphTopology, weights: Readonly<Record<string, Tensor>>, outputs: readonly string[]) {
    this.#nodes = new Map(node.map((one) => [one.name, { ...one }]));
    this.#weights = weights;
    for (const one of this.#nodes.values()) this.#count(one);
    const last = [...this.#nodes.keys()].filter((name) => this.users(name).length === 0);
    this.#outputs = new Set(outputs.length > 0 ? outputs.map(nodeName) : last);
  }

  /** The weights of artifacts by name, to be disposed of. */
  static weightsOf({ weightData, weightSpecs = [] }: io.ModelArtifacts): Record<string, Tensor> {
    return io.decodeWeights(weightData as io.WeightData, weightSpecs);
  }

  #count(node: GraphNode): void {
    for (const input of node.input ?? []) {
      const from = nodeName(input);
      const users = this.#users.get(from) ?? new Set();
      this.#users.set(from, users.add(node.name));
    }
  }

  get nodes(): GraphNode[] {
    return [...this.#nodes.values()];
  }

  /** The node whose first output an input is. */
  node(input: string): GraphNode | undefined {
    return this.#nodes.get(plainName(input));
  }

  /** The inputs of a node that are tensors. */
  inputs(input: string): string[] {
    return (this.node(input)?.input ?? []).filter((one) => !one.startsWith('^')).map(plainName);
  }

  users(name: string): string[] {
    return [...(this.#users.get(plainName(name)) ?? [])];
  }

  isOutput(name: string): boolean {
    return this.#outputs.has(plainName(name));
  }

  isConstant(name: string): boolean {
    return this.node(name)?.op === 'Const' && plainName(name) in this.#weights;
  }

  /** The values of a small constant. */
  values(name: string): number[] | undefined {
    const { op } = this.node(name) ?? {};
    if (op === 'Identity') return this.values(this.inputs(name)[0] as string);
    const tensor = op === 'Const' ? this.#weights[plainName(name)] : undefined;
    return tensor && tensor.size <= LARGEST_READ ? Array.from(tensor.dataSync()) : undefined;
  }

  /** The value of a constant that is one number. */
  number(name: string): number | undefined {
    const values = this.values(name);
    return values?.length === 1 ? values[0] : undefined;
  }

  /** Puts one node in the place of another, without those that only the old one needed. */
  replace(name: string, op: string, input: string[], attr: Record<string, Attribute>): void {
    const old = this.node(name) as GraphNode;
    // The shape stays known, though no rule tells that of the new node.
    this.shape(name);
    const made: GraphNode = { name: old.name, op, input, attr };
    this.#nodes.set(old.name, made);
    this.#count(made);
    for (const from of this.#inputNames(old)) if (!input.map(nodeName).includes(from)) this.#forget(from, old.name);
  }

  #inputNames = ({ input = [] }: GraphNode) => new Set(input.map(nodeName));

  /** `user` no longer takes the result of `name`, which goes if nobody does. */
  #forget(name: string, user: string): void {
    const users = this.#users.get(name);
    users?.delete(user);
    const node = this.#nodes.get(name);
    if (users?.size !== 0 || !node || this.#outputs.has(name) || node.op === 'Placeholder') return;
    this.#nodes.delete(name);
    for (const from of this.#inputNames(node)) this.#forget(from, name);
  }

  /** What is known of a shape; undefined if not even the number of axes is. */
  shape(name: string): StaticShape | undefined {
    const key = plainName(name);
    // Inputs first, one after the other: a graph is deeper than calls may be.
    const begun = new Set<string>();
    for (const waiting = [key]; waiting.length > 0; ) {
      const next = waiting.at(-1) as string;
      const isNew = !this.#shapes.has(next) && !begun.has(next);
      begun.add(next);
      // Within a loop of the graph nothing is known.
      if (isNew)
        waiting.push(...this.inputs(nodeName(next)).filter((input) => !this.#shapes.has(input) && !begun.has(input)));
      if (waiting.at(-1) !== next) continue;
      if (!this.#shapes.has(next)) this.#shapes.set(next, this.#infer(next));
      waiting.pop();
    }
    return this.#shapes.get(key);
  }

  #infer(input: string): StaticShape | undefined {
    const [, name, output = '0'] = /^(.*?)(?::(\d+))?$/.exec(input) as unknown as [string, string, string?];
    const node = this.#nodes.get(name);
    if (node?.op === 'Const') return this.#weights[name]?.shape;
    const inputs = this.inputs(name);
    const known: Known = {
      count: inputs.length,
      shape: (i) => this.#shapes.get(inputs.at(i) ?? ''),
      values: (i) => this.values(inputs.at(i) ?? ''),
      sizes: (i) => this.#sizes(inputs.at(i) ?? ''),
    };
    return node && inferShape(node, known, Number(output));
  }

  /** The axes over which a node sums or averages, counted from the front, in their order. */
  axes(node: GraphNode): number[] | undefined {
    const [first = '', second = ''] = this.inputs(node.name);
    const [shape, axes] = [this.shape(first), this.values(second)];
    return shape && axes?.map((axis) => (axis < 0 ? axis + shape.length : axis)).sort((a, b) => a - b);
  }

  /** Sizes that are a tensor of the graph; undefined where one is not known. */
  #sizes(name: string): StaticShape | undefined {
    const values = this.values(name);
    if (values) return values.map((size) => (size < 0 ? undefined : size));
    return this.node(name)?.op === 'Pack' ? this.inputs(name).map((input) => this.number(input)) : undefined;
  }
}
