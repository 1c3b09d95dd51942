/**
 * The direct form of a sum, sum = x + residual and y = (sum - mean) / f * gamma + beta, with both results differentiable. One kernel
 * makes both results; one makes of their gradients that of x, which is also that of the residual. Nothing is checked here.
 */
import { add, engine, keep, reshape, type Tensor, tensor, tidy } from '@tensorflow/tfjs-core';
import type { NormalizeAttrs } from '../core/contract.ts';
import { recording, withGradient } from '../core/tape.ts';
import { compute, Normalize, NormalizeGrad } from './gradients.ts';
import { normalize } from './normalize.ts';

type Optional = Tensor | undefined;

/**
 * y and sum; see `NormalizeAttrs`.
 *
 * @param x of any shape that `attrs.view` describes
 * @param residual of the shape of x
 * @param gamma [c], or [conditions, c]; optional
 * @param beta as gamma
 */
export function normalizeSum(
  x: Tensor,
  residual: Tensor,
  gamma: Optional,
  beta: Optional,
  attrs: NormalizeAttrs,
): [y: Tensor, sum: Tensor] {
  // An outer tape must see how the sum, of which the gradient is a function, depends on x and the residual.
  if (x.size === 0 || engine().state.gradientDepth > 1) {
    const sum = add(x, residual);
    return [normalize(sum, gamma, beta, attrs), sum];
  }
  if (recording()) return onTape(x, residual, gamma, beta, attrs);
  const [y, statistics, sum] = compute(Normalize, { x, residual, gamma, beta }, attrs);
  statistics?.dispose();
  return [y, sum as Tensor];
}

/**
 * `tf.customGrad` knows operations with one result only. So there are three operations: one from x and the residual to a *link*, an
 * empty tensor that tells the tape what depends on what, and one each from the link to y and to the sum. Gradients come in the
 * opposite order: that of the sum is kept in `flow` until that of y comes; the kernel makes dx of both; dx is kept in `flow` until the
 * link asks for it. The gradient of a result that nobody uses is not asked for, so no zeros are made for it.
 */
function onTape(
  x: Tensor,
  residual: Tensor,
  gamma: Optional,
  beta: Optional,
  attrs: NormalizeAttrs,
): [y: Tensor, sum: Tensor] {
  const flow: { dsum?: Tensor; dx?: Tensor } = {};
  let results: readonly Tensor[] = [];
  const link = withGradient([x, residual], () => {
    results = tidy(() => compute(Normalize, { x, residual, gamma, beta }, attrs)).map(keep);
    // Two tensors, since TensorFlow.js disposes of one where it adds up the gradients of an input.
    const gradFunc = () => {
      const dx = flow.dx ?? shared(flow.dsum as Tensor);
      return [dx, shared(dx)];
    };
    return { value: nothing(), gradFunc };
  });
  const [value, statistics, total] = results as [Tensor, Tensor, Tensor];
  const parameters = [gamma, beta].filter((t) => t !== undefined);
  const y = withGradient([link, ...parameters], (save) => {
    save([total, statistics, ...(gamma ? [gamma] : [])]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [sum, statistics, gamma] = saved as [Tensor, Tensor, Optional];
      const inputs = { dy, dsum: flow.dsum, x: sum, statistics, gamma };
      const [dx, dgamma, dbeta] = compute(NormalizeGrad, inputs, { ...attrs, affine: parameters.length > 0 });
      flow.dx = dx;
      return [nothing(), ...(gamma ? [dgamma as Tensor] : []), ...(beta ? [dbeta as Tensor] : [])];
    };
    return { value: shared(value), gradFunc };
  });
  const sum = withGradient([link], () => {
    const gradFunc = (dsum: Tensor) => {
      flow.dsum = dsum;
      return nothing();
    };
    return { value: shared(total), gradFunc };
  });
  for (const result of results) result.dispose();
  return [y, sum];
}

/** Another tensor of the same values. Not `clone`, which copies them on the wasm backend. */
const shared = (t: Tensor): Tensor => reshape(t, t.shape);

/** A tensor without values: nothing is computed of it on any backend. */
const nothing = (): Tensor => tensor([], [0]);
