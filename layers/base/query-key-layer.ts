/** The base of both layers of query-key normalization: the learned scale g, the options of its start, and lists of inputs. */
import { initializers, type LayerVariable } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../kernels/core/errors.ts';
import { checkEpsilon } from '../../kernels/functions/checks.ts';
import { ConfiguredLayer } from './configured-layer.ts';
import { type Identifier, type Initializer, resolveIdentifier } from './identifiers.ts';
import type { LayerArgs } from './options.ts';
import { addAllOrNone, addCheckedWeight, checkUnbuilt } from './weights.ts';

/** Options of both layers. */
export interface ScaleArgs extends LayerArgs {
  /** The usual length L of the training sequences (the paper: the 97.5th percentile). Required without scaleInitializer. */
  sequenceLength?: number;
  /** The smallest norm that is divided by. Default: 1e-12. */
  epsilon?: number;
  /** Where g starts. Default: the constant log2(L^2 - L). */
  scaleInitializer?: Identifier<Initializer>;
}

export abstract class QueryKeyLayer extends ConfiguredLayer {
  /** The usual length of the training sequences, if it was given. */
  readonly sequenceLength: number | undefined;
  /** The smallest norm that is divided by. */
  readonly epsilon: number;
  protected readonly scaleInitializer: Initializer;
  protected g!: LayerVariable;

  protected constructor(args: ScaleArgs, own: readonly string[]) {
    super(args, ['sequenceLength', 'epsilon', 'scaleInitializer', ...own]);
    const who = this.getClassName();
    this.epsilon = checkEpsilon(who, args.epsilon ?? 1e-12);
    this.sequenceLength = args.sequenceLength;
    this.scaleInitializer = startOfScale(who, args.sequenceLength, args.scaleInitializer);
  }

  /** Adds g, the only weight. */
  protected addScale(): void {
    checkUnbuilt(this);
    addAllOrNone(this, () => {
      this.g = addCheckedWeight(this, this.addWeight, 'g', [], 'float32', this.scaleInitializer);
    });
    this.built = true;
  }

  /** The inputs as a list of one of the allowed lengths. */
  protected listOf<T>(inputs: T | T[], names: string, least: number, most = least): T[] {
    if (Array.isArray(inputs) && inputs.length >= least && inputs.length <= most) return inputs;
    const received = Array.isArray(inputs) ? inputs.length : 1;
    return fail(this.getClassName(), `the inputs are ${names}; received ${received}; call apply with a list`);
  }
}

/** The initializer of g: the given one, or the constant that follows from the usual length of the sequences. */
export function startOfScale(
  who: string,
  length: number | undefined,
  scaleInitializer: Identifier<Initializer> | undefined,
): Initializer {
  if (length !== undefined && !(Number.isSafeInteger(length) && length >= 2)) {
    const rule = 'an integer of at least 2, since g starts at log2(L^2 - L)';
    fail(who, `sequenceLength must be ${rule}; received ${show(length)}; give the usual length of the sequences`);
  }
  if (scaleInitializer !== undefined) return resolveIdentifier(who, 'scaleInitializer', scaleInitializer);
  if (length !== undefined) return initializers.constant({ value: Math.log2(length ** 2 - length) });
  return fail(
    who,
    'sequenceLength is required; received none; give the usual length of the sequences, or scaleInitializer',
  );
}
