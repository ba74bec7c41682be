"""Properties of a network at rest, by NeuroBench's names: Footprint, Connection Sparsity, rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..export.grid import DECAY_ONE, WEIGHT_BITS_MAX
from ..export.network import Connection, Convolution, Layer, Network


@dataclass(frozen=True)
class LayerMeasures:
    """A layer's stored weights, how many of them are 0, its parameters and its bytes.

    ``footprint``: bytes in the integer format: 1 per weight, 2 per decay, 3 per 24-bit state; a
    convolution kernel is stored once. NeuroBench's Footprint counts stored values in the same way,
    of a float model at 4 bytes each.
    """

    name: str
    weights: int
    zero_weights: int
    parameters: int
    footprint: int

    @property
    def connection_sparsity(self) -> float:
        """Share of weights that are 0."""
        return self.zero_weights / self.weights

    def as_dict(self) -> dict[str, object]:
        """Return the numbers by their names."""
        return {
            "name": self.name,
            "Footprint": self.footprint,
            "Connection Sparsity": self.connection_sparsity,
            "Parameter Count": self.parameters,
            "weights": self.weights,
            "zero_weights": self.zero_weights,
        }


@dataclass(frozen=True)
class NetworkMeasures:
    """The layers' measures and their sums; ``execution_rate`` in Hz, None where dt is not known.

    NeuroBench's Model Execution Rate is declared, not measured: here the steps per
    second of the network's own time, 1 / dt.
    """

    layers: tuple[LayerMeasures, ...]
    execution_rate: float | None

    @property
    def weights(self) -> int:
        """Stored weights of all layers."""
        return sum(layer.weights for layer in self.layers)

    @property
    def zero_weights(self) -> int:
        """Those that are 0."""
        return sum(layer.zero_weights for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Weights and neuron parameters of all layers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def footprint(self) -> int:
        """Bytes in the integer format."""
        return sum(layer.footprint for layer in self.layers)

    @property
    def connection_sparsity(self) -> float:
        """Share of weights that are 0; NeuroBench rounds it to 4 decimals."""
        return self.zero_weights / self.weights

    def as_dict(self) -> dict[str, object]:
        """Return the numbers by their names."""
        return {
            "Footprint": self.footprint,
            "Connection Sparsity": self.connection_sparsity,
            "Parameter Count": self.parameters,
            "Model Execution Rate": self.execution_rate,
            "weights": self.weights,
            "zero_weights": self.zero_weights,
            "layers": [layer.as_dict() for layer in self.layers],
        }


def measure_network(network: Network) -> NetworkMeasures:
    """Measure a network of integers."""
    return NetworkMeasures(
        tuple(_measure(layer) for layer in network.layers),
        None if network.dt is None else 1.0 / network.dt,
    )


def _measure(layer: Layer) -> LayerMeasures:
    connections = [c for c in (layer.synapses, layer.recurrent) if c is not None]
    stored = [_stored(connection) for connection in connections]
    weights = sum(array.size for array in stored)
    nonzero = sum(int(np.count_nonzero(array)) for array in stored)
    widths = [2 if p.high <= DECAY_ONE + 1 else 3 for p in layer.neuron.PARAMETERS]
    return LayerMeasures(
        layer.name,
        weights,
        weights - nonzero,
        weights + layer.size * len(widths),
        -(-weights * WEIGHT_BITS_MAX // 8) + layer.size * sum(widths),
    )


def _stored(connection: Connection) -> np.ndarray:
    return connection.kernel if isinstance(connection, Convolution) else connection.weight
