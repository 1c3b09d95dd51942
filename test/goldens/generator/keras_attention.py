"""A model with attention as Keras 2 saves it, whose names of groups are others than those of Keras 3.

    python keras_attention.py FOLDER

writes attention.keras, and attention.json with an input and what the model makes of it. Run with Keras 2.15.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

keras = tf.keras
[folder] = sys.argv[1:]
random = np.random.default_rng(1)
x = keras.Input((3, 4))
y = keras.layers.MultiHeadAttention(2, 3)(x, x)
y = keras.layers.MultiHeadAttention(1, 2, use_bias=False)(y, x)
model = keras.Model(x, y)
model.set_weights([random.normal(size=weight.shape) for weight in model.weights])
values = random.normal(size=(2, 3, 4)).astype("float32")
model.save(os.path.join(folder, "attention.keras"))
with open(os.path.join(folder, "attention.json"), "w") as file:
    y = model.predict(values, verbose=0)
    json.dump({"x": values.ravel().tolist(), "xshape": list(values.shape), "y": y.ravel().tolist()}, file)
