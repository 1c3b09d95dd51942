"""Opens the .keras files of a folder in Keras and compares: check.py FOLDER. Writes FOLDER/results.json.

cases.json lists the files: name, inputs and outputs (shape, dtype, values), and perhaps step: targets, and the outputs after one step of
SGD. By name, the result has the largest deviation of each, relative to the largest value, or the error. Each model is saved back.
"""

import json
import os
import sys
import traceback

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
folder, *modules = sys.argv[1:]
sys.path[:0] = modules

import keras
import numpy as np

import tfjs_normalizations  # noqa: F401  Makes the classes known.


def array(tensor):
    return np.array(tensor["values"], tensor["dtype"]).reshape(tensor["shape"])


def deviation(expected, given):
    """The largest difference, relative to the largest value."""
    given = given if isinstance(given, (list, tuple)) else [given]
    if [list(one.shape) for one in given] != [one["shape"] for one in expected]:
        return f"shapes {[list(one.shape) for one in given]} instead of {[one['shape'] for one in expected]}"
    pairs = [(array(a), np.asarray(keras.ops.convert_to_numpy(b), "float64")) for a, b in zip(expected, given)]
    return max((np.max(np.abs(a - b)) / max(1, np.max(np.abs(a))) if a.size else 0.0) for a, b in pairs)


def check(case):
    path = os.path.join(folder, case["file"])
    model = keras.saving.load_model(path)
    inputs = [array(one) for one in case["inputs"]]
    x = inputs if len(inputs) > 1 else inputs[0]
    result = {"prediction": deviation(case["outputs"], model(x, training=False))}
    model.save(path.replace(".keras", ".back.keras"))
    if "step" in case:
        targets = [array(one) for one in case["step"]["targets"]]
        model.compile(keras.optimizers.SGD(case["step"]["learningRate"]), loss="mse")
        model.train_on_batch(x, targets if len(targets) > 1 else targets[0])
        result["step"] = deviation(case["step"]["outputs"], model(x, training=False))
    return result


results = {}
with open(os.path.join(folder, "cases.json")) as file:
    for case in json.load(file):
        try:
            results[case["name"]] = check(case)
        except Exception as error:
            results[case["name"]] = {"error": f"{type(error).__name__}: {error}"[-1500:], "trace": traceback.format_exc()[-1500:]}
with open(os.path.join(folder, "results.json"), "w") as file:
    json.dump(results, file)
