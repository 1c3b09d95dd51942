/** `GlobalAveragePooling1D` of a sequence with a mask: the mean of the steps that count. TensorFlow.js's takes all. */
import { cast, div, expandDims, mean, mul, serialization, sum, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { usableMask } from '../../base/mask.ts';
import type { Kwargs, LayerArgs } from '../../base/options.ts';
import { registerLayer } from '../../base/register.ts';

// TensorFlow.js does not export its class: it is found where saved models find it.
const [GlobalAveragePooling1D] = serialization.SerializationMap.getMap().classNameMap
  .GlobalAveragePooling1D as unknown as [new (args: LayerArgs) => layers.Layer];

/** y = sum_t(mask_t x_t) / sum_t(mask_t); of a sequence that is masked as a whole NaN, as in Keras. */
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
