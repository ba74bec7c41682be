"""Lava's runtime gives the reference's spikes and states, bit for bit, for every neuron model."""

from __future__ import annotations

import numpy as np
import pytest
from deploy_networks import (
    adaptive,
    cuba,
    integrator,
    spikes,
    stack,
    synapses,
    threshold_refractory,
)
from srnn.deploy.lava import runner
from srnn.deploy.lava.choice import describe
from srnn.export.errors import InputError
from srnn.export.network import (
    AdaptiveLIF,
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Readout,
    Synapses,
)
from srnn.export.trace import Trace, compare
from srnn.simulate import reference

pytestmark = [
    pytest.mark.lava,
]

STATE_MAX = (1 << 23) - 1


def run_both(
    network: Network, inputs: np.ndarray, lengths: list[int] | None = None
) -> tuple[Trace, Trace]:
    counted = None if lengths is None else np.array(lengths)
    expected = reference.run(network, inputs, counted)
    return runner.run(network, inputs, counted), expected


def assert_equal(lava: Trace, expected: Trace, least_spikes: int = 1) -> None:
    rows = compare(lava, expected)
    states = [set(layer.states) for layer in expected.layers]
    assert states == [set(layer.states) for layer in lava.layers]
    assert [a.spikes is None for a in lava.layers] == [b.spikes is None for b in expected.layers]
    assert [row for row in rows if row.different] == []
    np.testing.assert_array_equal(lava.output, expected.output)
    np.testing.assert_array_equal(lava.lengths, expected.lengths)
    for layer in expected.layers:
        if layer.spikes is not None:
            assert layer.spikes.sum() >= least_spikes, "a silent layer proves little"


def processes(network: Network) -> list[str]:
    return [layer.process for layer in describe(network)]


def test_own_processes_recurrent_and_stacked_over_several_samples() -> None:
    rng = np.random.default_rng(1)
    neurons = [
        adaptive(rng, 12),
        cuba(rng, 9, bias=True, start_value=True),
        threshold_refractory(rng, 10, bias=True, one_step=False),
        integrator(rng, 4),
    ]
    network = stack(rng, 6, neurons)
    assert processes(network) == [
        "AdaptiveLIF",
        "CubaLIF",
        "ThresholdRefractoryLIF",
        "LeakyIntegrator",
    ]
    # Lengths differ, one is empty: no sample may leak into the next, nor the padding into any.
    assert_equal(*run_both(network, spikes(rng, 4, 60, 6), [60, 25, 0, 60]), least_spikes=20)


def test_stock_processes_recurrent_and_stacked() -> None:
    rng = np.random.default_rng(2)
    neurons = [
        cuba(rng, 12),
        cuba(rng, 10, bias=True, low=400),
        threshold_refractory(rng, 8),
        cuba(rng, 5, bias=True, low=700),
    ]
    network = stack(rng, 6, neurons)
    assert processes(network) == ["LIF", "LIFReset", "ATRLIF", "LIFReset"]
    assert all(layer.stock for layer in describe(network))
    assert_equal(*run_both(network, spikes(rng, 2, 80, 6)), least_spikes=10)


@pytest.mark.parametrize("seed", [3, 4])
def test_delays_per_synapse_forward_and_recurrent(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = stack(rng, 5, [adaptive(rng, 8), cuba(rng, 8), integrator(rng, 3)], delays=7)
    assert "DelayDense" in describe(network)[0].synapses
    assert_equal(*run_both(network, spikes(rng, 1, 60, 5)))


def test_longest_delay_and_delays_per_neuron() -> None:
    rng = np.random.default_rng(5)
    first = Synapses(synapses(rng, 6, 4).weight, 3, np.array([0, 62, 1, 30, 5, 61]))
    network = Network((Layer("a", first, adaptive(rng, 6)),))
    assert_equal(*run_both(network, spikes(rng, 1, 90, 4)))


@pytest.mark.parametrize(("bits", "exp"), [(8, 0), (16, -5)])
def test_graded_inputs_and_right_shifts(bits: int, exp: int) -> None:
    rng = np.random.default_rng(bits)
    layer = Layer("a", synapses(rng, 8, 5, exp=exp), adaptive(rng, 8), synapses(rng, 8, 8, exp=-1))
    stock = Layer("b", synapses(rng, 6, 8, exp=2, reach=127), cuba(rng, 6, low=20))
    network = Network((layer, stock), message_bits=bits)
    limit = (1 << bits) - 1
    inputs = rng.integers(-limit, limit + 1, (2, 50, 5))
    assert_equal(*run_both(network, inputs))


def test_graded_inputs_into_stock_lif() -> None:
    rng = np.random.default_rng(6)
    network = stack(rng, 5, [cuba(rng, 8, low=800), cuba(rng, 4)], exp=0, message_bits=6)
    assert processes(network) == ["LIF", "LIF"]
    assert_equal(*run_both(network, rng.integers(-63, 64, (1, 60, 5))))


def test_excitatory_inhibitory_and_empty_matrices() -> None:
    rng = np.random.default_rng(7)
    odd = Synapses(rng.integers(0, 256, (6, 5)), 2)
    inhibitory = Synapses(-rng.integers(0, 256, (6, 6)))
    silent = Synapses(np.zeros((3, 6), dtype=np.int64))
    network = Network(
        (
            Layer("a", odd, cuba(rng, 6), inhibitory),
            Layer("b", silent, LeakyIntegrator(3, 400, bias=77)),
        )
    )
    assert_equal(*run_both(network, spikes(rng, 1, 50, 5)))


def test_v_and_d_saturate_and_u_wraps() -> None:
    rng = np.random.default_rng(8)
    n = 8
    wide = Synapses(254 * rng.choice([-1, 1], (n, 16)) & ~1, 7)
    neuron = AdaptiveLIF(n, 1, 1, 5000, STATE_MAX, 15, bias=rng.choice([-1, 1], n) * STATE_MAX)
    current = CubaLIF(n, rng.integers(0, 3, n), 1, (1 << 18) - 1)
    network = Network(
        (
            Layer("a", wide, neuron),
            Layer("b", Synapses(254 * rng.choice([-1, 1], (n, n)), 7), current),
        )
    )
    lava, expected = run_both(network, spikes(rng, 1, 200, 16, rate=0.8))
    assert_equal(lava, expected, least_spikes=0)
    assert np.abs(expected.layers[0].states["v"]).max() == STATE_MAX
    assert expected.layers[0].states["d"].max() == STATE_MAX
    jumps = np.abs(np.diff(expected.layers[1].states["u"].astype(np.int64), axis=1))
    assert jumps.max() > 1 << 23, "u never wrapped"


def test_a_bias_that_spikes_early_waits_for_the_layers_first_input() -> None:
    # Deep in the stack the lag is long; stock LIFReset would spike in it, our process sleeps.
    rng = np.random.default_rng(9)
    neurons = [cuba(rng, 6), cuba(rng, 6), CubaLIF(6, 4096, 1, 30, bias=1000)]
    network = stack(rng, 4, neurons, recurrent=False)
    assert processes(network) == ["LIF", "LIF", "CubaLIF"]
    assert_equal(*run_both(network, spikes(rng, 1, 30, 4)))


def test_spike_count_readout_gives_the_spikes_as_output() -> None:
    rng = np.random.default_rng(10)
    network = stack(rng, 4, [adaptive(rng, 6)])
    network = Network(network.layers, Readout("spike_count"))
    lava, expected = run_both(network, spikes(rng, 1, 30, 4))
    assert_equal(lava, expected)
    np.testing.assert_array_equal(lava.output, lava.layers[0].spikes)


def test_nothing_to_run_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "run_worker", None)
    rng = np.random.default_rng(11)
    network = stack(rng, 4, [adaptive(rng, 6)])
    trace = runner.run(network, np.zeros((0, 5, 4), dtype=int))
    assert trace.output.shape == (0, 5, 6)


def test_sums_beyond_32_bits_are_refused_before_lava_starts() -> None:
    layer = Layer("wide", Synapses(np.full((1, 4), 255), 7), LeakyIntegrator(1, 10))
    network = Network((layer,), message_bits=24)
    with pytest.raises(InputError, match=r"layer wide: its synapses may deliver .* 32 bits"):
        runner.run(network, np.full((1, 2, 4), (1 << 24) - 1))
