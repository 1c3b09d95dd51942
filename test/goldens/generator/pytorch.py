"""Modules of PyTorch with the weights that they save and what they compute, for the tests of safetensors files.

    a/bin/pip install torch==2.15.0 safetensors==0.8.0 numpy
    a/bin/python generator/pytorch.py make --out pytorch         # NAME.safetensors and NAME.json of each module
    a/bin/python generator/pytorch.py load pytorch FOLDER        # reads files of these names that were written elsewhere

`load` gives each module the weights of FOLDER/NAME.safetensors by load_state_dict(strict=True), and compares its output.
Inputs and outputs in the JSON files are channels-last; the modules get them channels-first.
"""
import argparse
import collections
import json
import pathlib
import warnings

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

warnings.filterwarnings("ignore")


class Recurrent(nn.Module):
    """The outputs of a recurrent module at every time."""

    def __init__(self, rnn):
        super().__init__()
        self.rnn = rnn

    def forward(self, x):
        return self.rnn(x)[0]


class Last(nn.Module):
    """The last outputs of a bidirectional module."""

    def __init__(self, rnn, head):
        super().__init__()
        self.rnn, self.head = rnn, head

    def forward(self, x):
        y, _ = self.rnn(x)
        units = self.rnn.hidden_size
        return self.head(torch.cat([y[:, -1, :units], y[:, 0, units:]], 1))


class Separable(nn.Module):
    def __init__(self):
        super().__init__()
        self.separable = nn.ModuleDict(
            {"depthwise": nn.Conv2d(3, 6, 3, groups=3, bias=False), "pointwise": nn.Conv2d(6, 4, 1)}
        )

    def forward(self, x):
        return self.separable["pointwise"](self.separable["depthwise"](x))


class Generator(nn.Module):
    """Features that become images."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(5, 4 * 2 * 3)
        self.norm = nn.BatchNorm1d(24)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)

    def forward(self, x):
        return self.up(torch.relu(self.norm(self.project(x))).view(-1, 4, 2, 3))


class Branches(nn.Module):
    """Two flattened images, one after the other."""

    def __init__(self):
        super().__init__()
        self.left = nn.Conv2d(2, 3, 2)
        self.right = nn.Conv2d(2, 4, 3)
        self.head = nn.Linear(3 * 3 * 4 + 4 * 2 * 3, 5)

    def forward(self, x):
        return self.head(torch.cat([self.left(x).flatten(1), self.right(x).flatten(1)], 1))


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.ModuleDict({"conv": nn.Conv2d(2, 3, 2), "norm": nn.BatchNorm2d(3)})
        self.head = nn.ModuleDict({"hidden": nn.Linear(3 * 3 * 4, 6), "out": nn.Linear(6, 2)})

    def forward(self, x):
        y = torch.relu(self.encoder["norm"](self.encoder["conv"](x)))
        return self.head["out"](torch.relu(self.head["hidden"](y.flatten(1))))


def named(**modules):
    """A sequence of modules with names; those that have no weights are called anything."""
    return nn.Sequential(collections.OrderedDict(modules))


IMAGE = (2, 2, 4, 5)  # batch, channels, height, width
SEQUENCE = (2, 5, 3)  # batch, time, features

# name: (module, shape of the input)
CASES = {
    "linear": lambda: (named(fc=nn.Linear(4, 3)), (2, 4)),
    "linear-without-bias": lambda: (named(fc=nn.Linear(4, 3, bias=False)), (2, 4)),
    "linear-of-sequences": lambda: (named(fc=nn.Linear(3, 4)), SEQUENCE),
    "conv1d": lambda: (named(conv=nn.Conv1d(3, 4, 2, stride=2)), (2, 3, 7)),
    "conv2d": lambda: (named(conv=nn.Conv2d(2, 3, (3, 2), stride=(1, 2))), IMAGE),
    "conv3d": lambda: (named(conv=nn.Conv3d(2, 3, (2, 1, 3))), (2, 2, 3, 2, 4)),
    "conv-transpose2d": lambda: (named(conv=nn.ConvTranspose2d(2, 3, (3, 2), stride=2)), IMAGE),
    "conv-transpose3d": lambda: (named(conv=nn.ConvTranspose3d(2, 3, (2, 1, 3))), (2, 2, 3, 2, 4)),
    "conv2d-same": lambda: (
        named(pad=nn.ZeroPad2d((0, 1, 1, 1)), conv=nn.Conv2d(2, 3, (3, 2), stride=(1, 2))),
        IMAGE,
    ),
    "conv2d-same-even": lambda: (named(conv=nn.Conv2d(2, 3, 3, stride=(1, 2), padding=(1, 1))), IMAGE),
    "conv-transpose2d-same": lambda: (
        named(conv=nn.ConvTranspose2d(2, 3, (4, 1), stride=2, padding=(1, 0), output_padding=(0, 1))),
        IMAGE,
    ),
    "conv-transpose2d-same-odd": lambda: (
        named(conv=nn.ConvTranspose2d(2, 3, (3, 4), stride=(2, 1)), crop=nn.ZeroPad2d((-1, -2, 0, -1))),
        IMAGE,
    ),
    "max-pool-same": lambda: (named(pool=nn.MaxPool2d((1, 2), ceil_mode=True), fc=nn.Conv2d(2, 3, 1)), IMAGE),
    "average-pool-same": lambda: (named(pool=nn.AvgPool2d((1, 2), ceil_mode=True), fc=nn.Conv2d(2, 3, 1)), IMAGE),
    "depthwise": lambda: (named(conv=nn.Conv2d(2, 6, (3, 2), groups=2)), IMAGE),
    "separable": lambda: (Separable(), (2, 3, 4, 5)),
    "embedding": lambda: (named(embedding=nn.Embedding(6, 3)), "tokens"),
    "batch-norm1d": lambda: (named(norm=nn.BatchNorm1d(4)), (3, 4)),
    "batch-norm2d": lambda: (named(norm=nn.BatchNorm2d(2)), IMAGE),
    "batch-norm2d-not-affine": lambda: (named(norm=nn.BatchNorm2d(2, affine=False)), IMAGE),
    "layer-norm": lambda: (named(norm=nn.LayerNorm(3)), SEQUENCE),
    "layer-norm-without-bias": lambda: (named(norm=nn.LayerNorm(3, bias=False)), SEQUENCE),
    "layer-norm-of-images": lambda: (named(norm=nn.LayerNorm([2, 4, 5])), IMAGE),
    "rms-norm": lambda: (named(norm=nn.RMSNorm(3, eps=1e-6)), SEQUENCE),
    "group-norm": lambda: (named(norm=nn.GroupNorm(2, 4)), (2, 4, 3, 2)),
    "instance-norm2d": lambda: (named(norm=nn.InstanceNorm2d(2, affine=True)), IMAGE),
    "prelu": lambda: (named(act=nn.PReLU(2)), IMAGE),
    "prelu-one": lambda: (named(act=nn.PReLU()), IMAGE),
    "lstm": lambda: (Recurrent(nn.LSTM(3, 4, batch_first=True)), SEQUENCE),
    "lstm-without-bias": lambda: (Recurrent(nn.LSTM(3, 4, batch_first=True, bias=False)), SEQUENCE),
    "lstm-bidirectional": lambda: (Recurrent(nn.LSTM(3, 4, batch_first=True, bidirectional=True)), SEQUENCE),
    "lstm-bidirectional-last": lambda: (
        Last(nn.LSTM(3, 4, batch_first=True, bidirectional=True), nn.Linear(8, 2)),
        SEQUENCE,
    ),
    "rnn": lambda: (Recurrent(nn.RNN(3, 4, batch_first=True)), SEQUENCE),
    "rnn-relu": lambda: (Recurrent(nn.RNN(3, 4, batch_first=True, nonlinearity="relu")), SEQUENCE),
    "weight-norm-linear": lambda: (named(fc=weight_norm(nn.Linear(4, 3))), (2, 4)),
    "weight-norm-conv2d": lambda: (named(conv=parametrizations.weight_norm(nn.Conv2d(2, 3, (3, 2)))), IMAGE),
    "weight-norm-conv-transpose2d": lambda: (
        named(conv=parametrizations.weight_norm(nn.ConvTranspose2d(2, 3, (3, 2)), dim=1)),
        IMAGE,
    ),
    "weight-norm-depthwise": lambda: (named(conv=parametrizations.weight_norm(nn.Conv2d(2, 4, 3, groups=2))), IMAGE),
    "weight-norm-embedding": lambda: (
        named(embedding=parametrizations.weight_norm(nn.Embedding(6, 3), dim=1)),
        "tokens",
    ),
    "weight-norm-lstm": lambda: (
        Recurrent(weight_norm(weight_norm(nn.LSTM(3, 4, batch_first=True), "weight_ih_l0"), "weight_hh_l0")),
        SEQUENCE,
    ),
    "spectral-norm-linear": lambda: (named(fc=parametrizations.spectral_norm(nn.Linear(4, 3))), (2, 4)),
    "spectral-norm-conv2d": lambda: (named(conv=spectral_norm(nn.Conv2d(2, 3, (3, 2)))), IMAGE),
    "spectral-norm-conv-transpose2d": lambda: (
        named(conv=parametrizations.spectral_norm(nn.ConvTranspose2d(2, 3, (3, 2)))),
        IMAGE,
    ),
    "spectral-norm-depthwise": lambda: (
        named(conv=parametrizations.spectral_norm(nn.Conv2d(2, 4, (3, 2), groups=2))),
        IMAGE,
    ),
    "spectral-norm-embedding": lambda: (
        named(embedding=parametrizations.spectral_norm(nn.Embedding(6, 3), dim=1)),
        "tokens",
    ),
    "spectral-norm-flattened": lambda: (
        named(
            conv=parametrizations.spectral_norm(nn.Conv2d(2, 3, 2)),
            act=nn.LeakyReLU(0.2),
            flat=nn.Flatten(),
            fc=parametrizations.spectral_norm(nn.Linear(3 * 3 * 4, 2)),
        ),
        IMAGE,
    ),
    "flattened-images": lambda: (
        named(
            conv=nn.Conv2d(2, 3, 2),
            norm=nn.BatchNorm2d(3),
            act=nn.ReLU(),
            pool=nn.MaxPool2d((1, 2)),
            flat=nn.Flatten(),
            drop=nn.Dropout(),
            fc=nn.Linear(3 * 3 * 2, 4),
            out=nn.Linear(4, 2),
        ),
        IMAGE,
    ),
    "flattened-norms": lambda: (
        named(
            conv=nn.Conv2d(2, 3, 2),
            flat=nn.Flatten(),
            batch=nn.BatchNorm1d(36),
            layer=nn.LayerNorm(36),
            rms=nn.RMSNorm(36, eps=1e-6),
            act=nn.PReLU(),
            fc=weight_norm(nn.Linear(36, 2)),
        ),
        IMAGE,
    ),
    "flattened-signals": lambda: (
        named(conv=nn.Conv1d(3, 4, 2), pool=nn.MaxPool1d(2), flat=nn.Flatten(), fc=nn.Linear(12, 2)),
        (2, 3, 7),
    ),
    "flattened-sequences": lambda: (
        named(rnn=Recurrent(nn.RNN(3, 4, batch_first=True)), flat=nn.Flatten(), fc=nn.Linear(20, 2)),
        SEQUENCE,
    ),
    "flattened-branches": lambda: (Branches(), IMAGE),
    "flattened-in-a-model": lambda: (Nested(), IMAGE),
    "reshaped-to-images": lambda: (Generator(), (2, 5)),
    "float16": lambda: (named(fc=nn.Linear(4, 3)).half(), (2, 4)),
    "bfloat16": lambda: (named(fc=nn.Linear(4, 3)).bfloat16(), (2, 4)),
    "float64": lambda: (named(fc=nn.Linear(4, 3)).double(), (2, 4)),
}


def draw(module):
    """Values that are neither zeros nor ones, where modules start with these."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            last = name.split(".")[-1]
            if last == "running_var":
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            elif last in ("running_mean", "bias") or (last == "weight" and tensor.ndim == 1):
                tensor.copy_(torch.randn(tensor.shape, generator=generator).to(tensor.dtype) * 0.5 + 0.25)
            elif last == "original0" or last.endswith("_g"):
                tensor.mul_(torch.rand(tensor.shape, generator=generator) + 0.5)
            elif last == "num_batches_tracked":
                tensor.fill_(7)


def made(name):
    torch.manual_seed(sum(map(ord, name)))
    module, shape = CASES[name]()
    draw(module)
    x = torch.randint(6, (2, 4)) if shape == "tokens" else torch.randn(shape)
    # A step of power iteration, so that u and v are not those of the first kernel alone.
    if "spectral" in name:
        module.train()(x)
    return module.eval(), x


def channels_last(tensor):
    array = tensor.detach().double().numpy()
    return np.moveaxis(array, 1, -1) if array.ndim > 3 else array


def is_signal(name):
    return name in ("conv1d", "flattened-signals")


def for_json(name, tensor):
    array = channels_last(tensor)
    if is_signal(name) and array.ndim == 3:
        array = np.moveaxis(array, 1, -1)
    return {"shape": array.shape, "data": [float(np.float32(value)) for value in array.ravel()]}


def computed(module, x):
    with torch.no_grad():
        return module.float()(x)


def make(out):
    out.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        module, x = made(name)
        save_file({key: value.contiguous() for key, value in module.state_dict().items()}, out / f"{name}.safetensors")
        y = computed(module, x)
        content = {
            "module": repr(module),
            "source": f"torch {torch.__version__.split('+')[0]}",
            "input": for_json(name, x),
            "output": for_json(name, y),
        }
        (out / f"{name}.json").write_text(json.dumps(content) + "\n")


def load(goldens, folder):
    # The older spectral_norm does not read the names of the new one; the older weight_norm writes names that both read.
    globals()["spectral_norm"] = parametrizations.spectral_norm
    worst = 0
    for name in CASES:
        module, x = made(name)
        expected = computed(module, x)
        module, _ = CASES[name]()
        module = module.float().eval()
        module.load_state_dict(load_file(folder / f"{name}.safetensors"), strict=True)
        stored = json.loads((goldens / f"{name}.json").read_text())["output"]["data"]
        actual = for_json(name, computed(module, x))["data"]
        difference = max(abs(a - b) for a, b in zip(actual, stored))
        assert difference <= 1e-5, (name, difference)
        worst = max(worst, difference)
    print(f"{len(CASES)} modules, largest difference {worst:.1e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("make").add_argument("--out", type=pathlib.Path, required=True)
    loading = commands.add_parser("load")
    loading.add_argument("goldens", type=pathlib.Path)
    loading.add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()
    if args.command == "make":
        make(args.out)
    else:
        load(args.goldens, args.folder)
