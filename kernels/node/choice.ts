/** Which kernels run: the native ones if they can be loaded and are right, else those composed of TensorFlow's own ops. */
import type { Kernel, KernelSet } from '../core/contract.ts';
import { type Binding, type NodePort, sizeOf } from './backend.ts';
import { debug, type Library, loadLibrary } from './library.ts';
import { nativeKernels } from './native.ts';
import { firstDifference, type Kernels } from './probe.ts';

/** Native kernels, or why there are none. */
type Choice = { readonly library: Library; readonly kernels: Partial<Kernels> } | string;

/** A set of kernels that prefers native ones. The library is loaded when the first kernel runs. */
export function preferNative({ kernels: composed, supported }: KernelSet<NodePort>): KernelSet<NodePort> {
  let library: Library | string | undefined;
  /** By addon, since a process may have several. */
  const choices = new WeakMap<Binding, Choice>();

  function choose(backend: NodePort): Choice {
    if (backend.isUsingGpuDevice) return 'TensorFlow uses a GPU';
    library ??= loadLibrary();
    if (typeof library === 'string') return library;
    const kernels = nativeKernels(library.prefix);
    try {
      const wrong = firstDifference(composed, kernels, backend);
      return wrong ? `${wrong} computes something else` : { library, kernels };
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  function choiceFor(backend: NodePort): Choice {
    const { binding } = backend;
    let choice = choices.get(binding);
    if (choice === undefined) {
      choice = choose(backend);
      choices.set(binding, choice);
      debug(describeChoice(choice));
    }
    return choice;
  }

  /** Runs the native kernel, or the composed one if there is no other or x is empty. */
  const prefer = <Call extends { readonly inputs: object; readonly backend: NodePort }, Result>(
    name: keyof Kernels,
    composed: (call: Call) => Result,
  ) => {
    return (call: Call): Result => {
      const choice = choiceFor(call.backend);
      const native = typeof choice === 'string' ? undefined : choice.kernels[name];
      const { x } = call.inputs as { readonly x?: { readonly shape: readonly number[] } };
      const isEmpty = x !== undefined && sizeOf(x.shape) === 0;
      return native && !isEmpty ? (native as unknown as (call: Call) => Result)(call) : composed(call);
    };
  };
  const kernels = Object.fromEntries(
    Object.entries(composed).map(([name, kernel]) => [
      name,
      prefer(name as keyof Kernels, kernel as unknown as Kernel<'Normalize', NodePort>),
    ]),
  ) as unknown as Kernels;
  return { kernels, supported, describe: (backend) => describeChoice(choiceFor(backend)) };
}

const describeChoice = (choice: Choice): string =>
  typeof choice === 'string'
    ? `TensorFlow ops: ${choice}`
    : `native: ${choice.library.instructions}, ${choice.library.threads} threads`;
