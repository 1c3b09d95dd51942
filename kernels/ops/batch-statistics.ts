/** What layers are told of the batch. */
import type { Tensor } from '@tensorflow/tfjs-core';

/** What renormalization is told of a batch, [channels] each. */
export interface BatchStatistics {
  /** sqrt(variance + epsilon). */
  readonly stddev: Tensor;
  /** The batch's mean less a moving one. */
  meanMinus(movingMean: Tensor): Tensor;
  /** Mean and stddev, [2, channels], for moving averages. */
  readonly both: Tensor;
}
