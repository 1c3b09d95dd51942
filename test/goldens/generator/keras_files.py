"""Files of Keras 2.13 and 2.15 whose groups the others do not have: several layers of a class, models within, shared layers.

    python keras_files.py FOLDER

writes NAME.keras, NAME.h5 (a whole model), NAME.weights.h5 (Keras 3's form), NAME-legacy.h5 (weights alone) and NAME.json.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

keras, layers = tf.keras, tf.keras.layers
folder = sys.argv[1]
random = np.random.default_rng(1)


def counted():
    model = keras.Sequential([
        layers.Dense(2, input_shape=(3,)), layers.Dense(4), layers.Dropout(0.5), layers.BatchNormalization(),
        layers.Dense(3), layers.BatchNormalization(scale=False),
    ])
    return model, (2, 3)


def nested():
    inner_input = keras.Input((3,))
    inner = keras.Model(inner_input, layers.Dense(5)(layers.Dense(4)(inner_input)))
    shared = layers.Dense(3)
    x = keras.Input((3,))
    y = layers.Dense(2)(inner(shared(shared(x))))
    return keras.Model(x, layers.Concatenate()([y, inner(x)])), (2, 3)


def recurrent():
    inner = keras.Sequential([layers.Dense(4, input_shape=(6,)), layers.Dense(5)])
    x = keras.Input((4, 3))
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    y = layers.TimeDistributed(inner)(y)
    y = layers.RNN([layers.LSTMCell(2), layers.LSTMCell(2)], return_sequences=True)(y)
    y = layers.GRU(3, reset_after=False, return_sequences=True)(y)
    return keras.Model(x, layers.TimeDistributed(layers.Dense(2))(y)), (2, 4, 3)


for make in (counted, nested, recurrent):
    keras.backend.clear_session()
    model, shape = make()
    # Values that tell the weights apart, and moving variances that are positive.
    model.set_weights([np.abs(random.normal(size=w.shape)) * 0.4 + 0.05 for w in model.get_weights()])
    x = random.normal(size=shape).astype("float32")
    name = os.path.join(folder, make.__name__)
    model.save(f"{name}.keras")
    model.save(f"{name}.h5")
    model.save_weights(f"{name}.weights.h5")
    model.save_weights(f"{name}-legacy.h5")
    y = np.asarray(model(x)).astype("float64")
    golden = {"x": x.ravel().tolist(), "xshape": shape, "y": y.ravel().tolist(), "yshape": y.shape}
    with open(f"{name}.json", "w") as file:
        json.dump(golden, file)
