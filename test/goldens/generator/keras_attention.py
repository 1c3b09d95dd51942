"""Files of attention with fewer heads of keys and values than of queries.

    python keras_attention.py FOLDER

writes grouped.keras and grouped.h5 (a whole model), grouped.weights.h5 and grouped.json: an input and what the model makes of it.
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

x = keras.Input((5, 8))
y = layers.GroupQueryAttention(3, 4, 2)(x, x, use_causal_mask=True)
z = layers.GroupQueryAttention(2, 2, 1, use_bias=False)(y, x)
model = keras.Model(x, layers.Concatenate()([y, z]))
model.set_weights([random.normal(size=w.shape) * 0.4 for w in model.get_weights()])
given = random.normal(size=(2, 5, 8)).astype("float32")
name = os.path.join(folder, "grouped")
model.save(f"{name}.keras")
model.save(f"{name}.h5")
model.save_weights(f"{name}.weights.h5")
made = np.asarray(model(given)).astype("float64")
golden = {"x": given.ravel().tolist(), "xshape": given.shape, "y": made.ravel().tolist(), "yshape": made.shape}
with open(f"{name}.json", "w") as file:
    json.dump(golden, file)
