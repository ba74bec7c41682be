"""snnTorch's forward, no gradient: ``RLeaky`` and a ``Leaky`` readout, input products hoisted."""

# pyright: reportMissingImports=false, reportCallIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import math
from collections.abc import Sequence

import snntorch
import torch
from torch import Tensor, nn

from . import parts
from .shapes import Gains, Shape, Training, draw, weights

DISTRIBUTIONS = ("snntorch", "torch")
DECAY = math.exp(-1 / 20)
GAINS = {"N128": Gains(3.0, 1.0, 0.0), "N512": Gains(3.6, 1.0, 0.0), "ecg": Gains(3.8, 1.0, 0.0)}


class Network(nn.Module):
    """A recurrent layer and leaky integrators, a decay per neuron."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        (layer,), readout = weights(shape, [GAINS[shape.name]])
        (size,) = shape.hidden
        self.inputs = parts.linear(layer.inputs, layer.bias)
        self.neurons = snntorch.RLeaky(beta=torch.full((size,), DECAY), linear_features=size)
        with torch.no_grad():
            self.neurons.recurrent.weight.copy_(torch.from_numpy(layer.recurrent))
            self.neurons.recurrent.bias.zero_()
        self.outputs = parts.linear(readout)
        self.readout = snntorch.Leaky(
            beta=torch.full((shape.classes,), DECAY), reset_mechanism="none"
        )

    def forward(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Run over (time, batch, channel): the readout's membranes, and the spikes."""
        spike, membrane = self.neurons.reset_mem()
        found = []
        for current in self.inputs(signal).unbind(0):
            spike, membrane = self.neurons(current, spike, membrane)
            found.append(spike)
        spikes = torch.stack(found)
        membrane = self.readout.reset_mem()
        membranes = []
        for current in self.outputs(spikes).unbind(0):
            _, membrane = self.readout(current, membrane)
            membranes.append(membrane)
        return torch.stack(membranes), spikes


def make(way: str, shape: Shape, threads: int, device: str) -> Training:
    """Return the forward pass as a step."""
    del way
    parts.prepare(threads, device)
    network = Network(shape)
    inputs = torch.from_numpy(draw(shape)[0]).transpose(0, 1).contiguous()

    def step() -> Sequence[Tensor]:
        with torch.no_grad():
            return [network(inputs)[1]]

    return Training("LIF, float32", step)
