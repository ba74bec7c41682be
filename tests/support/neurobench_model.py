"""A network of integers as NeuroBench takes models: Linear and Conv2d modules and neuron modules.

Weights are real parameters of plain modules, recurrent ones too, and neuron modules return spikes
alone: what is hidden in a function, or comes in a tuple, NeuroBench counts wrongly or not at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from neurobench.models import NeuroBenchModel
from snntorch import SpikingNeuron
from srnn.export.grid import DECAY_ONE
from srnn.export.network import Connection, Convolution, Layer, Network
from srnn.neurons.neuron import initial_state, take_step
from torch import Tensor, nn


class IntegerNeurons(SpikingNeuron):
    """The neurons of a layer, stepped by the executable specification; ``mem`` is v."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(init_hidden=True)
        self.record = layer.neuron

    def begin(self, batch: int) -> None:
        self.state = initial_state(self.record, batch)
        self.spiked = np.zeros((batch, self.record.size), np.int64)
        self.mem = torch.from_numpy(self.state["v"].copy())

    def forward(self, drive: Tensor) -> Tensor:
        self.state, self.spiked = take_step(self.record, self.state, drive.numpy(), self.spiked)
        self.mem = torch.from_numpy(self.state["v"].copy())
        return torch.from_numpy(self.spiked.astype(np.float64))


class Integrators(IntegerNeurons):
    """The neurons of a layer that does not spike, apart, so that their zeros are no activations."""


class IntegerLayer(nn.Module):
    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.below, self.exponents = module_of(layer.synapses), [layer.synapses.weight_exp]
        self.recurrent = None
        if layer.recurrent is not None:
            self.recurrent = module_of(layer.recurrent)
            self.exponents.append(layer.recurrent.weight_exp)
        self.block = layer.synapses.shape_in if isinstance(layer.synapses, Convolution) else None
        self.neurons = (IntegerNeurons if layer.neuron.SPIKING else Integrators)(layer)

    def forward(self, messages: Tensor, spiked: Tensor) -> Tensor:
        if self.block is not None:
            messages = messages.reshape(-1, *self.block)
        drive = shifted(self.below(messages).flatten(1), self.exponents[0])
        if self.recurrent is not None:
            drive += shifted(self.recurrent(spiked), self.exponents[1])
        return self.neurons(drive)


class IntegerNetwork(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.layers = nn.ModuleList(IntegerLayer(layer) for layer in network.layers)
        self.sizes = [layer.size for layer in network.layers]

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> Tensor:
        """Return the last layer's v, (batch, time, n), from inputs (batch, time, channel)."""
        batch, steps, _ = inputs.shape
        spiked = [torch.zeros(batch, size, dtype=torch.float64) for size in self.sizes]
        for layer in self.layers:
            layer.neurons.begin(batch)  # type: ignore[union-attr, operator]
        out = []
        for t in range(steps):
            messages = inputs[:, t].double()
            for index, layer in enumerate(self.layers):
                messages = spiked[index] = layer(messages, spiked[index])
            out.append(self.layers[-1].neurons.mem)  # type: ignore[union-attr]
        return torch.stack(out, dim=1)


def module_of(connection: Connection) -> nn.Module:
    if isinstance(connection, Convolution):
        out, share, *taps = connection.kernel.shape
        made: Any = nn.Conv2d(
            share * connection.groups, out, taps, connection.stride, connection.padding,
            connection.dilation, connection.groups, bias=False, dtype=torch.float64,
        )  # fmt: skip
        weights = connection.kernel
    else:
        made = nn.Linear(connection.n_in, connection.n_out, bias=False, dtype=torch.float64)
        weights = connection.weight
    # Sums of products of such integers are exact in float64.
    made.weight = nn.Parameter(torch.from_numpy(weights.astype(np.float64)))
    return made


def shifted(sums: Tensor, exponent: int) -> Tensor:
    whole = sums.to(torch.int64)
    return whole << exponent if exponent >= 0 else whole >> -exponent


class Wrapped(NeuroBenchModel):
    """``module`` as NeuroBench's harness takes it; ``activations``: classes whose outputs count."""

    def __init__(self, module: nn.Module, activations: tuple[type[nn.Module], ...]) -> None:
        super().__init__()
        self.module = module
        self.activation_modules = list(activations)

    def __call__(self, batch: Tensor) -> Tensor:
        return self.module(batch)

    def __net__(self) -> nn.Module:
        return self.module


class Stored(nn.Module):
    """The integers of a network as buffers of as many bytes as the format gives them."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        for layer in network.layers:
            for place, connection in enumerate((layer.synapses, layer.recurrent)):
                if connection is not None:
                    kernel = isinstance(connection, Convolution)
                    weights = connection.kernel if kernel else connection.weight
                    self._keep(f"{layer.name}_{place}", weights, 1)
            for parameter in layer.neuron.PARAMETERS:
                width = 2 if parameter.high <= DECAY_ONE + 1 else 3
                values = getattr(layer.neuron, parameter.name)
                self._keep(f"{layer.name}_{parameter.name}", values, width)

    def _keep(self, name: str, values: np.ndarray, width: int) -> None:
        low_bytes = values.astype("<i8").reshape(-1, 1).view(np.uint8)[:, :width]
        self.register_buffer(name, torch.from_numpy(low_bytes.copy()))
