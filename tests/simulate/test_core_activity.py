"""Counts by core against counts by hand, and sums over cores against those of the run."""

# The records take scalars and lists, and store arrays.
# pyright: reportArgumentType=false

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_networks import random_convolution, random_inputs, random_network
from srnn.export.errors import InputError
from srnn.export.network import CubaLIF, Layer, LeakyIntegrator, Network, Synapses
from srnn.simulate.core_activity import core_activity
from srnn.simulate.simulator import run_with_activity


def two_layers() -> Network:
    hidden = Layer(
        "hidden",
        Synapses([[2, 0, 2], [2, 0, -2]]),
        CubaLIF(2, 4096, 4096, [1, 262143]),
        Synapses([[0, 2], [-2, 0]]),
    )
    return Network((hidden, Layer("out", Synapses([[4, 4]]), LeakyIntegrator(1, 4096))))


def test_counted_by_hand() -> None:
    network = two_layers()
    inputs = np.array([[[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]]])
    _, activity = run_with_activity(network, inputs)
    assert activity.layers[0].spikes.tolist() == [3, 0]
    found = core_activity(network, activity, [[0, 1], [2]])
    # Channel 0 three times, to both cores; channel 1 reaches none; the last spike no recurrent one.
    assert found.operations_below.tolist() == [3, 3, 3]
    assert found.operations_recurrent.tolist() == [0, 2, 0]
    assert found.between.tolist() == [[3, 3, 0], [0, 2, 3], [0, 0, 0], [0, 0, 0]]
    assert (found.messages, found.messages_between_cores) == (11, 5)
    assert found.messages_in.tolist() == [3, 5, 3]
    assert found.messages_out.tolist() == [5, 0, 0]
    assert found.neuron_updates.tolist() == [4, 4, 4]
    assert found.layer.tolist() == [0, 0, 1]
    written = found.as_dict()
    assert written["messages_from_host"] == 6
    assert written["cores"][1]["operations_recurrent"] == 2


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_cores_add_up_to_the_run(seed: int, blocks: bool) -> None:
    rng = np.random.default_rng(seed)
    convolutions = [random_convolution(rng, extreme=False, delays=False)] if blocks else []
    below = convolutions[0].n_in if blocks else 11
    network = random_network(
        seed, ["SRNN_ALIF", "SRNN_LI"], [9, 4], below, convolutions=convolutions
    )
    _, activity = run_with_activity(network, random_inputs(seed, network, 3, 12))
    core_of, first = [], 0
    for layer in network.layers:
        cores = min(int(rng.integers(1, 4)), layer.size)
        core_of.append(first + rng.permutation(np.arange(layer.size) % cores))
        first += cores
    found = core_activity(network, activity, core_of)
    for index, layer in enumerate(activity.layers):
        mine = found.layer == index
        assert found.operations_below[mine].sum() == layer.operations_from_below
        assert found.operations_recurrent[mine].sum() == layer.operations_recurrent
        assert found.neuron_updates[mine].sum() == layer.neuron_updates
        assert found.adaptation_updates[mine].sum() == layer.adaptation_updates
    single = core_activity(
        network,
        activity,
        [np.full(layer.size, index) for index, layer in enumerate(network.layers)],
    )
    sent = sum(one.events_from_below + one.events_recurrent for one in activity.layers)
    assert single.messages <= sent
    assert found.messages >= single.messages


@pytest.mark.parametrize(
    ("core_of", "text"),
    [
        ([[0, 1]], "1 layers, the network has 2"),
        ([[0, 1], [1]], "core 1 holds neurons of two layers"),
        ([[0, 2], [3]], "core 1 holds no neuron"),
        ([[0], [1]], r"layer hidden: int64 \(1,\), needs cores from 0 on, \(2,\)"),
        ([[0.0, 1.0], [2]], "layer hidden: float64"),
        ([[0, -1], [2]], "needs cores from 0 on"),
    ],
)
def test_assignments_that_are_none(core_of: list, text: str) -> None:
    network = two_layers()
    _, activity = run_with_activity(network, np.zeros((1, 2, 3), int))
    with pytest.raises(InputError, match=text):
        core_activity(network, activity, core_of)
