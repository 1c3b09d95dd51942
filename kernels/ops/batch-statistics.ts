/** Statistics of a batch, in the form in which batch renormalization compares them with moving averages. */
import type { Tensor } from '@tensorflow/tfjs-core';

/** Statistics of a batch, [channels] each. */
export interface BatchStatistics {
  /** sqrt(variance + epsilon). */
  readonly stddev: Tensor;
  /** The mean of the batch minus a moving one. */
  meanMinus(movingMean: Tensor): Tensor;
  /** Mean and stddev, [2, channels], for moving averages. */
  readonly both: Tensor;
}
