"""Operation counts against a count by hand and against a dense recount of the trace."""

# The records take scalars and lists, and store arrays.
# pyright: reportArgumentType=false

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_networks import random_convolution, random_inputs, random_network
from srnn.export.network import (
    AdaptiveLIF,
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Readout,
    Synapses,
    dense,
)
from srnn.simulate.activity import no_activity
from srnn.simulate.reference import convolved
from srnn.simulate.simulator import run, run_with_activity


def test_counted_by_hand() -> None:
    # Neuron 0 fires whenever channel 0 does; neuron 1 never.
    hidden = Layer(
        "hidden",
        Synapses([[2, 0, 2], [0, 0, -2]]),
        CubaLIF(2, 4096, 4096, [1, 262143]),
        Synapses([[0, 2], [-2, 0]]),
    )
    network = Network((hidden, Layer("out", Synapses([[4, 4]]), LeakyIntegrator(1, 4096))))
    inputs = np.array([[[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]]])
    trace, activity = run_with_activity(network, inputs)
    assert trace.layers[0].spikes is not None
    assert trace.layers[0].spikes[0].tolist() == [[1, 0], [0, 0], [1, 0], [1, 0]]
    first, last = activity.layers
    assert first.spikes.tolist() == [3, 0]
    assert (first.events_from_below, first.events_recurrent) == (5, 2)
    # Channel 0 three times with 1 non-zero weight, channel 1 with 0; two recurrent spikes, 1 each.
    assert first.effective_acs == 3 * 1 + 2 * 0 + 2 * 1
    assert first.dense_operations == 4 * (6 + 4)
    assert first.neuron_updates == 8
    assert first.firing_rate == 3 / 8
    assert (last.effective_acs, last.effective_macs, last.dense_operations) == (3, 0, 8)
    assert last.firing_rate is None
    assert activity.activation_sparsity == 1 - 3 / 8
    # v of the hidden neurons: 0 0 0 0 and 0 -128 0 -128, of the readout: 256 0 256 256.
    assert (first.membrane_updates, last.membrane_updates) == (1 + 4, 3)
    assert (first.silent_neurons, first.saturated_neurons, last.silent_neurons) == ([1], [], [])
    assert activity.axon_messages == {"hidden": 5, "out": 3}
    assert activity.input_events.tolist() == [3, 2, 0]
    assert activity.per_sample() == {
        "Effective_ACs": 8.0,
        "Effective_MACs": 0.0,
        "Dense": 48.0,
        "spikes": 3.0,
        "neuron_updates": 12.0,
        "Membrane Updates": 8.0,
    }
    assert activity.per_step()["Dense"] == 12.0


def test_dense_operations_as_neurobench_counts_them() -> None:
    # 20-32-5 with a recurrent layer over 30 steps: NeuroBench 2.3.0 gives 54 720 per sample.
    hidden = Layer(
        "hidden",
        Synapses(np.full((32, 20), 2)),
        AdaptiveLIF(32, 100, 20, 900, 50, 4),
        Synapses(np.full((32, 32), -2)),
    )
    network = Network((hidden, Layer("out", Synapses(np.full((5, 32), 2)), LeakyIntegrator(5, 9))))
    _, activity = run_with_activity(network, np.ones((3, 30, 20), dtype=np.uint8))
    assert activity.per_sample()["Dense"] == 54_720


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0, 6]), st.booleans())
def test_recounted_from_the_trace(seed: int, bits: int, delays: bool) -> None:
    network = random_network(
        seed, ["SRNN_ALIF", "CUBA"], [13, 9], 11, delays=delays, message_bits=bits
    )
    inputs = random_inputs(seed, network, 3, 15)
    lengths = np.array([15, 4, 0])
    inputs[np.arange(15) >= lengths[:, None]] = 0
    trace, activity = run_with_activity(network, inputs, lengths)
    messages = inputs != 0
    for index, (layer, counted) in enumerate(zip(network.layers, activity.layers, strict=True)):
        spikes = trace.layers[index].spikes
        assert spikes is not None
        np.testing.assert_array_equal(counted.spikes, spikes.sum(axis=(0, 1)))
        below = int((messages @ (dense(layer.synapses).weight != 0).T.astype(int)).sum())
        recurrent = 0
        if layer.recurrent is not None:
            sent = spikes.copy()
            for sample, length in enumerate(lengths):
                sent[sample, max(length - 1, 0) :] = 0
            recurrent = int((sent @ (layer.recurrent.weight != 0).T.astype(int)).sum())
            assert counted.events_recurrent == sent.sum()
        graded = bits > 0 and index == 0
        assert counted.effective_acs == recurrent + (0 if graded else below)
        assert counted.effective_macs == (below if graded else 0)
        assert counted.events_from_below == messages.sum()
        assert counted.neuron_updates == layer.size * 19
        np.testing.assert_array_equal(counted.counts[:, 4], spikes.sum(axis=(1, 2)))
        v = trace.layers[index].states["v"]
        changed = [
            layer.size * min(length, 1) + np.count_nonzero(np.diff(v[sample, :length], axis=0))
            for sample, length in enumerate(lengths)
        ]
        assert counted.counts[:, 5].tolist() == changed
        messages = spikes != 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0, 6]), st.booleans())
def test_convolutions_recounted_from_the_trace(seed: int, bits: int, delays: bool) -> None:
    convolution = random_convolution(np.random.default_rng(seed), extreme=False, delays=delays)
    network = random_network(
        seed, [], [], convolution.n_in, message_bits=bits, convolutions=[convolution],
        readout="spike_count",
    )  # fmt: skip
    inputs = random_inputs(seed, network, 2, 9)
    _, activity = run_with_activity(network, inputs)
    identity = np.eye(convolution.n_in, dtype=np.int64)
    weights = convolved(convolution, identity).reshape(convolution.n_in, -1)
    expected = int(((inputs != 0) @ (weights != 0).astype(int)).sum())
    counted = activity.layers[0]
    recurrent = counted.effective_acs if bits else counted.effective_acs - expected
    assert counted.effective_macs == (expected if bits else 0)
    assert network.layers[0].recurrent is not None or recurrent == 0
    assert counted.events_from_below == np.count_nonzero(inputs)


def test_activities_add_up() -> None:
    network = random_network(8, ["SRNN_ALIF", "SRNN_LI"], [20, 4], 15)
    inputs = random_inputs(8, network, 5, 20)
    _, whole = run_with_activity(network, inputs)
    total = no_activity(network)
    for part in (inputs[:2], inputs[2:3], inputs[3:]):
        total += run_with_activity(network, part)[1]
    assert total.as_dict() == whole.as_dict()
    assert (whole.samples, whole.steps) == (5, 100)
    np.testing.assert_array_equal(total.layers[0].spikes, whole.layers[0].spikes)


def test_counts_of_each_sample_add_up_and_spread() -> None:
    network = random_network(8, ["SRNN_ALIF", "CUBA", "SRNN_LI"], [20, 9, 4], 15, message_bits=5)
    inputs = random_inputs(8, network, 6, 20)
    lengths = np.array([20, 3, 0, 11, 20, 7])
    _, whole = run_with_activity(network, inputs, lengths, threads=2)
    by_sample = whole.by_sample()
    for sample in range(6):
        _, one = run_with_activity(
            network, inputs[sample : sample + 1], lengths[sample : sample + 1]
        )
        assert one.per_sample() == {name: values[sample] for name, values in by_sample.items()}
    for name, mean in whole.per_sample().items():
        spread = whole.distributions()[name]
        assert spread is not None
        assert spread.mean == pytest.approx(mean)
        assert spread.smallest <= spread.percentile_5 <= spread.median <= spread.percentile_95
        assert spread.largest == by_sample[name].max()
    per_step = whole.step_distributions()["Dense"]
    assert per_step is not None
    assert (per_step.mean, per_step.standard_deviation) == (whole.per_step()["Dense"], 0.0)


def test_saturated_and_adaptive_neurons() -> None:
    layer = Layer("one", Synapses([[2], [2], [2]]), AdaptiveLIF(3, 1, 1, 0, [5, 0, 0], 0, 900))
    network = Network((layer,), Readout("spike_count"))
    _, activity = run_with_activity(network, np.ones((2, 6, 1), np.uint8))
    assert activity.layers[0].saturated_neurons == [0, 1, 2]
    assert activity.layers[0].activation_sparsity == 0.0
    assert (activity.adaptation_updates, activity.neuron_updates) == (12, 36)
    assert no_activity(network).layers[0].saturated_neurons == []
    assert no_activity(network).distributions()["spikes"] is None


def test_activities_of_two_networks_do_not_add() -> None:
    one = no_activity(random_network(1, ["CUBA"], [3], 2))
    with pytest.raises(ValueError, match="activity of layer"):
        one + no_activity(random_network(1, ["CUBA"], [4], 2))


def test_a_silent_network_costs_nothing_but_updates() -> None:
    network = Network((Layer("out", Synapses([[2, 2]]), LeakyIntegrator(1, 100)),))
    trace, activity = run_with_activity(network, np.zeros((1, 9, 2), dtype=int))
    assert (activity.effective_acs, activity.effective_macs) == (0, 0)
    assert activity.neuron_updates == 9
    assert activity.activation_sparsity is None
    assert run(network, np.zeros((1, 9, 2), dtype=int)).output.tolist() == trace.output.tolist()
