/** `GlobalAveragePooling1D` of a sequence with a mask: the mean of the steps where it is true. TensorFlow.js's class takes all steps. */
import { cast, div, expandDims, mean, mul, serialization, sum, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { usableMask } from '../../base/mask.ts';
import type { Kwargs, LayerArgs } from '../../base/options.ts';
import { registerLayer } from '../../base/register.ts';

// TensorFlow.js does not export this class: take it from the map by which saved models find it.
const [GlobalAveragePooling1D] = serialization.SerializationMap.getMap().classNameMap
  .GlobalAveragePooling1D as unknown as [new (args: LayerArgs) => layers.Layer];

/** y = sum_t(mask_t x_t) / sum_t(mask_t); NaN for a sequence that is masked as a whole, as in Keras. */
class KerasGlobalAveragePooling1D extends GlobalAveragePooling1D {
  static readonly className = 'KerasGlobalAveragePooling1D';

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
    return tidy(() => {
      const [x] = [inputs].flat() as [Tensor];
      const mask = usableMask(this, x, x.rank - 1, kwargs);
      if (!mask) return mean(x, 1);
      const counts = expandDims(cast(mask, 'float32'), -1);
      return div(sum(mul(x, counts), 1), sum(counts, 1));
    });
  }
}

registerLayer(KerasGlobalAveragePooling1D as unknown as serialization.SerializableConstructor<layers.Layer>);
