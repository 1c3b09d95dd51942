import type { Tensor } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable } from '@tensorflow/tfjs-layers';
import { checkBoolean } from '../kernels/functions/checks.ts';
import type { AffineOptions } from '../kernels/functions/normalization.ts';
import { filterResponse } from '../kernels/ops/response.ts';
import { assignIdentifiers, type Constraint, type Identifier, type Initializer } from './base/identifiers.ts';
import { type AffineArgs, Normalization } from './base/normalization.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link FilterResponseNormalization}. */
export interface FilterResponseNormalizationArgs extends AffineArgs {
  /** Added to the mean square. Default: 1e-6. */
  epsilon?: number;
  /** Cut off below the learned threshold tau. Default: true. */
  threshold?: boolean;
  /** Where tau starts. Default: zeros. */
  tauInitializer?: Identifier<Initializer>;
  /** Add |learned_epsilon|, one learned number, to epsilon: for maps of one position. Default: false. */
  learnedEpsilon?: boolean;
  /** Projects learned_epsilon after every step of training. Default: none. */
  learnedEpsilonConstraint?: Identifier<Constraint>;
}

/**
 * Filter response normalization with a thresholded linear unit (TLU), which takes the place of normalization and activation.
 *
 *     y = max(gamma x / sqrt(mean(x^2) + epsilon) + beta, tau)
 *
 * with the mean over the positions of each example and channel. Without `threshold` y is what max is taken of. The same in training and
 * inference. The class of TensorFlow Addons is {@link AddonsFilterResponseNormalization}.
 *
 * Advantages: independent of the batch; as good as batch normalization with large batches, better with small ones. Disadvantages: brings
 * its own activation; needs a slow start of the learning rate. Best for convolutional networks with small batches.
 *
 * Input and output: any shape of rank 2 to 6, [batch, ..., channels]. Weights: gamma, beta, tau [channels], and with `learnedEpsilon`
 * learned_epsilon [1].
 *
 * @example
 * ```js
 * const norm = filterResponseNormalization();
 * norm.apply(tf.tensor([[[3, -1], [4, 1]]])); // [[[0.849, 0], [1.131, 1]]]
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes or is not numeric, `axis` is
 *   out of range, the batch, or of unknown size
 * @see Singh, Krishnan: Filter Response Normalization Layer. 2019, https://arxiv.org/abs/1911.09737
 */
export class FilterResponseNormalization extends Normalization {
  /** In saved models. */
  static readonly className: string = 'FilterResponseNormalization';
  /** Whether y is cut off below tau. */
  readonly threshold: boolean;
  /** Whether a part of epsilon is learned. */
  readonly learnedEpsilon: boolean;
  declare protected learnedEpsilonConstraint: Constraint | undefined;
  #tau: LayerVariable | undefined = undefined;
  #learned: LayerVariable | undefined = undefined;

  constructor(args: FilterResponseNormalizationArgs = {}) {
    const options = ['threshold', 'learnedEpsilon', 'learnedEpsilonConstraint'];
    super(args, { options, initializers: { tauInitializer: 'zeros' }, epsilon: 1e-6 });
    const who = this.getClassName();
    this.threshold = checkBoolean(who, 'threshold', args.threshold ?? true);
    this.learnedEpsilon = checkBoolean(who, 'learnedEpsilon', args.learnedEpsilon ?? false);
    assignIdentifiers(this, args, ['learnedEpsilonConstraint'], {});
  }

  protected override buildState(sizes: number[], _rank: number): void {
    if (this.threshold) this.#tau = this.addWeight('tau', sizes, 'float32', this.ownInitializers[0]);
    if (!this.learnedEpsilon) return;
    const [start, constraint] = [initializers.constant({ value: 1e-4 }), this.learnedEpsilonConstraint];
    this.#learned = this.addWeight('learned_epsilon', [1], 'float32', start, undefined, true, constraint);
  }

  protected override normalize(x: Tensor, { gamma, beta }: AffineOptions): Tensor {
    const parameters = { gamma, beta, tau: this.#tau?.read(), learned: this.#learned?.read() };
    return filterResponse(x, this.frontAxis(x.rank), parameters, this.epsilon);
  }
}

/** Makes a {@link FilterResponseNormalization}. */
export const filterResponseNormalization = (args?: FilterResponseNormalizationArgs) =>
  new FilterResponseNormalization(args);
registerLayer(FilterResponseNormalization);
