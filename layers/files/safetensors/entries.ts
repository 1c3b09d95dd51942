/** How the weights of a model and the tensors of a file belong to each other. */
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import type { Layout } from './layout.ts';

/**
 * One tensor of a file, by what it is to the model:
 *
 * - `value`: the weight is written to it, and read from it;
 * - `addend`: it is added to the weight, and written as zeros;
 * - `constant`: the model has no such weight, and works as if all its values were `constant`;
 * - `ignored`: it may be in the file, and says nothing.
 */
export type Entry =
  | (Stored & { readonly role: 'value' | 'addend'; readonly weight: LayerVariable })
  | (Stored & { readonly role: 'constant'; readonly constant: number; readonly isWritten: boolean })
  | { readonly names: readonly string[]; readonly role: 'ignored' };

interface Stored {
  /** Under the first name it is written, under any of them read. */
  readonly names: readonly string[];
  readonly layout: Layout;
}

export interface Plan {
  readonly entries: readonly Entry[];
  /** Weights that no tensor of the file has, and what they are to be once the others are loaded. */
  readonly settings: readonly Setting[];
}
export type Setting = readonly [weight: LayerVariable, value: number];
