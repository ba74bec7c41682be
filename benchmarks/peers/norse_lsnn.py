"""Norse: ``LSNNRecurrent`` layers and a leaky-integrator readout, each over the whole sequence."""

# pyright: reportMissingImports=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Sequence

import norse.torch as norse
import torch
from norse.torch.functional.leaky_integrator import LIParameters
from norse.torch.functional.lsnn import LSNNParameters
from torch import Tensor, nn

from . import parts
from .shapes import Gains, Shape, Training, weights

DISTRIBUTIONS = ("norse", "torch")
STEP = 1e-3
"""Seconds in a step."""
GAINS = {
    "shd": (Gains(95.0, 10.0, 0.0),),
    "ecg": (Gains(95.0, 10.0, 0.0),),
    "smnist": (Gains(16.0, 10.0, 0.0), Gains(52.0, 10.0, 0.0)),
}


def per_second(steps: float) -> Tensor:
    """Return the inverse of a time constant in steps."""
    return torch.as_tensor(1 / (steps * STEP))


class Network(nn.Module):
    """Layers that hold their own weights; the readout's current passes without a filter."""

    def __init__(self, shape: Shape, device: str) -> None:
        super().__init__()
        neuron = LSNNParameters(
            tau_syn_inv=per_second(2.0),
            tau_mem_inv=per_second(20.0),
            tau_adapt_inv=per_second(150.0),
            beta=torch.as_tensor(0.1),
        )
        neuron = LSNNParameters(*(x.to(device) if isinstance(x, Tensor) else x for x in neuron))
        integrator = LIParameters(tau_syn_inv=per_second(1.0), tau_mem_inv=per_second(20.0))
        integrator = LIParameters(*(x.to(device) for x in integrator))
        layers, readout = weights(shape, GAINS[shape.name])
        self.hidden = nn.ModuleList()
        below = shape.inputs
        for size, w in zip(shape.hidden, layers, strict=True):
            layer = norse.LSNNRecurrent(below, size, p=neuron, dt=STEP)
            with torch.no_grad():
                layer.input_weights.copy_(torch.from_numpy(w.inputs))
                layer.recurrent_weights.copy_(torch.from_numpy(w.recurrent).fill_diagonal_(0))
            self.hidden.append(layer)
            below = size
        self.outputs = parts.linear(readout, torch.zeros(shape.classes))
        self.readout = norse.LI(p=integrator, dt=STEP)

    def forward(self, signal: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Run over (time, batch, channel): the readout's membranes, and all spikes."""
        spikes = []
        for layer in self.hidden:
            signal, _ = layer(signal)
            spikes.append(signal)
        return self.readout(self.outputs(signal))[0], spikes


def make(way: str, shape: Shape, threads: int, device: str) -> Training:
    """Return the training step."""
    del way
    parts.prepare(threads, device)
    network = Network(shape, device).to(device)
    inputs, targets = parts.data(shape, device, time_first=True)
    step = parts.step(
        [network], lambda: network(inputs), lambda out: parts.loss(shape, out, targets), device
    )
    return Training("LSNN, time constants fixed and shared, reset and jump detached", step)
