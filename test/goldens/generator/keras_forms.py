"""Forms of HDF5 that Keras's own files seldom have, made of counted.weights.h5 and counted-legacy.h5 of Keras 2.13.

    python keras_forms.py FOLDER

writes forms.weights.h5, in which weights are of other types and chunked and compressed, and split-legacy.h5, with split lists.
"""

import os
import sys

import h5py
import numpy as np

folder = sys.argv[1]
TYPES = {"dense/vars/0": "f2", "dense/vars/1": "f8", "dense_2/vars/1": ">f4", "dense_4/vars/1": ">f2"}

with h5py.File(os.path.join(folder, "counted.weights.h5")) as given, \
        h5py.File(os.path.join(folder, "forms.weights.h5"), "w") as made:
    def copy(name, one):
        if not isinstance(one, h5py.Dataset):
            return
        values = one[()]
        short = name.split("/", 1)[1]
        if short == "dense_2/vars/0":  # bfloat16 as Keras marks it.
            made[name] = (values.astype("f4").view("u4") >> 16).astype("u2")
            made[name].attrs["dtype"] = "bfloat16"
        elif short == "dense_4/vars/0":
            made.create_dataset(name, data=values, chunks=(3, 2), compression="gzip", shuffle=True, fletcher32=True)
        else:
            made[name] = values.astype(TYPES.get(short, "f4"))
    given.visititems(copy)

with h5py.File(os.path.join(folder, "counted-legacy.h5")) as given, \
        h5py.File(os.path.join(folder, "split-legacy.h5"), "w") as made:
    for name in given:
        given.copy(name, made)

    def split(group, attribute):
        names = group.attrs[attribute]
        del group.attrs[attribute]
        for i in range(0, len(names), 2):
            group.attrs[f"{attribute}{i // 2}"] = names[i:i + 2]

    made.attrs["layer_names"] = given.attrs["layer_names"]
    split(made, "layer_names")
    for group in made.values():
        if len(group.attrs["weight_names"]):
            split(group, "weight_names")
