import { reshape, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, type layers, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { fail, show } from '../kernels/core/errors.ts';
import { product } from '../kernels/core/view.ts';
import { attendHeads, type Logits } from '../kernels/functions/attention.ts';
import {
  checkBoolean,
  checkEpsilon,
  checkOneOf,
  checkPositiveInteger,
  checkRate,
  checkSize,
} from '../kernels/functions/checks.ts';
import { rmsNorm } from '../kernels/functions/normalization.ts';
import { joinHeads, splitHeads } from '../kernels/ops/heads.ts';
import { AttentionInputs } from './base/attention-inputs.ts';
import { argumentInGraph } from './base/call-arguments.ts';
import { ConfiguredLayer } from './base/configured-layer.ts';
import { assignIdentifiers, type Identifier, type Initializer } from './base/identifiers.ts';
import { maskOfFirst } from './base/mask.ts';
import {
  type ConfigDict,
  deepCopy,
  type Kwargs,
  type LayerArgs,
  listOfShapes,
  type Shape,
  withoutOptions,
} from './base/options.ts';
import {
  type AddWeight,
  PROJECTION_IDENTIFIERS,
  Projection,
  type ProjectionArgs,
  type ProjectionOptions,
} from './base/projection.ts';
import { startOfScale } from './base/query-key-layer.ts';
import { registerLayer } from './base/register.ts';
import { isTraining } from './base/training.ts';
import { addAllOrNone, addCheckedWeight, checkUnbuilt } from './base/weights.ts';

/** Options of {@link MultiHeadAttention}. */
export interface MultiHeadAttentionArgs extends LayerArgs, ProjectionArgs {
  /** How many heads queries have. Required. */
  numHeads: number;
  /** The width of queries and keys in each head. Required. */
  keyDim: number;
  /** The width of values in each head. Default: keyDim. */
  valueDim?: number;
  /** How many heads keys and values have, a divisor of numHeads: grouped-query attention. Default: numHeads. */
  numKeyValueHeads?: number;
  /** The share of attention weights dropped in training. Default: 0. */
  dropout?: number;
  /** The shape of the output after the axes of the query, a number or a list. Default: the width of the query. */
  outputShape?: number | number[];
  /** The axes whose positions attend to each other. Default: all between the first and the last. */
  attentionAxes?: number | number[];
  /** The seed of dropout, which makes it repeatable. Default: none. */
  seed?: number;
  /**
   * What happens to queries and keys of each head before their product: 'l2', query-key normalization, unit length and a learned
   * scale g; 'rms', root mean square normalization with a learned weight each, as in Qwen 3 and Gemma 3. Default: nothing.
   */
  queryKeyNorm?: 'l2' | 'rms';
  /** With 'l2', the usual length of the training sequences, from which g starts: see {@link QKNormalization}. Required without scaleInitializer. */
  sequenceLength?: number;
  /** With 'l2', where g starts. Default: as `sequenceLength` says. */
  scaleInitializer?: Identifier<Initializer>;
  /** Keeps the divisor of queryKeyNorm from 0. Default: 1e-12 for 'l2' (the smallest length), 1e-6 for 'rms' (under the root). */
  epsilon?: number;
  /** Where the kernels start. Default: 'glorotUniform'. */
  kernelInitializer?: Identifier<Initializer>;
}

const OPTIONS = [
  ...[
    'numHeads',
    'keyDim',
    'valueDim',
    'numKeyValueHeads',
    'dropout',
    'useBias',
    'outputShape',
    'attentionAxes',
    'seed',
  ],
  ...['queryKeyNorm', 'sequenceLength', 'scaleInitializer', 'epsilon', ...PROJECTION_IDENTIFIERS],
];

/**
 * Multi-head attention, as in Keras: several attentions side by side, each on projections of its own.
 *
 *     y = concat_h(softmax(q_h k_h^T / sqrt(keyDim)) v_h) W + b     q_h = query W_h + b_h, and so k_h of key and v_h of value
 *
 * **Inputs: [query, value], [query, value, key] or [query, value, key, mask], in this order, which is Keras's: the value comes before the
 * key.** (`QKNormAttention` takes query, key, value.) Without a key the value is the key, too; to give a mask without one, repeat
 * the value. Query [batch, ..., queries, width], value and key [batch, ..., keys, any]. The attention mask is true (or 1) where
 * a query may attend to a key: [batch, queries, keys] or [batch, heads, queries, keys], of which any size may be 1. Masks of the
 * inputs join it, as described at {@link QKNormAttention}.
 *
 * Output: [batch, ..., queries, width of the query], or what `outputShape` says. Weights, in Keras's order: query/kernel [width, heads,
 * keyDim], query/bias [heads, keyDim], the same of key and value, g [] or query_norm/gamma and key_norm/gamma [keyDim] if
 * `queryKeyNorm` asks for them, attention_output/kernel [heads, valueDim, width], attention_output/bias.
 *
 * Arguments of a call, which a graph keeps: `useCausalMask`, true: query i attends to the keys up to i, both counted from the first;
 * `training`. Outside of a graph `returnAttentionScores`, true: gives [y, weights], the weights before dropout.
 *
 * @example
 * ```js
 * const attention = multiHeadAttention({numHeads: 4, keyDim: 16});
 * const x = tf.input({shape: [10, 64]});
 * attention.apply([x, x], {useCausalMask: true}).shape; // [null, 10, 64]
 * attention.countParams(); // 16640
 * ```
 * @throws if an option is unknown or invalid; when called, if there are not two to four inputs, ranks, or the numbers of keys and
 *   values differ, a mask does not fit or holds other numbers than 0 and 1; in a graph, if it would lose a mask
 * @see Vaswani et al.: Attention Is All You Need. 2017, https://arxiv.org/abs/1706.03762
 */
export class MultiHeadAttention extends ConfiguredLayer {
  /** In saved models, here and in Keras. */
  static readonly className = 'MultiHeadAttention';
  /** How many heads queries have. */
  readonly numHeads: number;
  /** The width of queries and keys in each head. */
  readonly keyDim: number;
  /** The width of values in each head. */
  readonly valueDim: number;
  /** How many heads keys and values have. */
  readonly numKeyValueHeads: number;
  /** The share of attention weights dropped in training. */
  readonly dropout: number;
  /** Whether each projection adds a bias. */
  readonly useBias: boolean;
  /** The axes whose positions attend to each other, as they were given. */
  readonly attentionAxes: number | readonly number[] | undefined;
  /** The seed of dropout. */
  readonly seed: number | undefined;
  /** What happens to queries and keys before their product. */
  readonly queryKeyNorm: 'l2' | 'rms' | undefined;
  /** The usual length of the training sequences, if it was given. */
  readonly sequenceLength: number | undefined;
  /** The epsilon of `queryKeyNorm`, if it was given. */
  readonly epsilon: number | undefined;
  protected readonly scaleInitializer: Initializer | undefined;
  readonly #outputShape: number | readonly number[] | undefined;
  readonly #inputs = new AttentionInputs(this, ['query', 'value', 'key']);
  /** Whether the current call gives the attention weights, too, which have no mask. */
  #givesScores = false;
  #projections!: Readonly<Record<'query' | 'key' | 'value' | 'output', Projection>>;
  /** g, or the weights of both root mean square normalizations. */
  #norm: readonly LayerVariable[] = [];

  constructor(args: MultiHeadAttentionArgs) {
    super(args, OPTIONS);
    const who = this.getClassName();
    this.numHeads = checkPositiveInteger(who, 'numHeads', args.numHeads, 8);
    this.keyDim = checkPositiveInteger(who, 'keyDim', args.keyDim, 64);
    this.valueDim = checkPositiveInteger(who, 'valueDim', args.valueDim ?? args.keyDim, 64);
    this.numKeyValueHeads = checkKeyValueHeads(who, args.numKeyValueHeads ?? args.numHeads, this.numHeads);
    this.dropout = checkRate(who, 'dropout', args.dropout ?? 0);
    this.useBias = checkBoolean(who, 'useBias', args.useBias ?? true);
    this.seed = checkSeed(who, args.seed);
    this.#outputShape = checkOutputShape(who, args.outputShape);
    this.attentionAxes = checkAttentionAxes(who, args.attentionAxes);
    this.queryKeyNorm = checkQueryKeyNorm(who, args);
    this.epsilon = args.epsilon === undefined ? undefined : checkEpsilon(who, args.epsilon);
    this.sequenceLength = args.sequenceLength;
    this.scaleInitializer =
      this.queryKeyNorm === 'l2' ? startOfScale(who, args.sequenceLength, args.scaleInitializer) : undefined;
    const defaults = { kernelInitializer: 'glorotUniform', biasInitializer: 'zeros' };
    assignIdentifiers(this, args, PROJECTION_IDENTIFIERS, defaults);
    this.supportsMasking = true;
  }

  protected override optionOf(name: string): unknown {
    // TensorFlow.js has a property outputShape of its own, which fails before the layer is called.
    return name === 'outputShape' ? this.#outputShape : super.optionOf(name);
  }

  #sizesOfOutput(): readonly number[] | undefined {
    return this.#outputShape === undefined ? undefined : [this.#outputShape].flat();
  }

  override apply(...[inputs, kwargs]: Parameters<layers.Layer['apply']>): ReturnType<layers.Layer['apply']> {
    if (kwargs?.returnAttentionScores && [inputs].flat().some((input) => input instanceof SymbolicTensor)) {
      const out = 'make a model that gives them by calling the layer on tensors';
      fail(this.getClassName(), `returnAttentionScores is not kept in a graph; received it for '${this.name}'; ${out}`);
    }
    this.#givesScores = Boolean(kwargs?.returnAttentionScores);
    return this.#inputs.apply(inputs, kwargs, (all) => super.apply(all, kwargs));
  }

  override build(inputShape: Shape | Shape[]): void {
    checkUnbuilt(this);
    const { query, value, key } = this.#checkedShapes(inputShape);
    const widthOf = (shape: Shape) => checkSize(this.getClassName(), shape, shape.length - 1);
    const widths = { query: widthOf(query), value: widthOf(value), key: widthOf(key) };
    addAllOrNone(this, () => this.#addWeights(widths));
    this.built = true;
  }

  #addWeights(widths: Readonly<Record<'query' | 'value' | 'key', number>>): void {
    const addTrained: AddWeight = (name, shape, initializer, regularizer, constraint) =>
      addCheckedWeight(this, this.addWeight, name, shape, 'float32', initializer, regularizer, true, constraint);
    const options = this as unknown as ProjectionOptions;
    const project = (name: string, inputs: readonly number[], outputs: readonly number[]) =>
      new Projection(addTrained, name, inputs, outputs, options);
    const { numHeads, numKeyValueHeads, keyDim, valueDim } = this;
    const ofInputs = {
      query: project('query', [widths.query], [numHeads, keyDim]),
      key: project('key', [widths.key], [numKeyValueHeads, keyDim]),
      value: project('value', [widths.value], [numKeyValueHeads, valueDim]),
    };
    if (this.scaleInitializer) this.#norm = [addTrained('g', [], this.scaleInitializer)];
    if (this.queryKeyNorm === 'rms') {
      const names = ['query_norm/gamma', 'key_norm/gamma'];
      this.#norm = names.map((name) => addTrained(name, [keyDim], initializers.ones()));
    }
    const outputs = this.#sizesOfOutput() ?? [widths.query];
    this.#projections = { ...ofInputs, output: project('attention_output', [numHeads, valueDim], outputs) };
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const { query } = this.#checkedShapes(inputShape);
    return [...query.slice(0, -1), ...(this.#sizesOfOutput() ?? query.slice(-1))];
  }

  #listOf<T>(inputs: T[]): T[] {
    if (inputs.length >= 2 && inputs.length <= 4) return inputs;
    const rule = 'the inputs are [query, value], then perhaps the key and an attention mask';
    return fail(this.getClassName(), `${rule}; received ${inputs.length}; call apply with a list`);
  }

  /** The shapes of query, value and key, which must fit each other. */
  #checkedShapes(inputShape: Shape | Shape[]): { query: Shape; value: Shape; key: Shape } {
    const who = this.getClassName();
    const [query, value, key = value] = this.#listOf(listOfShapes(inputShape)) as [Shape, Shape, Shape?];
    const ranks = [query, value, key].map((shape) => (shape as Shape).length);
    if (ranks[0] !== ranks[1] || ranks[0] !== ranks[2] || (ranks[0] as number) < 3) {
      fail(who, `query, value and key must have the same rank, 3 or more; received ${ranks.join(', ')}; reshape them`);
    }
    const attended = this.#axes(query.length);
    for (let axis = 0; axis < query.length - 1; axis++) {
      const sizes = [query, value, key].map((shape) => (shape as Shape)[axis]);
      const same = attended.includes(axis) ? sizes.slice(1) : sizes;
      if (new Set(same.filter((size) => size != null)).size <= 1) continue;
      const rule = attended.includes(axis)
        ? 'there must be one value per key'
        : 'query, value and key must have the same sizes where they do not attend';
      fail(
        who,
        `${rule}; received ${sizes.join(', ')} of query, value and key at axis ${axis}; give inputs of one length`,
      );
    }
    return { query, value, key: key as Shape };
  }

  /** The axes along which positions attend to each other, counted from the front, ascending. */
  #axes(rank: number): number[] {
    const { attentionAxes } = this;
    if (attentionAxes === undefined) return Array.from({ length: rank - 2 }, (_, i) => i + 1);
    const axes = [attentionAxes].flat().map((axis) => (axis < 0 ? axis + rank : axis));
    const areRight = axes.every((axis) => axis > 0 && axis < rank - 1);
    if (areRight && new Set(axes).size === axes.length && axes.length > 0) return axes.sort((a, b) => a - b);
    const rule = `attentionAxes must lie between the batch and the width of the ${rank} axes of the query, each once`;
    return fail(this.getClassName(), `${rule}; received ${show(attentionAxes)}; use 1 to ${rank - 2}`);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const [query, value, key = value, mask] = this.#listOf([inputs].flat()) as [Tensor, Tensor, Tensor?, Tensor?];
      this.#checkedShapes([query, value, key as Tensor].map(({ shape }) => shape));
      const axes = this.#axes(query.rank);
      const [q, k, v] = (
        [
          ['query', query],
          ['key', key as Tensor],
          ['value', value],
        ] as const
      ).map(([name, x]) => splitHeads(this.#projections[name].apply(x), axes)) as [Tensor, Tensor, Tensor];
      const padding = this.#inputs.masks([query, value, key as Tensor], kwargs);
      const options = {
        mask: mask && this.#merged(mask, axes),
        causal: this.#isCausal(kwargs) ? ('from first' as const) : undefined,
        dropout: isTraining(this, kwargs) ? this.dropout : 0,
        seed: this.seed,
        padding: [padding[0], padding[2], padding[1]],
      };
      const [attended, weights] = attendHeads(this.getClassName(), ...this.#logits(q, k, v), options);
      const y = this.#projections.output.apply(joinHeads(attended, query.shape, axes));
      if (!kwargs?.returnAttentionScores) return y;
      return [y, weights] as unknown as Tensor;
    });
  }

  #logits(q: Tensor, k: Tensor, v: Tensor): [readonly [Tensor, Tensor, Tensor], Logits] {
    const weights = this.#norm.map((weight) => weight.read());
    if (this.queryKeyNorm === 'l2') return [[q, k, v], { g: weights[0] as Tensor, epsilon: this.epsilon ?? 1e-12 }];
    const options = { epsilon: this.epsilon ?? 1e-6, epsilonPlacement: 'inside' as const };
    const [qs, ks] = [q, k].map((x, i) => (weights[i] ? rmsNorm(x, { gamma: weights[i], ...options }) : x));
    return [[qs as Tensor, ks as Tensor, v], { scale: this.keyDim ** -0.5 }];
  }

  #isCausal(kwargs: Kwargs): boolean {
    return Boolean(kwargs?.useCausalMask ?? argumentInGraph(this, 'useCausalMask') ?? false);
  }

  /** An attention mask as [batch, (heads,) queries, keys]: several attended axes of queries, and of keys, become one each. */
  #merged(mask: Tensor, axes: readonly number[]): Tensor {
    const rank = mask.rank - 2 * axes.length;
    if (rank < 1 || rank > 2) {
      const shape = axes.length > 1 ? 'the attended axes of queries, those of keys' : 'queries, keys';
      fail(
        this.getClassName(),
        `the attention mask must have the shape [batch, ${shape}], or heads after the batch; received [${mask.shape}]; reshape it`,
      );
    }
    const sizes = mask.shape.slice(rank);
    const of = (from: number) => product(sizes, from, from + axes.length);
    return reshape(mask, [...mask.shape.slice(0, rank), of(0), of(axes.length)]);
  }

  /** Without the options that Keras's layer does not have, where it can represent the others. */
  override getConfig(): ConfigDict {
    const config = super.getConfig();
    const isOfKeras = this.queryKeyNorm === undefined;
    const own = isOfKeras ? ['queryKeyNorm', 'sequenceLength', 'scaleInitializer', 'epsilon'] : [];
    return withoutOptions(config, this.numKeyValueHeads === this.numHeads ? [...own, 'numKeyValueHeads'] : own);
  }

  /** The mask of the query. */
  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    const own = maskOfFirst(mask);
    return this.#givesScores ? ([own, null] as unknown as Tensor) : own;
  }
}

function checkKeyValueHeads(who: string, given: unknown, numHeads: number): number {
  const count = checkPositiveInteger(who, 'numKeyValueHeads', given, 2);
  if (numHeads % count === 0) return count;
  const rule = `numKeyValueHeads must divide numHeads; received ${count} for ${numHeads}`;
  return fail(who, `${rule}; each serves as many heads of queries`);
}

function checkSeed(who: string, seed: number | undefined): number | undefined {
  if (seed == null || typeof seed === 'number') return seed;
  return fail(who, `seed must be a number; received ${show(seed)}; leave it out, or give one`);
}

/** A copy, since the caller may change its list. */
function checkOutputShape(who: string, shape: MultiHeadAttentionArgs['outputShape']): typeof shape {
  for (const size of shape === undefined ? [] : [shape].flat()) checkPositiveInteger(who, 'outputShape', size, 64);
  return deepCopy(shape);
}

/** A copy, since the caller may change its list. */
function checkAttentionAxes(who: string, axes: MultiHeadAttentionArgs['attentionAxes']): typeof axes {
  if ([axes ?? []].flat().every(Number.isInteger)) return deepCopy(axes);
  return fail(who, `attentionAxes must be an integer or a list of integers; received ${show(axes)}; 1 is usual`);
}

/** `queryKeyNorm`, with no options of another one. */
function checkQueryKeyNorm(who: string, args: MultiHeadAttentionArgs): 'l2' | 'rms' | undefined {
  const given = args.queryKeyNorm;
  const norm = given == null ? undefined : checkOneOf(who, 'queryKeyNorm', given, ['l2', 'rms'] as const);
  const needs = { sequenceLength: ['l2'], scaleInitializer: ['l2'], epsilon: ['l2', 'rms'] };
  for (const [option, norms] of Object.entries(needs)) {
    if (args[option as keyof typeof needs] === undefined || norms.includes(norm ?? '')) continue;
    const out = `give queryKeyNorm: '${norms[0]}', or leave it out`;
    fail(who, `${option} is an option of queryKeyNorm; received it with ${show(given)}; ${out}`);
  }
  return norm;
}

/** Makes a {@link MultiHeadAttention}. */
export const multiHeadAttention = (args: MultiHeadAttentionArgs) => new MultiHeadAttention(args);
registerLayer(MultiHeadAttention);
