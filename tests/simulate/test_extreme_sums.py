"""Sums at the edge of what a network may hold, against Python's integers, which never wrap."""

from __future__ import annotations

import numpy as np
import pytest
from srnn.export.errors import InputError
from srnn.export.grid import STATE_MAX, SUM_MAX
from srnn.export.network import Convolution, CubaLIF, Layer, LeakyIntegrator, Network, Synapses
from srnn.simulate import StreamingSimulator, reference, run

LARGEST = (1 << 24) - 1


def wide(sources: int, weight_exp: int, weight: int = 254) -> Network:
    weights = np.full((2, sources), weight, np.int32)
    weights[1] = -weight
    synapses = Synapses(weights, weight_exp)
    return Network((Layer("0", synapses, LeakyIntegrator(2, 4096)),), message_bits=24)


@pytest.mark.parametrize("weight_exp", [-8, -1, 0, 7])
def test_sums_at_the_edge_are_those_of_python(weight_exp: int) -> None:
    # The most sources whose sums are still allowed: one more is refused.
    sources = SUM_MAX // (254 * LARGEST << max(weight_exp, 0))
    sources = min(sources, 1 << 17)
    network = wide(sources, weight_exp)
    inputs = np.full((1, 2, sources), LARGEST, np.int32)
    inputs[0, 1] = -LARGEST
    expected = []
    for sign in (1, -1):
        row = []
        for weight in (254, -254):
            total = sum([sign * weight * LARGEST] * sources)
            total = total << weight_exp if weight_exp >= 0 else total >> -weight_exp
            row.append(max(min(total << 6, STATE_MAX), -STATE_MAX))
        expected.append(row)
    for found in (run(network, inputs), reference.run(network, inputs)):
        assert found.output[0].tolist() == expected
    stream = StreamingSimulator(network)
    steps = [stream.step(row) for row in inputs[0]]
    assert [np.asarray(step).reshape(-1).tolist() for step in steps] == expected


def test_sums_beyond_64_bits_are_refused() -> None:
    with pytest.raises(InputError, match=r"layer 0: its synapses may deliver \d+, at most"):
        wide(524_288, 7)


def test_the_bound_counts_both_matrices_and_the_kernel() -> None:
    largest = SUM_MAX // (255 * LARGEST << 7)
    below = Synapses(np.full((1, largest), 255), 7)
    back = Synapses(np.full((1, 1), 255), 7)
    neuron = CubaLIF(1, 4096, 0, 10)
    Network((Layer("0", below, neuron),), message_bits=24)
    more = Synapses(np.full((1, largest + 1), 255), 7)
    with pytest.raises(InputError, match="may deliver"):
        Network((Layer("0", more, neuron),), message_bits=24)
    # Spikes count 1 each, whatever the bits of the inputs are.
    Network((Layer("0", below, neuron), Layer("1", back, neuron, back)), message_bits=24)
    kernel = np.full((1, largest + 1, 1, 1), 255)
    connection = Convolution(kernel, (largest + 1, 1, 1), weight_exp=7)
    with pytest.raises(InputError, match="may deliver"):
        Network((Layer("0", connection, neuron),), message_bits=24)
