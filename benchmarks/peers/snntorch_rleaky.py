"""snnTorch: ``RLeaky`` layers and a ``Leaky`` readout, input products hoisted out of the loop."""

# pyright: reportMissingImports=false, reportCallIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor, nn

from . import parts
from .shapes import Gains, Shape, Training, weights

DISTRIBUTIONS = ("snntorch", "torch")
DECAY = math.exp(-1 / 20)
GAINS = {
    "shd": (Gains(3.0, 1.0, 0.0),),
    "ecg": (Gains(3.8, 1.0, 0.0),),
    "smnist": (Gains(0.63, 1.0, 0.0), Gains(2.2, 1.0, 0.0)),
}


class Network(nn.Module):
    """Recurrent layers with a decay per neuron, and leaky integrators."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        layers, readout = weights(shape, GAINS[shape.name])
        self.inputs = nn.ModuleList(parts.linear(w.inputs, w.bias) for w in layers)
        self.neurons = nn.ModuleList()
        for size, w in zip(shape.hidden, layers, strict=True):
            neuron = snntorch.RLeaky(
                beta=torch.full((size,), DECAY),
                linear_features=size,
                learn_beta=True,
                spike_grad=surrogate.fast_sigmoid(),
            )
            with torch.no_grad():
                neuron.recurrent.weight.copy_(torch.from_numpy(w.recurrent))
                neuron.recurrent.bias.zero_()
            self.neurons.append(neuron)
        self.outputs = parts.linear(readout, torch.zeros(shape.classes))
        self.readout = snntorch.Leaky(
            beta=torch.full((shape.classes,), DECAY), learn_beta=True, reset_mechanism="none"
        )

    def forward(self, signal: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Run over (time, batch, channel): the readout's membranes, and all spikes."""
        spikes = []
        for linear, neuron in zip(self.inputs, self.neurons, strict=True):
            spike, membrane = cast(Any, neuron).reset_mem()
            found = []
            for current in linear(signal).unbind(0):
                spike, membrane = neuron(current, spike, membrane)
                found.append(spike)
            signal = torch.stack(found)
            spikes.append(signal)
        membrane = self.readout.reset_mem()
        membranes = []
        for current in self.outputs(signal).unbind(0):
            _, membrane = self.readout(current, membrane)
            membranes.append(membrane)
        return torch.stack(membranes), spikes


def make(way: str, shape: Shape, threads: int, device: str) -> Training:
    """Return the training step."""
    del way
    parts.prepare(threads, device)
    network = Network(shape).to(device)
    inputs, targets = parts.data(shape, device, time_first=True)
    step = parts.step(
        [network], lambda: network(inputs), lambda out: parts.loss(shape, out, targets), device
    )
    return Training("LIF, no adaptation, a decay per neuron, reset detached", step)
