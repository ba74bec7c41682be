"""Random networks in the reference, the kernels and Lava processes: every state, every step."""

from __future__ import annotations

import numpy as np
import pytest
from conformance_cases import Case, lava_cases
from conformance_record import Record
from hypothesis import HealthCheck, Phase, given, settings
from simulate_networks import SPIKING, random_inputs, random_network
from srnn.deploy.lava import runner
from srnn.export.errors import InputError
from srnn.export.network import Network
from srnn.export.trace import Trace
from srnn.simulate import reference, simulator

pytestmark = [
    pytest.mark.lava,
]

REQUIRED_NEURON_STEPS = 1_000_000
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
ALIVE = 92
"""The first seed that is tried for networks with spikes on their way at the end of each sample."""


def agree(record: Record, case: Case) -> Trace | None:
    """Run a case three ways and compare; None where reference or Lava's builder refuses it."""
    network, inputs, lengths = case
    try:
        expected = reference.run(network, inputs, lengths)
        found = runner.run(network, inputs, lengths)
    except InputError as refused:
        if "32 bits" in str(refused) or "Lava's Conv" in str(refused):
            return None
        raise
    record.compared("Lava = reference", network, inputs, found, expected)
    kernels = simulator.run(network, inputs, lengths)
    record.compared("kernels = reference", network, inputs, kernels, expected)
    return expected


@settings(max_examples=2, deadline=None, suppress_health_check=CHECKS)
@given(case=lava_cases(largest=30, steps=25))
def test_random_networks(record: Record, case: Case) -> None:
    agree(record, case)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=CHECKS,
    phases=(Phase.generate, Phase.shrink),
)
@given(case=lava_cases(largest=40, steps=60))
def test_many_random_networks(record: Record, case: Case) -> None:
    agree(record, case)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_million_neuron_steps(record: Record) -> None:
    compared = spikes = seed = 0
    while compared < REQUIRED_NEURON_STEPS:
        order = [SPIKING[(seed + i) % len(SPIKING)] for i in range(2)]
        sizes = [400, 300, 40]
        network = random_network(seed, [*order, "SRNN_LI"], sizes, 100, extreme=seed % 4 == 1)
        inputs = random_inputs(seed, network, 2, 250, 0.1)
        expected = agree(record, (network, inputs, np.array([250, 250])))
        if expected is not None:
            compared += 2 * 250 * sum(sizes)
            spikes += sum(int(a.spikes.sum()) for a in expected.layers if a.spikes is not None)
        seed += 1
    assert spikes > compared // 100, "silent networks prove little"


def alive(kind: str) -> tuple[Network, np.ndarray]:
    """Draw a recurrent network and samples in which both layers spike at the last step."""
    for seed in range(ALIVE, ALIVE + 100):
        network = random_network(seed, [kind, kind], [14, 9], 8)
        inputs = random_inputs(seed, network, 2, 20, 0.5)
        recurrent = all(layer.recurrent is not None for layer in network.layers)
        spikes = [layer.spikes for layer in reference.run(network, inputs).layers]
        if recurrent and all(s is not None and s[:, -1].any() for s in spikes):
            return network, inputs
    raise AssertionError(f"no network of {kind} spikes at the end")


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=() if kind == "SRNN_ALIF" else pytest.mark.slow) for kind in SPIKING],
)
def test_samples_back_to_back_equal_samples_alone(kind: str, record: Record) -> None:
    network, inputs = alive(kind)
    together = runner.run(network, inputs)
    for layer in together.layers:
        assert layer.spikes is not None
        assert layer.spikes[:, -1].any(), "nothing is on its way at a sample's end"
    alone = runner.run(network, inputs[1:])
    for one, other in zip(together.layers, alone.layers, strict=True):
        assert one.spikes is not None
        assert other.spikes is not None
        np.testing.assert_array_equal(one.spikes[1:], other.spikes)
        for state, values in other.states.items():
            np.testing.assert_array_equal(one.states[state][1:], values)
    np.testing.assert_array_equal(together.output[1:], alone.output)
    record.compared("Lava = reference", network, inputs, together, reference.run(network, inputs))
