/** The form in which the converter writes graph models. */

/** A node, as the converter writes it. */
export interface GraphNode {
  readonly name: string;
  op: string;
  input?: string[];
  attr?: Record<string, Attribute>;
}
/** A value of a node; numbers may be written as strings. */
export interface Attribute {
  readonly i?: number | string;
  readonly f?: number;
  readonly b?: boolean;
  readonly s?: string;
  readonly list?: { readonly i?: readonly (number | string)[] };
  readonly shape?: { readonly unknownRank?: boolean; readonly dim?: readonly { readonly size?: number | string }[] };
}
export interface GraphTopology {
  readonly node: readonly GraphNode[];
}

/** The name of a node without the number of its first output. */
export const plainName = (input: string): string => input.replace(/:0$/, '');

/** The name of the node of an input: the number of the output and the mark of an order without data are no part of it. */
export const nodeName = (input: string): string => input.replace(/^\^/, '').replace(/:\d+$/, '');
