"""Opens .keras files in Keras and compares: check.py FOLDER QUESTIONS ANSWERS PATH_OF_MODULES, of which the middle two are JSON files.

A question is the name of a file with inputs and outputs, and perhaps a step: targets, and the outputs after one step of SGD. The
answer is how far each output is, as a share of its largest value, or an error. Each model is saved once more, as .back.keras.
"""

import json
import os
import sys
import traceback

folder, asked, answered, modules = sys.argv[1:]
sys.path.insert(0, modules)

import keras
import numpy as np

import tfjs_normalizations  # noqa: F401  Makes the classes known.

# A file has values for all weights. Those of initializers would take most of the time: JAX compiles them for each shape.
for name in ("OrthogonalInitializer", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling"):
    getattr(keras.initializers, name).__call__ = lambda self, shape, dtype=None: np.zeros(shape, dtype)


def array(tensor):
    return np.array(tensor["values"], tensor["dtype"]).reshape(tensor["shape"])


def deviation(expected, given):
    if list(given.shape) != expected["shape"]:
        return f"the shape {list(given.shape)} instead of {expected['shape']}"
    right, given = array(expected), np.asarray(keras.ops.convert_to_numpy(given), "float64")
    return float(np.max(np.abs(right - given), initial=0) / max(1, np.max(np.abs(right), initial=0)))


def deviations(expected, given):
    given = given if isinstance(given, (list, tuple)) else [given]
    if len(given) != len(expected):
        raise ValueError(f"{len(given)} outputs instead of {len(expected)}")
    return [deviation(*pair) for pair in zip(expected, given)]


def answer(question):
    path = os.path.join(folder, question["file"])
    model = keras.saving.load_model(path)
    inputs = [array(one) for one in question["inputs"]]
    x = inputs if len(inputs) > 1 else inputs[0]
    predict = lambda: model.predict_on_batch(x)
    result = {"prediction": deviations(question["outputs"], predict())}
    model.save(path.replace(".keras", ".back.keras"))
    if "step" in question:
        step = question["step"]
        targets = [array(one) for one in step["targets"]]
        model.compile(keras.optimizers.SGD(step["learningRate"]), loss="mse")
        model.train_on_batch(x, targets if len(targets) > 1 else targets[0])
        result["step"] = deviations(step["outputs"], predict())
    return result


answers = {}
with open(asked) as file:
    questions = json.load(file)
for question in questions:
    try:
        answers[question["name"]] = answer(question)
    except Exception:
        answers[question["name"]] = {"error": traceback.format_exc()[-3000:]}
with open(answered, "w") as file:
    json.dump(answers, file)
