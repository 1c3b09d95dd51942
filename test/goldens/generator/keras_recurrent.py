"""Files of recurrent layers that TensorFlow.js does not have: GRU with reset_after, and the cells and layers of TensorFlow Addons.

    python keras_recurrent.py FOLDER [MODELS]

writes gru.keras and gru.h5 (a whole model), gru.json, and the weights alone: gru.weights.h5 in Keras 3, gru-legacy.h5 in Keras 2. Where
TensorFlow Addons 0.23.0 is there, also the models addons and frn. The JSON has an input and what the model makes of it, and in Keras 2
the gradients of sum(y * upstream) in the weights, in the order of the model. MODELS gets, in Keras 2, what the converter of
TensorFlow.js writes of the same models.
"""

import json
import os
import sys
import types

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ.setdefault("KERAS_BACKEND", "jax")
import numpy as np

try:
    import tensorflow as tf
    import tensorflow_addons as tfa

    keras = tf.keras
except ImportError:
    tf = tfa = None
    import keras
layers = keras.layers
folder, *converted = sys.argv[1:]
if converted:
    # What the converter imports for other formats.
    for name in ("tensorflow_decision_forests", "tensorflow_hub", "jax", "jax.experimental", "jax.experimental.jax2tf"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["jax.experimental"].jax2tf = sys.modules["jax.experimental.jax2tf"]
    sys.modules["tf_keras"] = keras
    import tensorflowjs
random = np.random.default_rng(1)


def gru():
    x = keras.Input((5, 3))
    y = layers.Masking()(x)
    y = layers.Bidirectional(layers.GRU(3, return_sequences=True))(y)
    y = layers.GRU(4, go_backwards=True, use_bias=False, return_sequences=True, recurrent_activation="tanh")(y)
    y = layers.RNN([layers.GRUCell(3), layers.GRUCell(2, activation="elu")])(y)
    z, state = layers.GRU(2, return_sequences=True, return_state=True)(x)
    z = layers.GRU(2, reset_after=False)(z, initial_state=state)
    return keras.Model(x, layers.Concatenate()([y, z])), (2, 5, 3)


def addons():
    cell = tfa.rnn.LayerNormLSTMCell
    x = keras.Input((5, 3))
    y = layers.Masking()(x)
    y = layers.Bidirectional(layers.RNN(cell(3), return_sequences=True))(y)
    y = layers.RNN(cell(2, use_bias=False, norm_epsilon=0.1), go_backwards=True, return_sequences=True)(y)
    return keras.Model(x, layers.RNN(cell(3, unit_forget_bias=False, activation="elu"))(y)), (2, 5, 3)


def frn():
    x = keras.Input((4, 3, 2))
    y = tfa.layers.TLU()(tfa.layers.FilterResponseNormalization(epsilon=1e-5)(x))
    y = tfa.layers.FilterResponseNormalization(learned_epsilon=True)(y)
    return keras.Model(x, tfa.layers.TLU(affine=True)(y)), (2, 4, 3, 2)


for make in (gru, addons, frn) if tfa else (gru,):
    keras.backend.clear_session()
    model, shape = make()
    model.set_weights([random.normal(size=w.shape) * 0.6 for w in model.get_weights()])
    x = random.normal(size=shape).astype("float32")
    if len(shape) == 3:
        x[0, 1], x[1, 3:] = 0, 0
    name = os.path.join(folder, make.__name__)
    model.save(f"{name}.keras")
    model.save(f"{name}.h5")
    if make is gru:
        model.save_weights(f"{name}-legacy.h5" if tfa else f"{name}.weights.h5")
    y = np.asarray(model(x)).astype("float64")
    assert np.all(y != 0)
    golden = {"x": x.ravel().tolist(), "xshape": shape, "y": y.ravel().tolist(), "yshape": y.shape}
    if tfa:
        upstream = random.normal(size=y.shape).astype("float32")
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x) * upstream)
        gradients = tape.gradient(loss, model.trainable_weights)
        golden["upstream"] = upstream.ravel().tolist()
        golden["gradients"] = [np.asarray(gradient).astype("float64").ravel().tolist() for gradient in gradients]
    with open(f"{name}.json", "w") as file:
        json.dump(golden, file)
    if converted:
        tensor = lambda a: {"shape": list(a.shape), "data": np.asarray(a).astype("float64").ravel().tolist()}
        path = os.path.join(converted[0], f"recurrent-{make.__name__}")
        tensorflowjs.converters.save_keras_model(model, path)
        expected = {
            "format": "graph-model/1",
            "versions": {"tensorflow": tf.__version__, "tensorflow-addons": tfa.__version__},
            "converter": f"tensorflowjs {tensorflowjs.__version__}",
            "inputs": [tensor(x)],
            "outputs": [tensor(y)],
            "tolerance": {"rtol": 1e-4, "atol": 1e-5},
        }
        with open(os.path.join(path, "expected.json"), "w") as file:
            json.dump(expected, file)
