"""lava-dl's quantized forward, no gradient: a recurrent CUBA or ALIF block, an affine readout."""

# pyright: reportMissingImports=false

from __future__ import annotations

import sys
import types
from collections.abc import Sequence

import torch
from torch import Tensor

from . import parts
from .shapes import Gains, Shape, Training, draw, weights

# slayer imports its object detection, which needs torchvision and OpenCV, and does not use it here.
sys.modules["lava.lib.dl.slayer.object_detection"] = types.ModuleType("object_detection")
from lava.lib.dl import slayer  # noqa: E402

DISTRIBUTIONS = ("lava-dl", "torch")
GAINS = {"N128": Gains(3.0, 1.0, 0.0), "N512": Gains(3.6, 1.0, 0.0), "ecg": Gains(3.0, 1.0, 0.0)}
CUBA = {"threshold": 1.0, "current_decay": 0.9, "voltage_decay": 0.05}
ALIF = {**CUBA, "threshold_step": 0.5, "threshold_decay": 0.01, "refractory_decay": 0.3}
READOUT = {"threshold": 1.0, "current_decay": 1.0, "voltage_decay": 0.05}


def make(way: str, shape: Shape, threads: int, device: str) -> Training:
    """Return the forward pass as a step; ``way`` is ``cuba`` or ``alif``."""
    parts.prepare(threads, device)
    (layer,), readout_weights = weights(shape, [GAINS[shape.name]])
    (size,) = shape.hidden
    neuron, recurrent = (
        (ALIF, slayer.block.alif.Recurrent)
        if way == "alif"
        else (CUBA, slayer.block.cuba.Recurrent)
    )
    hidden = recurrent(dict(neuron), shape.inputs, size)
    readout = slayer.block.cuba.Affine(dict(READOUT), size, shape.classes)
    with torch.no_grad():
        hidden.input_synapse.weight.copy_(_as_kernel(layer.inputs))
        hidden.recurrent_synapse.weight.copy_(_as_kernel(layer.recurrent))
        readout.synapse.weight.copy_(_as_kernel(readout_weights))
    inputs = torch.from_numpy(draw(shape)[0]).transpose(1, 2).contiguous()

    def step() -> Sequence[Tensor]:
        with torch.no_grad():
            spikes = hidden(inputs)
            readout(spikes)
            return [spikes]

    return Training(f"{'adaptive LIF' if way == 'alif' else 'CUBA LIF'}, 8-bit weights", step)


def _as_kernel(weight: object) -> Tensor:
    return torch.as_tensor(weight)[:, :, None, None, None]
