#!/usr/bin/env python3
"""Writes the folders models/session-*: models that Keras 2 made a second time in one process, so that TensorFlow numbers the
names of their weights, and models/fields-*: layers whose saved options TensorFlow.js refuses.

    python sessions.py make --source keras|tf.keras --out RAW       # Keras 2.2.5, TensorFlow 1.15
    python sessions.py make --source fields --out RAW               # TensorFlow 2.15
    python sessions.py convert RAW --out ../models                  # tensorflowjs 4.22.0

Each step runs in the virtual environment that has its packages (see ../README.md).
"""
import argparse
import glob
import json
import os
import sys
import types

import numpy as np


def models(keras):
    L, Input, Model, Sequential = keras.layers, keras.layers.Input, keras.models.Model, keras.models.Sequential

    def convolutions():
        return Sequential(
            [
                L.Conv2D(3, 2, input_shape=(5, 5, 2), name="conv2d_1"),
                L.BatchNormalization(name="batch_normalization_1"),
                L.SeparableConv2D(4, 2, name="separable_conv2d_1"),
                L.DepthwiseConv2D(2, name="depthwise_conv2d_1"),
                L.Flatten(name="flatten_1"),
                L.Dense(2, name="dense_1"),
            ]
        )

    def recurrent():
        both = L.Bidirectional(L.LSTM(2, return_sequences=True, name="lstm_1"), input_shape=(3, 2), name="bidirectional_1")
        return Sequential(
            [
                both,
                L.TimeDistributed(L.Dense(3, name="dense_1"), name="time_distributed_1"),
                L.GRU(2, return_sequences=True, name="gru_1"),
                L.Bidirectional(L.SimpleRNN(2, name="simple_rnn_1"), merge_mode="sum", name="bidirectional_2"),
            ]
        )

    def nested():
        a = Input((4,), name="input_1")
        closed = Model(a, L.Dense(3, name="dense_1")(a), name="model_1")
        # A Sequential that learns its input shape from its first call: its name is part of the weights'.
        unknown = Sequential([L.Dense(4, name="dense_2"), L.Dense(3, name="dense_3")], name="sequential_1")
        x = Input((4,), name="input_2")
        y = L.Add(name="add_1")([closed(x), unknown(x)])
        return Model(x, L.Dense(2, name="dense_4")(y), name="model_2")

    def distributed():
        a = Input((4,), name="input_1")
        inner = Model(a, L.Dense(3, name="dense_1")(a), name="model_1")
        x = Input((2, 4), name="input_2")
        return Model(x, L.Dense(2, name="dense_2")(L.TimeDistributed(inner, name="time_distributed_1")(x)))

    def names():
        # Layers whose names are those that TensorFlow would give the weights of others; one of them has none.
        return Sequential(
            [
                L.Dense(3, input_shape=(3,), name="dense_1"),
                L.Dense(3, name="dense_1_1"),
                L.Dense(3, name="dense_2"),
                L.Dropout(0.1, name="dense_2_1"),
                L.Dense(3, name="dense_3"),
            ]
        )

    return [convolutions, recurrent, nested, distributed, names]


def fields(keras):
    L = keras.layers

    def convolutions():
        x = L.Input((6, 6, 2))
        # No depth_multiplier: TensorFlow.js does not save it again.
        y = L.SeparableConv2D(3, 3, padding="same", activation="relu")(x)
        y = L.LayerNormalization(epsilon=0.1)(L.DepthwiseConv2D(2, depth_multiplier=2, use_bias=False)(y))
        y = L.Conv2DTranspose(2, 2, strides=2, groups=1)(y)
        y = L.TimeDistributed(L.Conv1D(2, 2, groups=1))(y)
        return keras.Model(x, L.Dense(2)(L.GlobalAveragePooling2D()(y)))

    return [convolutions]


def make(source, out):
    if source == "keras":
        import keras
    else:
        import tensorflow

        keras = tensorflow.keras
    os.makedirs(out, exist_ok=True)
    for build in fields(keras) if source == "fields" else models(keras):
        name = "%s-%s" % (source if source == "fields" else "session-" + source.replace(".", "-"), build.__name__)
        keras.backend.clear_session()
        rng = np.random.RandomState(sum(map(ord, name)))
        first = build if build.__name__ != "names" else lambda: keras.models.Sequential(
            # An earlier model of other layers.
            [keras.layers.Dense(3, input_shape=(3,), name="dense_1"), keras.layers.Dense(3, name="dense_2")]
        )
        if source != "fields":
            first()
        model = build()
        values = [np.round(rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else rng.uniform(-1, 1, w.shape), 2) for w in model.get_weights()]
        model.set_weights(values)
        x = np.round(rng.uniform(-1, 1, (3,) + tuple(model.input_shape[1:])), 2).astype("float32")
        y = model.predict(x)
        model.save(os.path.join(out, name + ".h5"))
        flat = lambda t: {"shape": list(t.shape), "data": [float(v) for v in t.ravel()]}
        expected = {
            "format": "session-model/1",
            "versions": {"keras": getattr(keras, "__version__", "2.15.0")},
            "inputs": [flat(x)],
            "outputs": [flat(y)],
            "tolerance": {"rtol": 1e-4, "atol": 1e-5},
        }
        with open(os.path.join(out, name + ".json"), "w") as file:
            json.dump(expected, file, separators=(",", ":"))
            file.write("\n")
        print(name, [weight.name for weight in model.weights])


def convert(raw, out):
    # What the converter imports for other formats.
    for name in ("tensorflow_decision_forests", "tensorflow_hub", "jax", "jax.experimental", "jax.experimental.jax2tf"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["jax.experimental"].jax2tf = sys.modules["jax.experimental.jax2tf"]
    import h5py
    from tensorflowjs.converters import keras_h5_conversion

    for path in sorted(glob.glob(os.path.join(raw, "*.h5"))):
        folder = os.path.join(out, os.path.basename(path)[:-3])
        os.makedirs(folder, exist_ok=True)
        with h5py.File(path, "r") as file:
            topology, weights = keras_h5_conversion.h5_merged_saved_model_to_tfjs_format(file)
        keras_h5_conversion.write_artifacts(topology, weights, folder)
        with open(path[:-3] + ".json") as source, open(os.path.join(folder, "expected.json"), "w") as target:
            target.write(source.read())


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = ap.add_subparsers(dest="command")
    one = commands.add_parser("make")
    one.add_argument("--source", choices=["keras", "tf.keras", "fields"])
    one.add_argument("--out")
    two = commands.add_parser("convert")
    two.add_argument("raw")
    two.add_argument("--out")
    args = ap.parse_args()
    if args.command == "make":
        make(args.source, args.out)
    else:
        convert(args.raw, args.out)
