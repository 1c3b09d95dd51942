#!/usr/bin/env python3
"""Writes the folders models/graph-*: what Keras 3 and the converter make of graphs, with weights and inputs drawn at random.

    python graphs.py --out ../models [--only SUBSTRING]

Needs Keras 3, TensorFlow and tensorflowjs (see ../README.md), of which it imports the part for Keras alone.
"""
import argparse
import json
import os
import shutil
import sys
import types

import keras
import numpy as np
import tensorflow
from keras import Input, Model, Sequential, layers as L

# What the converter imports for other formats.
for name in ("tensorflow_decision_forests", "tensorflow_hub", "jax", "jax.experimental", "jax.experimental.jax2tf"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["jax.experimental"].jax2tf = sys.modules["jax.experimental.jax2tf"]
import tensorflowjs

GRAPHS = {}


def graph(*inputs):
    """Registers a function that makes a model; the inputs are shapes, or (shape, what masks: 'tokens' or 'steps')."""

    def register(make):
        GRAPHS["graph-" + make.__name__.replace("_", "-")] = (make, inputs)
        return make

    return register


@graph((3, 4), (3, 4))
def nested_shared():
    a = Input((4,))
    tower = Model(a, L.LayerNormalization()(L.Dense(4, activation="tanh")(a)), name="tower")
    x, z = Input((4,)), Input((4,))
    return Model([x, z], L.Dense(2)(L.Concatenate()([tower(x), tower(z)])))


@graph((4, 3))
def nested_deep():
    a = Input((3,))
    inner = Model(a, L.RMSNormalization()(L.Dense(3)(a)), name="inner")
    middle = Sequential([Input((3,)), inner, L.BatchNormalization()], name="middle")
    x = Input((3,))
    y = middle(x)
    return Model(x, [y, middle(y)])


@graph((2, 4, 4, 2))
def nested_norms():
    a = y = Input((4, 4, 4))
    norms = [
        L.BatchNormalization(scale=False),
        L.LayerNormalization(axis=[1, 2, 3]),
        L.GroupNormalization(2),
        L.RMSNormalization(),
        L.SpectralNormalization(L.Conv2D(3, 2)),
        L.UnitNormalization(),
    ]
    for norm in norms:
        y = norm(y)
    x = Input((4, 4, 2))
    y = L.Flatten()(Model(a, y, name="norms")(L.Conv2D(4, 1)(x)))
    return Model(x, L.Dense(2)(y))


@graph((3, 4))
def nested_in_sequential():
    a = Input((4,))
    inner = Model(a, L.LayerNormalization()(L.Dense(3)(a)), name="inner")
    # The inner Sequential has no input layer.
    return Sequential([Input((4,)), inner, Sequential([L.Dense(2), L.BatchNormalization()]), L.Dense(2)])


@graph((3, 3), (3, 2))
def nested_lists():
    a, b = Input((3,)), Input((2,))
    both = L.Concatenate()([a, b])
    inner = Model([a, b], [L.Dense(3)(both), L.LayerNormalization()(both)], name="inner")
    x, z = Input((3,)), Input((2,))
    p, q = inner([x, z])
    return Model([x, z], [q, L.Dense(2)(p)])


@graph((3, 3), (3, 3))
def nested_dictionaries():
    parts = {"z": Input((3,), name="z"), "a": Input((3,), name="a")}
    norm, dense = L.LayerNormalization()(parts["z"]), L.Dense(2)(parts["a"])
    inner = Model(parts, {"norm": norm, "dense": dense}, name="inner")
    x = {"right": Input((3,), name="right"), "left": Input((3,), name="left")}
    y = inner({"a": x["left"], "z": x["right"]})
    return Model(x, {"y": L.Dense(2)(y["norm"]), "again": y["dense"]})


@graph(((3, 6), "tokens"))
def bidirectional_masked():
    x = Input((6,))
    y = L.Embedding(8, 4, mask_zero=True)(x)
    y = L.Bidirectional(L.LSTM(3, return_sequences=True))(y)
    y = L.BatchNormalization()(y)
    y = L.Bidirectional(L.GRU(2, reset_after=False, return_sequences=True), merge_mode="sum")(y)
    return Model(x, L.TimeDistributed(L.Dense(2))(y))


@graph(((3, 5, 3), "steps"))
def bidirectional_masked_sequential():
    return Sequential(
        [
            Input((5, 3)),
            L.Masking(),
            L.Bidirectional(L.LSTM(2, return_sequences=True), merge_mode="ave"),
            L.LayerNormalization(),
            L.Bidirectional(L.SimpleRNN(3), merge_mode="mul"),
            L.Dense(2),
        ]
    )


@graph((3, 5, 3))
def bidirectional():
    x = Input((5, 3))
    y = L.Bidirectional(L.LSTM(2, return_sequences=True))(x)
    return Model(x, L.LayerNormalization()(y))


@graph(((3, 6), "tokens"), (3, 6, 4))
def masked_in_part():
    x, z = Input((6,)), Input((6, 4))
    y = L.TimeDistributed(L.Dense(3))(L.Identity()(L.Embedding(8, 4, mask_zero=True)(x)))
    y = L.LSTM(2)(L.TimeDistributed(L.LayerNormalization())(y))
    return Model([x, z], L.Concatenate()([y, L.LSTM(2)(z)]))


@graph(((3, 6), "tokens"))
def masked_nested():
    encoder = Sequential([L.Embedding(8, 4, mask_zero=True), L.SimpleRNN(3)], name="encoder")
    x = Input((6,))
    return Model(x, L.Dense(2)(L.LayerNormalization()(encoder(x))))


@graph((2, 4, 5))
def time_distributed():
    inner = Sequential([Input((5,)), L.Dense(3, activation="relu"), L.LayerNormalization()], name="inner")
    x = Input((4, 5))
    y = L.TimeDistributed(inner)(x)
    y = L.TimeDistributed(L.SpectralNormalization(L.Dense(3)))(y)
    return Model(x, L.TimeDistributed(L.BatchNormalization())(y))


@graph((2, 4, 3), (2, 5, 3))
def states():
    x, z = Input((4, 3)), Input((5, 3))
    _, *state = L.LSTM(2, return_state=True)(x)
    y = L.LSTM(2, return_sequences=True)(z, initial_state=state)
    return Model([x, z], L.LSTM(2)(y))


@graph((2, 6, 6, 2))
def residual():
    x = Input((6, 6, 2))
    y = L.BatchNormalization()(L.Conv2D(2, 3, padding="same", use_bias=False)(x))
    y = x + L.ReLU()(y)
    z = L.GroupNormalization(3)(L.SeparableConv2D(3, 3, padding="same")(y))
    y = L.DepthwiseConv2D(2)(L.MaxPooling2D()(L.Concatenate()([y, z])))
    return Model(x, L.Dense(2, activation="sigmoid")(L.GlobalAveragePooling2D()(y)))


@graph((6, 4))
def training():
    x = Input((4,))
    y = L.BatchNormalization()(L.Dense(3)(x), training=True)
    y = L.BatchNormalization()(y, training=False)
    base = Sequential([L.Dense(3), L.BatchNormalization()], name="base")
    base.trainable = False
    return Model(x, L.Dense(2)(base(y, training=False)))


@graph((3, 4))
def options():
    # No constraints: TensorFlow.js applies them when weights are loaded, which leaves a tensor behind.
    r, i = keras.regularizers, keras.initializers
    x = Input((4,))
    y = L.Dense(
        4,
        activation=keras.activations.silu,
        kernel_initializer=i.HeNormal(seed=3),
        kernel_regularizer=r.L1L2(0.1, 0.2),
        bias_initializer=i.Constant(0.5),
        bias_regularizer="l1",
    )(inputs=x)
    y = L.BatchNormalization(beta_initializer=i.RandomNormal(0.1), gamma_regularizer=r.L2(0.1))(y)
    y = L.Dense(3, "gelu", kernel_initializer=i.Orthogonal(), dtype="mixed_float16")(y)
    y = L.LayerNormalization(gamma_initializer="random_uniform", beta_regularizer=r.L1(0.1))(y)
    return Model(x, L.Dense(2, activation=keras.activations.elu)(y))


@graph((2, 3, 4, 2))
def rms_scaling():
    x = Input((3, 4, 2))
    y = L.LayerNormalization(rms_scaling=True)(x)
    y = L.LayerNormalization(axis=[1, 2], epsilon=0.1, center=False, scale=False, rms_scaling=True)(L.Dense(2)(y))
    return Model(x, L.Dense(2)(L.Flatten()(y)))


@graph((3, 4, 2))
def stacked_cells():
    x = Input((4, 2))
    # No LSTM: TensorFlow.js leaves tensors of its forget bias behind.
    y = L.RNN([L.GRUCell(3, reset_after=False), L.SimpleRNNCell(2)], return_sequences=True)(x)
    return Model(x, L.Dense(2)(L.LayerNormalization()(y)))


@graph((2, 3, 4, 3))
def statistics():
    x = Input((3, 4, 3))
    y = L.Normalization(axis=(3, 1), mean=[0.5, -1.0, 0.25], variance=[2.0, 0.5, 4.0])(x)
    y = L.Normalization(axis=(1, 2, 3), mean=[[0.5], [1.0], [2.0], [-1.0]], variance=[[2.0], [1.0], [0.25], [0.5]])(y)
    y = L.Normalization(axis=(1, 3), mean=[[0.5, 1.0, 0.0]], variance=[[2.0, 4.0, 0.5]])(y)
    y = L.Normalization(axis=None, mean=0.5, variance=2.0, invert=True)(y)
    return Model(x, L.Dense(2)(L.LayerNormalization()(L.Flatten()(y))))


def drawn(spec, rng):
    """An input; where it masks, one step more in each example."""
    shape, masks = spec if isinstance(spec[1], str) else (spec, None)
    x = rng.integers(1, 8, shape) if masks == "tokens" else np.round(rng.normal(0.5, 1, shape) * 128) / 128
    for i in range(shape[0] if masks else 0):
        x[i, shape[1] - i :] = 0
    return x.astype("float32")


def fill(model, rng):
    for weight in model.weights:
        name = weight.path.split("/")[-1]
        low = 0.5 if "variance" in name or name in ("gamma", "scale") else -1
        if name != "vector_u":
            weight.assign(np.round(rng.uniform(low, 1.5 if low > 0 else 1, weight.shape) * 256) / 256)


def tensor(value):
    value = np.asarray(value, "float32")
    return {"shape": list(value.shape), "data": [float(v) for v in value.ravel()]}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", required=True)
    ap.add_argument("--only", default="")
    args = ap.parse_args()
    for name, (make, specs) in GRAPHS.items():
        if args.only not in name:
            continue
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        rng = np.random.default_rng(sum(map(ord, name)))
        model = make()
        fill(model, rng)
        xs = [drawn(spec, rng) for spec in specs]
        # Not predict, which goes over `training=True` of the graph.
        ys = model(keras.tree.pack_sequence_as(model._inputs_struct, xs) if hasattr(model, "_inputs_struct") else xs[0])
        expected = {
            "format": "graph-model/1",
            "versions": {"keras": keras.__version__, "tensorflow": tensorflow.__version__},
            "converter": f"tensorflowjs {tensorflowjs.__version__}",
            "inputs": [tensor(x) for x in xs],
            "outputs": [tensor(y) for y in keras.tree.flatten(ys)],
            "tolerance": {"rtol": 1e-4, "atol": 2e-3 if name == "graph-options" else 1e-5},
        }
        folder = os.path.join(args.out, name)
        shutil.rmtree(folder, ignore_errors=True)
        tensorflowjs.converters.save_keras_model(model, folder)
        with open(os.path.join(folder, "expected.json"), "w") as file:
            json.dump(expected, file, separators=(",", ":"))
            file.write("\n")
    print(f"{len(GRAPHS)} graphs")


if __name__ == "__main__":
    main()
