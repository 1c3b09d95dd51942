/** Keras's `Attention`: dot-product or additive attention without projections, as files have it. */
import { expandDims, scalar, type Tensor, tidy, where, zerosLike } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, type layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../../kernels/core/errors.ts';
import { attendHeads, checkAttention, type Logits } from '../../../kernels/functions/attention.ts';
import { checkBoolean, checkOneOf, checkRate } from '../../../kernels/functions/checks.ts';
import { AttentionInputs } from '../../base/attention-inputs.ts';
import { argumentInGraph } from '../../base/call-arguments.ts';
import { ConfiguredLayer } from '../../base/configured-layer.ts';
import { maskOfFirst } from '../../base/mask.ts';
import { type Kwargs, type LayerArgs, listOfShapes, type Shape } from '../../base/options.ts';
import { registerLayer } from '../../base/register.ts';
import { isTraining } from '../../base/training.ts';
import { checkUnbuilt } from '../../base/weights.ts';

interface AttentionArgs extends LayerArgs {
  readonly useScale?: boolean;
  readonly scoreMode?: 'dot' | 'concat';
  readonly dropout?: number;
  readonly seed?: number;
}

/**
 * y = softmax(scores) value, with scores = scale query key^T, or weight sum(tanh(scale (query + key))) if `scoreMode` is 'concat'.
 * Inputs: [query, value] or [query, value, key]. Where the query is masked the output is 0.
 */
class Attention extends ConfiguredLayer {
  static readonly className = 'Attention';
  readonly useScale: boolean;
  readonly scoreMode: 'dot' | 'concat';
  readonly dropout: number;
  readonly seed: number | undefined;
  readonly #inputs = new AttentionInputs(this, ['query', 'value', 'key']);
  #scale: LayerVariable | undefined = undefined;
  #weight: LayerVariable | undefined = undefined;

  constructor(args: AttentionArgs = {}) {
    super(args, ['useScale', 'scoreMode', 'dropout', 'seed']);
    const who = this.getClassName();
    this.useScale = checkBoolean(who, 'useScale', args.useScale ?? false);
    this.scoreMode = checkOneOf(who, 'scoreMode', args.scoreMode ?? 'dot', ['dot', 'concat'] as const);
    this.dropout = checkRate(who, 'dropout', args.dropout ?? 0);
    this.seed = args.seed;
    this.supportsMasking = true;
  }

  override apply(...[inputs, kwargs]: Parameters<layers.Layer['apply']>): ReturnType<layers.Layer['apply']> {
    return this.#inputs.apply(inputs, kwargs, (all) => super.apply(all, kwargs));
  }

  override build(inputShape: Shape | Shape[]): void {
    checkUnbuilt(this);
    this.#checkShapes(listOfShapes(inputShape));
    const add = (name: string) => this.addWeight(name, [], 'float32', initializers.ones());
    if (this.useScale) this.#scale = add('scale');
    if (this.scoreMode === 'concat') this.#weight = add('concat_score_weight');
    this.built = true;
  }

  #checkShapes(shapes: Shape[]): Shape[] {
    const who = this.getClassName();
    const [query, value, key = value] = shapes;
    if (shapes.length < 2 || shapes.length > 3) {
      fail(who, `the inputs are [query, value] and perhaps the key; received ${shapes.length}; call apply with a list`);
    }
    checkAttention(who, query as Shape, key as Shape, value as Shape, false);
    return shapes;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [query, value] = this.#checkShapes(listOfShapes(inputShape)) as [Shape, Shape];
    return [...query.slice(0, -1), ...value.slice(-1)];
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const [query, value, key = value] = inputs as [Tensor, Tensor, Tensor?];
      const [queryMask, valueMask] = this.#inputs.masks([query, value], kwargs);
      const isCausal = kwargs?.useCausalMask ?? argumentInGraph(this, 'useCausalMask');
      const options = {
        padding: [undefined, undefined, valueMask],
        causal: isCausal ? ('from first' as const) : undefined,
        dropout: isTraining(this, kwargs) ? this.dropout : 0,
        seed: this.seed,
      };
      const [y] = attendHeads(this.getClassName(), [query, key as Tensor, value], this.#logits(), options);
      return queryMask ? where(expandDims(queryMask, -1), y, zerosLike(y)) : y;
    });
  }

  #logits(): Logits {
    const scale = this.#scale?.read() ?? scalar(1);
    return this.#weight ? { sums: [scale, this.#weight.read()] } : { scale };
  }

  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    return maskOfFirst(mask);
  }
}

registerLayer(Attention);
