"""Networks printed as C, run on this computer and compared with the specification."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from simulate_cases import cases, convolution_cases
from srnn.deploy.c.backend import HostTarget
from srnn.deploy.c.options import COptions
from srnn.deploy.c.runner import CRun
from srnn.export.errors import InputError
from srnn.export.network import Convolution, Layer, Network, Readout
from srnn.export.readout import predictions
from srnn.export.trace import Trace, compare
from srnn.simulate import reference

SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
"""Flags with which a shift or sum that C leaves open ends the program."""

DRAWN = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

Case = tuple[Network, np.ndarray, np.ndarray]


def with_bits(layer: Layer, bits: int) -> Layer:
    """Return a layer whose weights are multiples of the grid of so many bits."""

    def coarse(weight: np.ndarray) -> np.ndarray:
        step = 1 << (9 - bits)
        return np.maximum(weight // step * step, step - 256)

    synapses = layer.synapses
    if isinstance(synapses, Convolution):
        synapses = replace(synapses, kernel=coarse(synapses.kernel))
    else:
        synapses = replace(synapses, weight=coarse(synapses.weight))
    loop = layer.recurrent
    if loop is not None:
        loop = replace(loop, weight=coarse(loop.weight))
    return replace(layer, synapses=synapses, recurrent=loop)


@st.composite
def c_cases(draw: st.DrawFn, extreme: bool) -> Case:
    """Any network of the simulator's tests, with weights of 3 to 8 bits and any readout."""
    drawn = draw(cases(extreme) if draw(st.integers(0, 3)) else convolution_cases(extreme))
    network, inputs, lengths = drawn
    bits = draw(st.sampled_from([3, 4, 5, 8, 8]))
    if bits < 8:
        network = replace(network, layers=tuple(with_bits(x, bits) for x in network.layers))
    spiking = network.layers[-1].neuron.SPIKING
    kinds = ["membrane", "last_membrane", "mean_softmax", *(["spike_count"] if spiking else [])]
    n = network.output_size
    populations = draw(st.sampled_from([0, *(k for k in (1, 2, 3, 5) if n % k == 0)]))
    kind = draw(st.sampled_from(kinds))
    # Means of membranes are rounded in the simulator: their ties are not ours.
    if kind != "spike_count":
        populations = 0
    readout = Readout(kind, draw(st.sampled_from([0, 0, 3])), populations=populations)
    return replace(network, readout=readout), inputs, lengths


def expected_trace(case: Case) -> Trace | None:
    """Return what the specification gives; None where it refuses a state beyond 32 bits."""
    try:
        return reference.run(*case)
    except InputError:
        return None


def ran_as_c(case: Case, folder: Path | None = None, flags: tuple[str, ...] = SANITIZED) -> CRun:
    target = HostTarget(COptions("case", folder), flags=flags)
    return target.run(*case)


def assert_same(ran: CRun, expected: Trace, network: Network) -> None:
    """Every spike and state, and the label at every step of a sample."""
    rows = compare(ran.trace, expected)
    assert len(rows) > 0
    assert [row for row in rows if row.different] == []
    skip = network.readout.skip_steps
    for sample, length in enumerate(expected.lengths.tolist()):
        for steps in {1, length // 2, length} - {0}:
            if steps > length:
                continue
            label = ran.labels[sample, steps - 1]
            summed = network.readout.kind in {"mean_softmax", "spike_count"}
            if summed and steps <= skip:
                assert label == -1
                continue
            part = expected.output[sample : sample + 1, :steps]
            answers = predictions(network, part, np.array([steps]))
            assert label == answers.reshape(-1)[-1], (sample, steps)
