/** The activation `hard_silu` of Keras 3, also named `hard_swish`, which TensorFlow.js lacks: y = x min(max(x + 3, 0), 6) / 6. */
import { add, clipByValue, div, mul, serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';

interface Activation extends serialization.Serializable {
  apply(x: Tensor): Tensor;
}

// TensorFlow.js does not export the class that its activations extend: it is found where saved models find them.
const { relu } = serialization.SerializationMap.getMap().classNameMap;
const ActivationClass = Object.getPrototypeOf(relu?.[0]) as abstract new () => Activation;

class HardSilu extends ActivationClass {
  static readonly className = 'hardSilu';

  override apply(x: Tensor): Tensor {
    return tidy(() => div(mul(x, clipByValue(add(x, 3), 0, 6)), 6));
  }

  override getConfig(): serialization.ConfigDict {
    return {};
  }
}

serialization.registerClass(HardSilu as unknown as serialization.SerializableConstructor<Activation>);
