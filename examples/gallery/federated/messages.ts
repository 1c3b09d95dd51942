/** What the page and its clients say to each other. */

/** The page's first message: which digits are the client's, of so many training digits. */
export interface Start {
  readonly labels: readonly number[];
  readonly samples: number;
}

/** What the page asks for, with the weights of the network of all. */
export interface Question {
  readonly task: 'train' | 'recalibrate';
  readonly weights: Float32Array[];
}

/** The weights afterwards, and of how many digits they are; or what went wrong. */
export type Answer = { readonly weights: Float32Array[]; readonly count: number } | { readonly error: string };
