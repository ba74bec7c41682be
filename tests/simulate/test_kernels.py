"""The kernels against the executable specification, bit by bit, over random networks."""

# The records take scalars and lists, and store arrays.
# pyright: reportArgumentType=false

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from simulate_cases import cases, convolution_cases
from simulate_networks import SPIKING, random_inputs, random_network
from srnn.export.errors import InputError
from srnn.export.grid import STATE_MAX
from srnn.export.network import (
    NEURONS,
    AdaptiveLIF,
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Readout,
    Synapses,
)
from srnn.export.trace import Trace, compare
from srnn.neurons.expression import parts
from srnn.simulate import programs, reference, simulator
from srnn.simulate.plan import prepared_network


def assert_equal(one: Trace, other: Trace) -> None:
    rows = compare(one, other)
    assert [row for row in rows if row.different] == []
    assert len(rows) > 0
    np.testing.assert_array_equal(one.output, other.output)
    assert one.output.dtype == other.output.dtype
    np.testing.assert_array_equal(one.lengths, other.lengths)
    for a, b in zip(one.layers, other.layers, strict=True):
        assert (a.spikes is None) == (b.spikes is None)
        assert a.states.keys() == b.states.keys()
        assert all(a.states[name].dtype == b.states[name].dtype for name in a.states)


def both_agree(network: Network, inputs: np.ndarray, lengths: np.ndarray) -> bool:
    """Compare the two, or check that both refuse; whether they ran."""
    try:
        expected = reference.run(network, inputs, lengths)
    except InputError:
        with pytest.raises(InputError, match="leaves 32 bits"):
            simulator.run(network, inputs, lengths)
        return False
    assert_equal(simulator.run(network, inputs, lengths), expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "NARROW_MAX", -1)
        same = replace(network)
        assert_equal(simulator.run(same, inputs, lengths), expected)
        assert all(prepared_network(same, 1).wide)
    return True


@settings(max_examples=60, deadline=None)
@given(convolution_cases(extreme=False))
def test_active_convolutions(case: tuple[Network, np.ndarray, np.ndarray]) -> None:
    assert both_agree(*case)


@settings(max_examples=100, deadline=None)
@given(convolution_cases(extreme=True))
def test_extreme_convolutions(case: tuple[Network, np.ndarray, np.ndarray]) -> None:
    both_agree(*case)


@settings(max_examples=250, deadline=None)
@given(cases(extreme=False))
def test_active_networks(case: tuple[Network, np.ndarray, np.ndarray]) -> None:
    assert both_agree(*case)


@settings(max_examples=400, deadline=None)
@given(cases(extreme=True))
def test_extreme_networks(case: tuple[Network, np.ndarray, np.ndarray]) -> None:
    both_agree(*case)


@pytest.mark.parametrize("kind", list(NEURONS))
def test_the_compared_networks_are_alive(kind: str) -> None:
    rates = []
    for seed in range(12):
        network = random_network(seed, [kind], [40], 30)
        trace = simulator.run(network, random_inputs(seed, network, 2, 60))
        moves = np.abs(np.diff(trace.layers[0].states["v"], axis=1)).max()
        assert moves > 0
        if trace.layers[0].spikes is not None:
            rates.append(trace.layers[0].spikes.mean())
    assert not rates or sum(0.01 < rate < 0.9 for rate in rates) >= 4


def one_neuron(neuron: CubaLIF | AdaptiveLIF | LeakyIntegrator) -> Network:
    return Network((Layer("one", Synapses([[1]]), neuron),), message_bits=24)


def test_wrap_keeps_the_upper_end() -> None:
    inputs = np.array([1 << 17, -(1 << 17), (1 << 17) + 1]).reshape(3, 1, 1)
    u = simulator.run(one_neuron(CubaLIF(1, 4096, 4096, 262143)), inputs).layers[0].states["u"]
    assert u.ravel().tolist() == [1 << 23, 1 << 23, (1 << 23) + 64 - (1 << 24)]


def test_saturation_of_membrane_and_adaptation() -> None:
    inputs = np.array([(1 << 24) - 1, -(1 << 24) + 1]).reshape(2, 1, 1).repeat(3, axis=1)
    v = simulator.run(one_neuron(LeakyIntegrator(1, 1)), inputs).output
    assert v[:, :, 0].tolist() == [[STATE_MAX] * 3, [-STATE_MAX] * 3]
    neuron = AdaptiveLIF(1, 1, 1, 0, STATE_MAX, 15, bias=STATE_MAX)
    layer = simulator.run(one_neuron(neuron), inputs).layers[0]
    assert layer.states["d"][0, :, 0].tolist() == [0, STATE_MAX, STATE_MAX]


def test_a_current_beyond_32_bits_is_refused() -> None:
    network = one_neuron(CubaLIF(1, 0, 4096, 262143))
    inputs = np.full((3, 40, 1), (1 << 24) - 1)
    inputs[:2] = 0
    for run in (reference.run, simulator.run):
        with pytest.raises(InputError, match="state u leaves 32 bits"):
            run(network, inputs)
    with pytest.raises(InputError, match="sample 2 at step"):
        simulator.run(network, inputs, threads=2)


def test_a_state_that_leaves_the_narrow_range_runs_wide() -> None:
    network = one_neuron(CubaLIF(1, 0, 4096, 262143))
    inputs = np.zeros((3, 10, 1), np.int64)
    inputs[1, :6] = 1 << 22
    plan = prepared_network(network, 1 << 22)
    assert plan.wide == (False,)
    expected = reference.run(network, inputs)
    assert np.abs(expected.layers[0].states["u"]).max() > programs.NARROW_MAX
    for threads in (1, 2):
        assert_equal(simulator.run(network, inputs, threads=threads), expected)
    assert prepared_network(network, 1 << 22).wide == (True,)


def test_networks_of_a_usual_size_run_narrow() -> None:
    network = random_network(1, ["SRNN_ALIF", "CUBA", "ATRLIF", "SRNN_LI"], [512, 300, 90, 20], 700)
    assert prepared_network(network, 1).wide == (False,) * 4
    assert prepared_network(network, 255).wide == (False,) * 4
    assert prepared_network(network, (1 << 24) - 1).wide == (True, False, False, False)


@pytest.mark.parametrize("low", [-256, -255, 0])
@pytest.mark.parametrize("channels", [256, 257, 258, 515, 900])
def test_sums_of_many_extreme_weights(low: int, channels: int) -> None:
    rng = np.random.default_rng(channels)
    high = 254 if low == -256 else low + 255
    weight = rng.choice([low, high], (70, channels))
    weight[0], weight[1], weight[2] = low, high, low + (high - low) // 2 // 2 * 2
    for exponent in (0, 3, -8):
        layer = Layer("one", Synapses(weight, exponent), LeakyIntegrator(70, 4096))
        network = Network((layer,))
        assert prepared_network(network, 1).wide == (False,)
        inputs = np.ones((2, 3, channels), np.uint8)
        inputs[1] = rng.random((3, channels)) < 0.5
        assert_equal(simulator.run(network, inputs), reference.run(network, inputs))


@pytest.mark.parametrize("steps", [255, 256, 257, 600])
def test_chunks_meet(steps: int) -> None:
    for kind in SPIKING:
        network = random_network(7, [kind, kind, "SRNN_LI"], [33, 20, 3], 20, delays=steps == 600)
        inputs = random_inputs(7, network, 2, steps)
        lengths = np.array([steps, min(steps, 256)])
        assert both_agree(network, inputs, lengths)


def test_what_lies_beyond_the_length_is_not_run() -> None:
    network = one_neuron(CubaLIF(1, 0, 4096, 262143))
    inputs = np.full((1, 40, 1), (1 << 24) - 1)
    inputs[0, 0] = 3
    assert both_agree(network, inputs, np.array([1]))


def test_wide_sums_are_exact() -> None:
    weight = np.full((3, 400), 254)
    weight[1] = -256
    weight[2, ::2] = -256
    network = Network(
        (Layer("wide", Synapses(weight, -8), LeakyIntegrator(3, 4096)),), message_bits=24
    )
    inputs = np.full((1, 2, 400), (1 << 24) - 1)
    inputs[0, 1, 7:] = 0
    assert both_agree(network, inputs, np.array([2]))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "uint16", "int64", "float64"])
def test_input_types_and_layouts_give_the_same(dtype: str) -> None:
    network = random_network(3, ["SRNN_ALIF", "SRNN_LI"], [33, 4], 37)
    inputs = random_inputs(3, network, 3, 20)
    expected = simulator.run(network, inputs)
    assert_equal(simulator.run(network, inputs.astype(dtype)), expected)
    frozen = np.asfortranarray(inputs.astype(dtype))
    frozen.flags.writeable = False
    assert_equal(simulator.run(network, frozen), expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SPIKING)
def test_many_neuron_steps(kind: str) -> None:
    compared = 0
    for seed in range(3):
        network = random_network(seed, [kind, kind, "SRNN_LI"], [128, 64, 10], 40)
        inputs = random_inputs(seed, network, 32, 1000, 0.1)
        trace = simulator.run(network, inputs)
        assert_equal(trace, reference.run(network, inputs))
        compared += 32 * 1000 * (128 + 64 + 10)
    assert compared * len(SPIKING) >= 5e7


def test_every_parameter_is_packed_or_initial() -> None:
    for record in NEURONS.values():
        leaves = {
            part.name
            for part in parts(tuple(programs.printed(record).constants))
            if part.op == "parameter"
        }
        initial = {f"{state}_init" for state in record.STATES}
        # The threshold of ATRLIF decays back to where it began.
        assert leaves | initial >= {entry.name for entry in record.PARAMETERS}
        assert leaves & initial == ({"th_init"} if record.TYPE == "ATRLIF" else set())


def test_a_readout_of_spikes_is_the_last_layers_spikes() -> None:
    network = random_network(11, ["CUBA"], [12], 20, readout="spike_count")
    trace = simulator.run(network, random_inputs(11, network, 2, 30), record="output")
    assert network.readout == Readout("spike_count")
    assert trace.output.max() == 1
    assert trace.layers[0].spikes is None
