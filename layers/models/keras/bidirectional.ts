/** `Bidirectional` of Keras 3, whose outputs are zeros at masked steps, unlike those of TensorFlow.js's class. */
import { expandDims, mul, serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { layers, RNN } from '@tensorflow/tfjs-layers';
import { usableMask } from '../../base/mask.ts';
import type { Kwargs } from '../../base/options.ts';
import { registerLayer } from '../../base/register.ts';

interface Args {
  readonly layer: RNN;
  readonly mergeMode?: string;
}

// TensorFlow.js does not export this class: take it from the map by which saved models find it.
const [Bidirectional] = serialization.SerializationMap.getMap().classNameMap.Bidirectional as unknown as [
  new (args: Args) => layers.Layer,
];

/** Outputs zeros at masked steps, where TensorFlow.js's class repeats the output of the step before. */
class KerasBidirectional extends Bidirectional {
  static readonly className = 'KerasBidirectional';

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor | Tensor[] {
    return tidy(() => {
      const outputs = super.call(inputs, kwargs);
      const [x] = [inputs].flat() as [Tensor];
      const mask = usableMask(this, x, x.rank - 1, kwargs);
      if (!mask) return outputs;
      const zeros = expandDims(mask, -1);
      const masked = [outputs].flat().map((y) => (y.rank === x.rank ? mul(y, zeros) : y));
      return Array.isArray(outputs) ? masked : (masked[0] as Tensor);
    });
  }
}

registerLayer(KerasBidirectional as unknown as serialization.SerializableConstructor<layers.Layer>);
