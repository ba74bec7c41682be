"""The paper's formulas against worked numbers, and a run's counts against the formulas."""

from __future__ import annotations

import numpy as np
import pytest
from simulate_networks import S_MNIST, random_inputs, random_network
from srnn.export.errors import InputError
from srnn.simulate.activity import no_activity
from srnn.simulate.operations import (
    FormulaLayer,
    Operations,
    counted_operations,
    formula_of,
    formula_operations,
    same_shape,
)
from srnn.simulate.simulator import run_with_activity

"""The published S-MNIST network at its measured rates; 8 analog inputs."""


def test_the_published_network_by_hand() -> None:
    found = formula_operations(S_MNIST)
    assert found.synaptic_acs == pytest.approx(12_248, abs=1)
    assert found.synaptic_macs == 512
    assert found.neuron_macs == 3 * (64 + 256 + 256 + 10)
    assert found.neuron_acs == pytest.approx(80.9, abs=0.05)
    assert found.dense_operations == 8 * 64 + 64**2 + 64 * 256 + 256**2 + 256**2 + 2560


@pytest.mark.parametrize(
    ("kind", "synapses", "products"), [("rnn", 1, 3), ("gru", 3, 13), ("lstm", 4, 17)]
)
def test_dense_layers(kind: str, synapses: int, products: int) -> None:
    found = formula_operations([FormulaLayer(kind, 5, 7, True)])
    assert found.synaptic_macs == synapses * (5 * 7 + 7 * 7)
    assert found.neuron_macs == products * 7
    assert found.synaptic_acs == found.messages == 0


def test_spiking_layers() -> None:
    lif = formula_operations([FormulaLayer("lif", 10, 4, True, input_rate=0.5, rate=0.25)])
    assert lif == Operations(
        synaptic_acs=10 * 4 * 0.5 + 16 * 0.25,
        dense_operations=56,
        neuron_acs=4 * 0.25,
        neuron_macs=4,
        neuron_updates=4,
        messages=10 * 0.5 + 4 * 0.25,
    )
    integrator = formula_operations([FormulaLayer("li", 10, 4, input_rate=0.5)])
    assert (integrator.synaptic_acs, integrator.neuron_macs) == (20.0, 4)
    assert integrator.neuron_acs == 0


def test_bidirectional_layers_are_two_and_feed_both() -> None:
    one = FormulaLayer("alif", 6, 5, True, input_rate=0.1, rate=0.2)
    two = FormulaLayer("alif", 6, 5, True, True, input_rate=0.1, rate=0.2)
    readout = FormulaLayer("li", 10, 3, input_rate=0.2)
    both = formula_operations([two, readout])
    expected = formula_operations([one]) * 2 + formula_operations([readout])
    assert both == expected
    with pytest.raises(InputError, match=r"layer 1: 10 inputs, but the layer below has 5"):
        formula_operations([one, readout])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"kind": "cnn"}, "unknown kind 'cnn'; did you mean 'rnn'"),
        ({"size": 0}, "size: 0 is below 1"),
        ({"rate": 1.5}, "rate: 1.5 is outside"),
        ({"kind": "li", "recurrent": True}, "a layer of kind li cannot be recurrent"),
    ],
)
def test_layers_that_are_none(change: dict, text: str) -> None:
    with pytest.raises(InputError, match=text):
        FormulaLayer(**{"kind": "lif", "inputs": 2, "size": 2, **change})


def test_other_networks_of_the_shape() -> None:
    with pytest.raises(InputError, match=r"unknown kind 'alif' \(known: rnn"):
        same_shape(S_MNIST, "alif")
    kinds = [layer.kind for layer in same_shape(S_MNIST, "gru")]
    assert kinds == ["gru", "gru", "linear", "linear"]


@pytest.mark.parametrize("bits", [0, 6])
def test_counts_equal_the_formulas_where_no_weight_is_zero(bits: int) -> None:
    network = random_network(3, ["SRNN_ALIF", "SRNN_LI"], [12, 4], 7, message_bits=bits)
    inputs = random_inputs(3, network, 4, 30, density=1.0 if bits else 0.3)
    if bits:
        inputs[inputs == 0] = 1
    _, activity = run_with_activity(network, inputs)
    counted, formula = counted_operations(activity), formula_operations(formula_of(activity))
    assert counted.dense_operations == formula.dense_operations
    assert counted.neuron_updates == formula.neuron_updates == 16
    # The formula has every weight and the spikes of last steps; the count has neither.
    nonzero = np.mean([np.mean(one.synapses.weight != 0) for one in network.layers])
    assert counted.synaptic_acs < formula.synaptic_acs
    assert counted.synaptic_acs == pytest.approx(formula.synaptic_acs * nonzero, rel=0.15)
    assert (counted.synaptic_macs > 0) == (formula.synaptic_macs > 0) == (bits > 0)
    adaptive = activity.layers[0].adaptive_neurons
    assert counted.neuron_macs == 12 + 2 * adaptive + 4
    spikes = activity.layers[0].spikes
    assert counted.neuron_acs * 120 == pytest.approx(
        spikes.sum() + spikes[activity.layers[0].adaptive].sum()
    )


def test_nothing_ran() -> None:
    with pytest.raises(InputError, match="no step was run"):
        counted_operations(no_activity(random_network(1, ["CUBA"], [3], 2)))
