/**
 * The inputs of an attention layer in a graph, and their masks. TensorFlow.js passes only the mask of the first input to a layer. When
 * a graph is made it is found out which other inputs have the same mask, and a graph in which a mask would be lost is refused.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type layers, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import type { PaddingMasks } from '../../kernels/functions/attention-mask.ts';
import { layerThatEndedMask, maskOfShape, maskOriginOf } from './mask.ts';
import type { Kwargs } from './options.ts';
import { type Inputs, RepeatedInputs } from './repeated-inputs.ts';

const MASKS = '[batch, keys] or [batch, queries, keys]';

export class AttentionInputs {
  readonly #layer: layers.Layer;
  readonly #names: readonly [string, string, string];
  /** In a graph, whether each input has the mask that TensorFlow.js passes, that of the first input. */
  #masked: readonly boolean[] | undefined;
  readonly #repeated: RepeatedInputs;

  /** `names` are the names of the inputs that may have masks: query, key and value, in the order of the layer. */
  constructor(layer: layers.Layer, names: readonly [string, string, string]) {
    this.#layer = layer;
    this.#repeated = new RepeatedInputs(layer);
    this.#names = names;
  }

  /**
   * Calls `apply` with all inputs. In a graph also notes which inputs have the mask that TensorFlow.js will pass, and refuses a graph
   * in which a mask would be lost, unless there is an attention mask as fourth input.
   */
  apply<T>(inputs: Inputs, kwargs: Kwargs | undefined, apply: (inputs: Inputs) => T): T {
    const list = [inputs].flat() as unknown[];
    const isGraph = list.length > 1 && list.every((input) => input instanceof SymbolicTensor);
    const masked = isGraph ? this.#maskedInputs(list as SymbolicTensor[], kwargs) : this.#masked;
    const output = this.#repeated.apply(inputs, apply);
    this.#masked = masked;
    return output;
  }

  /** Whether each input has the mask of the first one. */
  #maskedInputs(inputs: SymbolicTensor[], kwargs: Kwargs | undefined): boolean[] {
    const layer = this.#layer;
    const names = this.#names;
    const refuse = (problem: string) =>
      fail(layer.getClassName(), `'${layer.name}' ${problem}; give it an attention mask as the fourth input, ${MASKS}`);
    if (kwargs?.mask) refuse('is given a mask in a graph, which TensorFlow.js does not keep');
    const parts = inputs.slice(0, names.length);
    const origins = parts.map(maskOriginOf);
    const masked = origins.map((origin) => origin !== undefined && origin === origins[0]);
    if (inputs.length <= names.length) {
      for (const [i, input] of parts.entries()) {
        const name = names[i];
        const lost = i > 0 && layerThatEndedMask(input);
        if (lost) refuse(`would lose the mask of its ${name}, which ends at '${lost.name}' (${lost.getClassName()})`);
        const isBrought = masked[i] || maskOriginOf(input) === undefined;
        if (!isBrought) refuse(`would lose the mask of its ${name}: TensorFlow.js brings that of the first input only`);
      }
    }
    // A call of a shared layer cannot tell which of its places in the graph it belongs to.
    if (this.#masked?.some((was, i) => was !== masked[i])) {
      refuse('is shared by calls with and without masks, which TensorFlow.js does not tell apart');
    }
    return masked;
  }

  /** The masks of the inputs query, key and value: those of the graph, those of the call, or those that the tensors carry. */
  masks(inputs: readonly Tensor[], kwargs: Kwargs): PaddingMasks {
    const who = this.#layer.getClassName();
    const [one, two, three] = this.#names;
    const names = `${one}, ${two} and ${three}`;
    const given = kwargs?.mask as Tensor | Tensor[] | undefined;
    const first = inputs[0] as Tensor;
    if (Array.isArray(given)) {
      if (given.length >= inputs.length && given.length <= this.#names.length + 1) return given.slice(0, inputs.length);
      fail(who, `mask must be a list of the masks of ${names}; received ${given.length}; null is none`);
    }
    if (this.#layer.inboundNodes.length > 0) {
      const whole = first.shape.slice(0, -1);
      const short = [whole[0] as number, whole.at(-1) as number];
      const mask = this.#masked?.[0] && given && (maskOfShape(given, short) ?? maskOfShape(given, whole));
      return mask ? inputs.map((_, i) => (this.#masked?.[i] ? mask : null)) : [];
    }
    if (!given) return inputs.map(({ kerasMask }) => (kerasMask?.isDisposed ? null : kerasMask));
    if (inputs.every((input) => input === first)) return inputs.map(() => given);
    return fail(
      who,
      `mask must be a list, since there are several inputs; give [${this.#names.join(', ')}], null being none`,
    );
  }
}
