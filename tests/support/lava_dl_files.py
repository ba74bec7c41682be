"""Files as SLAYER writes them, with changes."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportIndexIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false

from __future__ import annotations

import h5py
import numpy as np


def write_file(path, **changes):
    """Write a one-layer file as SLAYER does; a change of None omits the dataset."""
    values = {
        "type": np.array([b"dense"], "S10"),
        "shape": np.array([3]),
        "inFeatures": 2,
        "outFeatures": 3,
        "weight": np.array([[2, -4], [6, 8], [-10, 12]], np.float32),
        "neuron/type": "CUBA",
        "neuron/iDecay": 1024,
        "neuron/vDecay": 128,
        "neuron/vThMant": 80,
        "neuron/refDelay": 1,
        "neuron/gradedSpike": False,
    } | {name.replace("__", "/"): value for name, value in changes.items()}
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            if value is not None:
                file[f"layer/0/{name}"] = value
    return path


def write_conv(path, **changes):
    """Write an input of (2, 4, 5) and a convolution over it, as SLAYER does."""
    rng = np.random.default_rng(1)
    values = {
        "0/type": np.array([b"input"], "S10"),
        "0/shape": np.array([2, 4, 5]),
        "1/type": np.array([b"conv"], "S10"),
        "1/shape": np.array([4, 2, 5]),
        "1/inChannels": 2,
        "1/outChannels": 4,
        "1/kernelSize": np.array([2, 3]),
        "1/stride": np.array([2, 1]),
        "1/padding": np.array([0, 1]),
        "1/dilation": np.array([1, 1]),
        "1/groups": 2,
        "1/weight": 2 * rng.integers(-60, 60, (4, 1, 2, 3)).astype(np.float32),
        "1/neuron/type": "CUBA",
        "1/neuron/iDecay": 1024,
        "1/neuron/vDecay": np.array([128, 200, 300, 400]),
        "1/neuron/vThMant": 80,
    } | {name.replace("__", "/").lstrip("_"): value for name, value in changes.items()}
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            if value is not None:
                file[f"layer/{name}"] = value
    return path
