"""Footprint, Connection Sparsity and rate of networks, against counts by hand."""

# The records take scalars and lists, and store arrays.
# pyright: reportArgumentType=false

from __future__ import annotations

import numpy as np
import pytest
from srnn.export.network import (
    AdaptiveLIF,
    Convolution,
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Synapses,
)
from srnn.export.quantize import layer_bytes
from srnn.simulate.measures import measure_network


def test_measured_by_hand() -> None:
    hidden = Layer(
        "hidden",
        Synapses([[2, 0, 2], [0, 0, -2]]),
        AdaptiveLIF(2, 9, 9, 9, 9, 9),
        Synapses([[0, 2], [-2, 0]]),
    )
    network = Network(
        (hidden, Layer("out", Synapses([[4, 4]]), LeakyIntegrator(1, 4096))), dt=0.004
    )
    found = measure_network(network)
    first, last = found.layers
    assert (first.weights, first.zero_weights, last.zero_weights) == (10, 5, 0)
    assert found.connection_sparsity == pytest.approx(5 / 12)
    # vDecay and bDecay take 2 bytes each, vTh, bStep, bias, vInit and dInit 3; bExp is a parameter
    # of at most 15, in the 2 bytes of a decay.
    assert first.footprint == 10 + 2 * (2 + 2 + 3 + 3 + 2 + 3 + 3 + 3)
    assert first.footprint == layer_bytes(hidden)
    assert found.footprint == first.footprint + 2 + (2 + 3 + 3)
    assert found.parameters == 10 + 2 * 8 + 2 + 3
    assert found.execution_rate == pytest.approx(250.0)
    assert found.as_dict()["Model Execution Rate"] == pytest.approx(250.0)


def test_a_kernel_is_stored_once() -> None:
    kernel = np.array([[[[2, 0], [0, -2]]]])
    convolution = Convolution(kernel, (1, 5, 5))
    network = Network((Layer("c", convolution, CubaLIF(16, 9, 9, 9)),))
    found = measure_network(network)
    assert (found.weights, found.zero_weights, found.execution_rate) == (4, 2, None)
