"""SpikingJelly: ``ParametricLIFNode`` step by step, with our own recurrent product.

The library's multi-step containers index the sequence at every step, which makes their backward
pass quadratic in time; this loop splits the sequence once.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn

from . import parts
from .shapes import Gains, Shape, Training, weights

DISTRIBUTIONS = ("spikingjelly", "torch")
TAU = 20.0
GAINS = {
    "shd": (Gains(3.0, 1.0, 0.0),),
    "ecg": (Gains(3.8, 1.0, 0.0),),
    "smnist": (Gains(0.63, 1.0, 0.0), Gains(2.0, 1.0, 0.0)),
}


class Network(nn.Module):
    """Recurrent layers and a readout that never reaches its threshold."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        layers, readout = weights(shape, GAINS[shape.name])
        self.inputs = nn.ModuleList(parts.linear(w.inputs, w.bias) for w in layers)
        self.recurrent = nn.ModuleList(parts.linear(w.recurrent) for w in layers)
        self.neurons = nn.ModuleList(
            neuron.ParametricLIFNode(
                init_tau=TAU,
                decay_input=False,
                v_reset=None,
                surrogate_function=surrogate.ATan(),
                step_mode="s",
            )
            for _ in layers
        )
        self.outputs = parts.linear(readout, torch.zeros(shape.classes))
        self.readout = neuron.NonSpikingLIFNode(tau=TAU)

    def forward(self, signal: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Run over (time, batch, channel): the readout's membranes, and all spikes."""
        functional.reset_net(self)
        spikes = []
        for inputs, recurrent, node in zip(self.inputs, self.recurrent, self.neurons, strict=True):
            drive = inputs(signal).unbind(0)
            weight = cast(nn.Linear, recurrent).weight.t()
            spike = torch.zeros_like(drive[0])
            found = []
            for current in drive:
                spike = node(torch.addmm(current, spike, weight))
                found.append(spike)
            signal = torch.stack(found)
            spikes.append(signal)
        self.readout.v = torch.zeros_like(signal[0, :, :1])
        membranes = []
        for current in self.outputs(signal).unbind(0):
            self.readout.neuronal_charge(current)
            membranes.append(self.readout.v)
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
    return Training("PLIF, no adaptation, one time constant per layer", step)
