"""Clustered time constants: few profiles, the same steady response, and a measured cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from deploy_networks import adaptive, cuba, integrator, spikes, stack, threshold_refractory
from hypothesis import given, settings
from hypothesis import strategies as st
from neuron_draws import random_record
from paths import ROOT
from srnn.deploy.cluster import cluster
from srnn.deploy.connectivity import weight_bits
from srnn.deploy.loads import distinct, profiles
from srnn.deploy.programs import requirements
from srnn.export.errors import InputError
from srnn.export.grid import THRESHOLD_MANTISSA_NEVER
from srnn.export.network import (
    NEURONS,
    CubaLIF,
    Layer,
    Network,
    Neuron,
    Readout,
    Synapses,
    same_network,
)
from srnn.export.netx import read_net
from srnn.simulate.evaluate import evaluate
from srnn.simulate.simulator import run

ZOO = ROOT / "zoo"


def network(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    neurons = [
        adaptive(rng, 30),
        cuba(rng, 25, bias=True, start_value=True),
        threshold_refractory(rng, 20, one_step=False),
        integrator(rng, 12),
    ]
    return stack(rng, 9, neurons)


def count(neuron: Neuron) -> int:
    needs = requirements(type(neuron))
    names = (*needs.decays, *needs.thresholds)
    return distinct(profiles([getattr(neuron, name) for name in names], neuron.size))


@given(st.integers(0, 1000), st.integers(1, 40))
@settings(max_examples=30)
def test_layers_have_no_more_profiles_than_asked(seed: int, most: int) -> None:
    made = network(seed)
    found, merged = cluster(made, most)
    for before, layer, row in zip(made.layers, found.layers, merged, strict=True):
        assert count(layer.neuron) <= most
        assert (row.before, row.after) == (count(before.neuron), count(layer.neuron))
        if row.before <= most:
            assert layer is before
    assert same_network(found, cluster(made, most)[0])
    inputs = spikes(np.random.default_rng(0), 2, 20, 9)
    assert run(found, inputs).output.shape == (2, 20, 12)


def test_neurons_without_a_response_are_refused() -> None:
    without = {name for name, record in NEURONS.items() if record.RESPONSE is None}
    # Their membrane drives other states, so a weight does not scale its response.
    assert without == {"SRNN_ADLIF", "SRNN_BRF"}
    for name in without:
        neuron = random_record(np.random.default_rng(3), NEURONS[name], 5)
        made = Network((Layer("out", Synapses(np.full((5, 2), 4)), neuron),))
        with pytest.raises(InputError, match=f"layer out: {name} does not say how"):
            cluster(made, 2)


def steady(layer: Layer) -> np.ndarray:
    """Weights over threshold, as a constant input meets them after all leaks, (n, n_in)."""
    shape = layer.neuron.RESPONSE
    assert shape is not None
    leak = np.prod([getattr(layer.neuron, name) for name in shape.leaks], axis=0, dtype=float)
    threshold = getattr(layer.neuron, shape.threshold) if shape.threshold else 1.0
    return layer.synapses.weight / (leak * threshold)[:, None]


@given(st.integers(0, 1000), st.integers(2, 12))
@settings(max_examples=30)
def test_the_steady_response_stays_within_the_rounding_of_weights(seed: int, most: int) -> None:
    made = network(seed)
    found, _ = cluster(made, most)
    for before, after in zip(made.layers[:3], found.layers[:3], strict=True):
        # A weight is rounded to even numbers: by 1 at most.
        one = np.abs(steady(after) / np.where(after.synapses.weight == 0, 1, after.synapses.weight))
        unit = np.where(after.synapses.weight == 0, np.inf, one).min(axis=1, keepdims=True)
        known = np.isfinite(unit[:, 0])
        error = np.abs(steady(after) - steady(before))[known]
        assert (error <= 1.0001 * unit[known]).all()


def test_weights_stay_as_coarse_as_they_were() -> None:
    made = network(7)
    coarse = tuple(
        replace(layer, synapses=Synapses(layer.synapses.weight // 32 * 32), recurrent=None)
        for layer in made.layers
    )
    found, _ = cluster(replace(made, layers=coarse), 4)
    assert [weight_bits(layer.synapses) for layer in coarse] == [4] * 4
    assert [weight_bits(layer.synapses) for layer in found.layers] == [4] * 4


def test_a_readout_keeps_its_gain() -> None:
    made = network(1)
    found, _ = cluster(made, 3)
    before, after = made.layers[-1], found.layers[-1]
    gain = [layer.state_scale / layer.neuron.v_decay for layer in (before, after)]  # type: ignore[attr-defined]
    assert gain[0] == pytest.approx(gain[1])
    assert np.array_equal(before.synapses.weight, after.synapses.weight)
    assert np.array_equal(before.neuron.bias, after.neuron.bias)  # type: ignore[attr-defined]


def never(size: int, silent: int) -> Network:
    rng = np.random.default_rng(4)
    thresholds = np.where(np.arange(size) < silent, THRESHOLD_MANTISSA_NEVER, 300)
    neuron = CubaLIF(size, np.array(4096), rng.integers(20, 900, size), thresholds)
    weight = 2 * rng.integers(-90, 90, (size, 5))
    return Network((Layer("out", Synapses(weight), neuron),), Readout("membrane"))


def test_neurons_that_never_spike_stay_so() -> None:
    found, _ = cluster(never(20, 20), 4)
    assert (found.layers[0].neuron.v_threshold == THRESHOLD_MANTISSA_NEVER).all()  # type: ignore[attr-defined]
    assert np.array_equal(found.layers[0].synapses.weight, never(20, 20).layers[0].synapses.weight)
    mixed, _ = cluster(never(20, 6), 3)
    thresholds = mixed.layers[0].neuron.v_threshold  # type: ignore[attr-defined]
    assert (thresholds[:6] == THRESHOLD_MANTISSA_NEVER).all()
    assert (thresholds[6:] < 1000).all()
    with pytest.raises(InputError, match=r"layer out: has neurons that spike.*2 profiles at least"):
        cluster(never(20, 6), 1)


def test_thresholds_of_0_share_a_cluster() -> None:
    rng = np.random.default_rng(4)
    neuron = CubaLIF(20, np.array(4096), rng.integers(20, 900, 20), np.arange(20) * 5)
    weight = 2 * rng.integers(-90, 90, (20, 5))
    made = Network((Layer("out", Synapses(weight), neuron),), Readout("membrane"))
    found, _ = cluster(made, 1)
    assert found.layers[0].neuron.v_threshold.min() >= 1  # type: ignore[attr-defined]
    assert np.isfinite(found.layers[0].state_scale).all()


def test_a_count_below_1_is_refused() -> None:
    with pytest.raises(InputError, match="clusters: 0 is below 1"):
        cluster(network(0), 0)


def test_the_digits_stand_32_profiles_instead_of_256() -> None:
    from srnn.tasks import load

    made = read_net(ZOO / "digits.net")
    test = load("digits", options=made.task["options"]).test
    found, merged = cluster(made, 32)
    assert (merged[0].before, merged[0].after) == (256, 32)
    lost = evaluate(made, test).metrics["accuracy"] - evaluate(found, test).metrics["accuracy"]
    assert lost < 0.03
