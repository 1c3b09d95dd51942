/** Global pooling as Keras has it: with `keepdims`, and over the steps of a sequence that its mask counts. TensorFlow.js has neither. */
import { div, expandDims, mul, reshape, serialization, sum, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { toFloat } from '../../../kernels/core/floats.ts';
import { usableMask } from '../../base/mask.ts';
import type { Kwargs, LayerArgs, Shape } from '../../base/options.ts';
import { registerLayer } from '../../base/register.ts';

interface PoolingArgs extends LayerArgs {
  /** Whether the output has axes of size 1 in place of those that are pooled; false by default. */
  keepdims?: boolean;
}

/** TensorFlow.js exports its classes of layers in no other way: they are found where saved models find them. */
const builtIn = (className: string) =>
  serialization.SerializationMap.getMap().classNameMap[className]?.[0] as unknown as new (
    args: PoolingArgs,
  ) => layers.Layer & { readonly dataFormat?: string };

function withKeepdims(name: string) {
  return class KerasPooling extends builtIn(name) {
    static readonly className: string = `Keras${name}`;
    readonly keepdims: boolean;

    constructor(args: PoolingArgs) {
      super(args);
      this.keepdims = args.keepdims ?? false;
    }

    override computeOutputShape(inputShape: Shape): Shape {
      if (!this.keepdims) return super.computeOutputShape(inputShape) as Shape;
      const channels = this.dataFormat === 'channelsFirst' ? 1 : inputShape.length - 1;
      return inputShape.map((size, axis) => (axis === 0 || axis === channels ? size : 1));
    }

    override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
      return tidy(() => {
        const [x] = [inputs].flat() as [Tensor];
        const y = this.pool(x, kwargs);
        return this.keepdims ? reshape(y, this.computeOutputShape(x.shape) as number[]) : y;
      });
    }

    pool(x: Tensor, kwargs: Kwargs): Tensor {
      return super.call(x, kwargs) as Tensor;
    }

    override getConfig(): serialization.ConfigDict {
      return { ...super.getConfig(), keepdims: this.keepdims };
    }
  };
}

/** y = sum_t(mask_t x_t) / sum_t(mask_t); of a sequence that is masked as a whole NaN, as in Keras. */
class KerasGlobalAveragePooling1D extends withKeepdims('GlobalAveragePooling1D') {
  override pool(x: Tensor, kwargs: Kwargs): Tensor {
    const mask = usableMask(this, x, x.rank - 1, kwargs);
    if (!mask) return super.pool(x, kwargs);
    const counts = expandDims(toFloat(mask), -1);
    return div(sum(mul(x, counts), 1), sum(counts, 1));
  }
}

const others = ['GlobalAveragePooling2D', 'GlobalMaxPooling1D', 'GlobalMaxPooling2D'].map(withKeepdims);
for (const pooling of [KerasGlobalAveragePooling1D, ...others]) {
  registerLayer(pooling as unknown as serialization.SerializableConstructor<layers.Layer>);
}
