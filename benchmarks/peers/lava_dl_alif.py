"""lava-dl SLAYER: recurrent adaptive blocks with 8-bit weights, and an affine readout."""

# pyright: reportMissingImports=false

from __future__ import annotations

import sys
import types
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from . import parts
from .shapes import Gains, Shape, Training, UnavailableError, weights

# slayer imports its object detection, which needs torchvision and OpenCV, and does not use it here.
sys.modules["lava.lib.dl.slayer.object_detection"] = types.ModuleType("object_detection")
from lava.lib.dl import slayer  # noqa: E402

DISTRIBUTIONS = ("lava-dl", "torch")
GAINS = {
    "shd": (Gains(7.5, 1.0, 0.0),),
    "ecg": (Gains(7.5, 1.0, 0.0),),
    "smnist": (Gains(1.26, 1.0, 0.0), Gains(5.0, 1.0, 0.0)),
}
HIDDEN = {
    "threshold": 1.0,
    "threshold_step": 0.5,
    "current_decay": 0.9,
    "voltage_decay": 0.05,
    "threshold_decay": 0.01,
    "refractory_decay": 0.3,
    "requires_grad": True,
}
READOUT = {"threshold": 1.0, "current_decay": 1.0, "voltage_decay": 0.05, "requires_grad": True}


class Network(nn.Module):
    """Blocks over (batch, channel, time)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        layers, readout = weights(shape, GAINS[shape.name])
        self.hidden = nn.ModuleList()
        below = shape.inputs
        for size, w in zip(shape.hidden, layers, strict=True):
            block = slayer.block.alif.Recurrent(dict(HIDDEN), below, size)
            with torch.no_grad():
                block.input_synapse.weight.copy_(as_kernel(w.inputs))
                block.recurrent_synapse.weight.copy_(as_kernel(w.recurrent))
            self.hidden.append(block)
            below = size
        self.readout = slayer.block.cuba.Affine(dict(READOUT), below, shape.classes)
        with torch.no_grad():
            self.readout.synapse.weight.copy_(as_kernel(readout))

    def forward(self, signal: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Run over (batch, channel, time): the readout's (time, batch, class), and all spikes."""
        spikes = []
        for block in self.hidden:
            signal = block(signal)
            spikes.append(signal)
        return self.readout(signal).permute(2, 0, 1), spikes


def as_kernel(weight: object) -> Tensor:
    """Return weights (n, below) as slayer's (n, below, 1, 1, 1)."""
    return torch.as_tensor(weight)[:, :, None, None, None]


def make(way: str, shape: Shape, threads: int, device: str) -> Training:
    """Return the training step."""
    del way
    parts.prepare(threads, device)
    if device == "cuda":
        raise UnavailableError("slayer compiles CUDA sources when run; CPU alone")
    network = Network(shape)
    inputs, targets = parts.data(shape, device, time_first=True)
    inputs = inputs.permute(1, 2, 0).contiguous()
    step = parts.step(
        [network], lambda: network(inputs), lambda out: parts.loss(shape, out, targets), device
    )
    return Training("adaptive LIF, 8-bit weights, gradient through time cut at the neuron", step)
