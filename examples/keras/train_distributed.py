"""Trains a .keras model on, on all devices of one process or of many: a model of a page or of Node, by Keras's own engine.

    python train_distributed.py IN.keras OUT.keras --data data.npz
    python train_distributed.py IN.keras OUT.keras --data data.npz --processes 2 --rank 0 --coordinator host:1234   # and --rank 1

Every process gets a part of each batch (data-parallel, on JAX), and statistics are those of whole batches: any number of devices
computes what one does. data.npz holds x and y; without --data a model with one input and one output learns random numbers.
"""

import argparse
import os
import signal
import sys
import tempfile


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="the .keras file to begin with")
    parser.add_argument("out", help="the .keras file to write, by process 0")
    parser.add_argument("--data", help="an .npz file of the arrays x and y; those of several inputs or outputs are x0, x1, y0, y1")
    parser.add_argument("--batch", type=int, default=32, help="examples in a batch, of all processes together")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--optimizer", default="sgd", help="of Keras, by its name")
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--loss", default="mse", help="of Keras, by its name")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--rank", type=int, default=0, help="the number of this process, from 0")
    parser.add_argument("--coordinator", help="HOST:PORT of the process 0, which all others can reach")
    parser.add_argument("--devices", type=int, help="make so many virtual devices of this machine's processor")
    parser.add_argument("--time-limit", type=int, help="end the process after so many seconds; a lost rank stops all others")
    options = parser.parse_args()
    if not 0 <= options.rank < options.processes:
        parser.error(f"--rank must be from 0 to {options.processes - 1}; received {options.rank}")
    if options.processes > 1 and not options.coordinator:
        parser.error("--coordinator HOST:PORT is missing; give the address of the process 0")
    if options.batch % options.processes:
        parser.error(f"--batch must be a multiple of --processes; received {options.batch} and {options.processes}")
    if not options.out.endswith(".keras"):
        parser.error(f"the file to write must end in .keras; received {options.out}")
    return options


options = arguments()
if options.time_limit:
    # Not an exception: a process that waits for others in JAX would not see it.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(options.time_limit)
os.environ["KERAS_BACKEND"] = "jax"
if options.devices:
    os.environ["JAX_PLATFORMS"] = "cpu"
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count={options.devices}"
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import keras
import numpy as np

import tfjs_normalizations  # noqa: F401  Makes the classes known.


def data(model):
    """The arrays of all inputs, and those of all outputs."""
    if options.data:
        with np.load(options.data) as file:
            return tuple([file[name] for name in sorted(file.files) if name.startswith(kind)] for kind in "xy")
    random = np.random.default_rng(0)
    examples = 4 * options.batch
    draw = lambda tensor: random.normal(size=(examples, *tensor.shape[1:])).astype("float32")
    return [draw(tensor) for tensor in model.inputs], [draw(tensor) for tensor in model.outputs]


def part_of(arrays):
    """This process's part of each whole batch, so that the batches are the same for any number of processes."""
    own = options.batch // options.processes
    starts = range(0, len(arrays[0]) - options.batch + 1, options.batch)
    rows = [start + options.rank * own + i for start in starts for i in range(own)]
    if not rows:
        sys.exit(f"the data must have at least one batch of {options.batch} examples; received {len(arrays[0])}")
    parts = [array[rows] for array in arrays]
    return parts if len(parts) > 1 else parts[0]


if options.processes > 1:
    keras.distribution.initialize(options.coordinator, options.processes, options.rank)
devices = keras.distribution.list_devices()
# Each process reads its own part already.
keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False))
keras.utils.set_random_seed(0)
model = keras.saving.load_model(options.model)
optimizer = keras.optimizers.get({"class_name": options.optimizer, "config": {"learning_rate": options.learning_rate}})
model.compile(optimizer, loss=options.loss)
x, y = map(part_of, data(model))
own = options.batch // options.processes
history = model.fit(x, y, batch_size=own, epochs=options.epochs, shuffle=False, verbose=0)
print(f"rank {options.rank} of {options.processes}, {len(devices)} devices, loss {history.history['loss']}", flush=True)
# All processes read the weights together: where only one saves, it waits for the others forever.
with tempfile.TemporaryDirectory() as scratch:
    model.save(options.out if options.rank == 0 else os.path.join(scratch, "model.keras"))
