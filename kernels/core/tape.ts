/** What a gradient tape sees of the code that runs now, and how to keep something from it. */
import { customGrad, engine, type GradSaveFunc, type Tensor, tidy } from '@tensorflow/tfjs-core';

/** Whether a gradient tape records what runs now. */
export function recording(): boolean {
  const { gradientDepth, kernelDepth } = engine().state;
  return gradientDepth > 0 && kernelDepth === 0;
}

/**
 * Runs `f` off the tape, so that its result is a constant to every gradient.
 * TensorFlow.js has no stopGradient; the forward of a custom gradient is not recorded, and one without inputs has none.
 */
export function constant<T extends Tensor>(f: () => T): T {
  if (!recording()) return tidy(f);
  return customGrad(() => ({ value: f(), gradFunc: () => [] }))() as T;
}

/** An operation on these inputs with a gradient of its own: `tf.customGrad`. `f` is given what keeps tensors for the gradient. */
export const withGradient = (inputs: readonly Tensor[], f: (save: GradSaveFunc) => Differentiable): Tensor =>
  customGrad((...args) => f(args[inputs.length] as GradSaveFunc))(...inputs);

interface Differentiable {
  readonly value: Tensor;
  /** The gradients of the inputs from that of the value, and what was kept. */
  gradFunc(dy: Tensor, saved: Tensor[]): Tensor | Tensor[];
}
