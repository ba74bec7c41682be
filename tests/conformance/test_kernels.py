"""The kernels against the reference over a billion neuron-steps, and all cases ever found."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance_record import Record
from simulate_networks import SPIKING, random_inputs, random_network
from srnn.export.errors import InputError
from srnn.export.netx import read_net, read_samples
from srnn.simulate import reference, simulator

REQUIRED_NEURON_STEPS = 1_000_000_000
STEPS = 100
FOUND = Path(__file__).with_name("found")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_billion_neuron_steps(record: Record) -> None:
    """Wide layers, and small recurrent ones over many samples: the reference is NumPy."""
    compared = seed = 0
    while compared < REQUIRED_NEURON_STEPS:
        kind, extreme = SPIKING[seed // 2 % len(SPIKING)], seed % 8 > 5
        if seed % 2:
            kinds, sizes, channels, batch = [kind, "SRNN_LI"], [50_000, 2], 3, 2
        else:
            kinds, sizes, channels, batch = [kind, kind], [40, 24], 20, 1000
        network = random_network(
            seed, kinds, sizes, channels, extreme=extreme, recurrent=seed % 2 == 0
        )
        inputs = random_inputs(seed, network, batch, STEPS, 0.2)
        try:
            expected = reference.run(network, inputs)
        except InputError:
            assert extreme
            with pytest.raises(InputError, match="leaves 32 bits"):
                simulator.run(network, inputs)
        else:
            found = simulator.run(network, inputs)
            record.compared("kernels = reference", network, inputs, found, expected)
            compared += batch * STEPS * sum(sizes)
        seed += 1


def test_what_was_found_stays_mended(record: Record) -> None:
    for path in sorted(FOUND.glob("*.net")):
        network, samples = read_net(path), read_samples(path)
        assert samples is not None
        expected = reference.run(network, samples.inputs, samples.lengths)
        found = simulator.run(network, samples.inputs, samples.lengths)
        record.compared("kernels = reference", network, samples.inputs, found, expected)
