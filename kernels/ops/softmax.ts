/** A softmax that can be differentiated again: the gradient of TensorFlow.js's own ends at the output that it saved. */
import { mul, sub, sum, type Tensor, softmax as tfSoftmax } from '@tensorflow/tfjs-core';
import { recording, withGradient } from '../core/tape.ts';

/** softmax over the last axis: dx = y (dy - sum(dy y)). */
export function softmax(x: Tensor): Tensor {
  if (!recording()) return tfSoftmax(x);
  return withGradient([x], (save) => {
    const value = tfSoftmax(x);
    save([x, value]);
    const gradFunc = (dy: Tensor, [x, saved]: Tensor[]) => {
      const y = recording() ? softmax(x as Tensor) : (saved as Tensor);
      return mul(y, sub(dy, sum(mul(dy, y), -1, true)));
    };
    return { value, gradFunc };
  });
}
