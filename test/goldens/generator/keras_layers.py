"""Files of layers that TensorFlow.js does not have: attention with fewer heads of keys and values, pooling that keeps its axes, operations
with numbers and the activation hard_silu.

    python keras_layers.py FOLDER

writes for each model NAME.keras, NAME.h5 (a whole model), NAME.weights.h5 (of which grouped alone is kept) and NAME.json: an input and what the model makes of it.
"""

import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras
import numpy as np

layers = keras.layers
folder = sys.argv[1]
random = np.random.default_rng(1)


def grouped():
    x = keras.Input((5, 8))
    y = layers.GroupQueryAttention(3, 4, 2)(x, x, use_causal_mask=True)
    z = layers.GroupQueryAttention(2, 2, 1, use_bias=False)(y, x)
    return keras.Model(x, layers.Concatenate()([y, z])), (2, 5, 8)


def pooled():
    x = keras.Input((5, 4, 3))
    images = [
        layers.GlobalAveragePooling2D(keepdims=True)(x),
        layers.GlobalMaxPooling2D(keepdims=True)(x),
        layers.Permute((2, 3, 1))(layers.GlobalMaxPooling2D(keepdims=True, data_format="channels_first")(x)),
    ]
    rows = layers.Reshape((20, 3))(x)
    sequences = [pooling(keepdims=True)(rows) for pooling in (layers.GlobalAveragePooling1D, layers.GlobalMaxPooling1D)]
    y = layers.Concatenate()([*images, *[layers.Reshape((1, 1, 3))(one) for one in sequences]])
    return keras.Model(x, layers.Conv2D(2, 1)(y)), (2, 5, 4, 3)


def scalars():
    x = keras.Input((4,))
    y = keras.ops.subtract(2.0, layers.Dense(3, activation="hard_silu")(x + 3))
    z = layers.Dense(3, activation="hard_swish")(keras.ops.multiply(0.5, x) / 4 - 1.5)
    return keras.Model(x, layers.Concatenate()([y, layers.Activation("hard_silu")(1 + z)])), (2, 4)


for make in (grouped, pooled, scalars):
    model, shape = make()
    model.set_weights([random.normal(size=w.shape) * 0.4 for w in model.get_weights()])
    x = random.normal(size=shape).astype("float32")
    name = os.path.join(folder, make.__name__)
    model.save(f"{name}.keras")
    model.save(f"{name}.h5")
    model.save_weights(f"{name}.weights.h5")
    y = np.asarray(model(x)).astype("float64")
    golden = {"x": x.ravel().tolist(), "xshape": x.shape, "y": y.ravel().tolist(), "yshape": y.shape}
    with open(f"{name}.json", "w") as file:
        json.dump(golden, file)
