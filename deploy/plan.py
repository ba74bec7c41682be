"""How a target runs each layer of a network, as rows to print."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerDescription:
    """How one layer runs on a target.

    ``process`` is what computes the neurons, ``stock`` whether it is the target's own; ``lag`` is
    the number of steps by which the layer lags there; ``reason`` says why this process.
    """

    layer: str
    neuron: str
    process: str
    stock: bool
    lag: int
    synapses: str
    reason: str
