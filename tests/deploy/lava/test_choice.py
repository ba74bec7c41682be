"""Which process a layer gets, and the bounds on which that rests."""

from __future__ import annotations

import numpy as np
import pytest
from deploy_networks import adaptive, cuba, integrator, stack, threshold_refractory
from hypothesis import given, settings
from hypothesis import strategies as st
from srnn.deploy.lava.choice import check_sums, describe
from srnn.export.errors import InputError
from srnn.export.network import (
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Neuron,
    Synapses,
    ThresholdRefractoryLIF,
)
from srnn.export.synapses import largest_sum
from srnn.neurons.cuba_lif import spikes_before
from srnn.neurons.lava import bias_parts
from srnn.simulate import reference

STATE_MAX = (1 << 23) - 1


def choice_of(neuron: Neuron, weight: int = 2, exp: int = 0, bits: int = 0) -> tuple[str, str]:
    layer = Layer("a", Synapses(np.full((neuron.size, 3), weight), exp), neuron)
    (row,) = describe(Network((layer,), message_bits=bits))
    assert row.stock == (row.process in {"LIF", "LIFReset", "ATRLIF"})
    return row.process, row.reason


def atrlif(**changes: object) -> ThresholdRefractoryLIF:
    values: dict = {
        "i_decay": 10,
        "v_decay": 10,
        "th_decay": 10,
        "r_decay": 10,
        "th_init": 640,
        "th_step": 64,
    }
    return ThresholdRefractoryLIF(2, **{**values, **changes})


@pytest.mark.parametrize(
    ("neuron", "process", "reason"),
    [
        (CubaLIF(2, 10, 10, 5), "LIF", "no bias, no initial state"),
        (CubaLIF(2, 10, 10, 5, bias=[0, 64]), "LIFReset", "reset once"),
        (CubaLIF(2, 10, 10, 5, bias=[0, 321]), "CubaLIF", "neuron 1 spike before"),
        (CubaLIF(2, 10, 10, 5, bias=-8191), "CubaLIF", "13 bits of mantissa"),
        (CubaLIF(2, 10, 10, 5, u_init=1), "CubaLIF", "initial states"),
        (CubaLIF(2, 10, 10, 5, v_init=[0, -1]), "CubaLIF", "initial states"),
        (atrlif(), "ATRLIF", "no bias"),
        (atrlif(bias=1), "ThresholdRefractoryLIF", "bias would act"),
        (atrlif(th_step=[64, 65]), "ThresholdRefractoryLIF", "one threshold step"),
        (atrlif(th_init=[5, 0]), "ThresholdRefractoryLIF", "neuron 1"),
        (LeakyIntegrator(2, 10), "LeakyIntegrator", "without a threshold"),
    ],
)
def test_each_choice_and_its_reason(neuron: Neuron, process: str, reason: str) -> None:
    found, why = choice_of(neuron)
    assert found == process
    assert reason in why


def test_sums_that_overflow_lavas_int32_go_to_our_process() -> None:
    process, reason = choice_of(CubaLIF(2, 10, 10, 5), weight=255, exp=7, bits=12)
    assert (process, reason.split()[0]) == ("CubaLIF", "sums")
    assert choice_of(CubaLIF(2, 10, 10, 5), weight=255, exp=7, bits=8)[0] == "LIF"
    assert choice_of(atrlif(), weight=255, exp=7, bits=12)[0] == "ThresholdRefractoryLIF"


def test_rows_name_synapses_and_lags() -> None:
    rng = np.random.default_rng(0)
    network = stack(rng, 5, [adaptive(rng, 8), integrator(rng, 3)], delays=4, message_bits=8)
    first, second = describe(network)
    assert first.synapses == "graded DelayDense 5x8, recurrent DelayDense 8x8"
    assert second.synapses == "DelayDense 8x3"
    assert (first.lag, second.lag) == (1, 2)
    assert (first.layer, first.neuron, second.neuron) == ("l0", "SRNN_ALIF", "SRNN_LI")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(-STATE_MAX, STATE_MAX), min_size=1, max_size=5))
def test_bias_parts_are_exact_or_absent(values: list[int]) -> None:
    bias = np.array(values)
    parts = bias_parts(bias)
    fits = [any(v % (1 << e) == 0 and -4096 <= v >> e <= 4095 for e in range(8)) for v in values]
    assert (parts is not None) == all(fits)
    if parts is not None:
        mantissa, exponent = parts
        np.testing.assert_array_equal(mantissa << exponent, bias)
        assert exponent.min() >= 0
        assert exponent.max() <= 7
        assert mantissa.min() >= -4096
        assert mantissa.max() <= 4095


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_spikes_before_agrees_with_the_reference(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    neuron = cuba(rng, 8, bias=True, low=1)
    silent = Network((Layer("a", Synapses(np.zeros((8, 1), dtype=int)), neuron),))
    trace = reference.run(silent, np.zeros((1, steps, 1), dtype=int))
    spikes = trace.layers[0].spikes
    assert spikes is not None
    # The first spike of a neuron decides; its reset comes after.
    assert spikes_before(neuron, steps) == np.flatnonzero(spikes[0].any(axis=0)).tolist()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(-8, 7), st.integers(0, 255))
def test_no_sum_exceeds_the_bound(seed: int, exp: int, message: int) -> None:
    rng = np.random.default_rng(seed)
    synapses = Synapses(2 * rng.integers(-128, 128, (4, 5)), exp)
    largest = 0
    for _ in range(20):
        messages = rng.integers(-message, message + 1, (1, 1, 5))
        delivered = reference.delivered(synapses, messages, 0)
        largest = max(largest, int(np.abs(delivered).max()))
    assert largest <= largest_sum(synapses, message) + (1 if exp < 0 else 0)


def test_check_sums_names_the_layer() -> None:
    rng = np.random.default_rng(3)
    network = stack(rng, 4, [threshold_refractory(rng, 5), integrator(rng, 2)], message_bits=24)
    check_sums(network, np.full((1, 2, 4), 100, dtype=np.int32))
    wide = Network(
        (Layer("big", Synapses(np.full((1, 8), 255), 7), LeakyIntegrator(1, 1)),), message_bits=24
    )
    with pytest.raises(InputError, match="layer big"):
        check_sums(wide, np.full((1, 1, 8), 1 << 20, dtype=np.int32))
