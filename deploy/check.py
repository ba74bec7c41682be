"""Running a network on a target and comparing every spike and state with a second opinion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..export.compiling import clock
from ..export.network import Network
from ..export.trace import Mismatch, Trace, compare
from ..simulate.measurement import Measurement
from .backends import Backend, ReferenceBackend, SimulatorBackend
from .errors import RunError
from .measuring import MeasuredRun, MeasuringBackend
from .plan import LayerDescription

if TYPE_CHECKING:
    from .c.footprint import Footprint


@dataclass(frozen=True)
class LayerCheck:
    """One layer: how it ran, its spikes on both sides (None where it has none), and differences."""

    description: LayerDescription
    spikes: int | None
    spikes_expected: int | None
    differences: tuple[Mismatch, ...]

    @property
    def compared(self) -> int:
        """Number of spikes and states compared."""
        return sum(row.compared for row in self.differences)

    @property
    def mismatches(self) -> int:
        """Number of them that differ."""
        return sum(row.different for row in self.differences)


@dataclass(frozen=True, eq=False)
class Check:
    """A comparison. ``seconds`` and ``seconds_expected``: wall-clock times of the two runs.

    Compiling the simulator's kernels is in neither.
    ``measurement`` is what a target measured, or None; ``footprint``: what it takes on an emulated
    microcontroller.
    """

    target: str
    expected_from: str
    layers: tuple[LayerCheck, ...]
    trace: Trace
    seconds: float
    seconds_expected: float
    measurement: Measurement | None = None
    footprint: Footprint | None = None

    @property
    def compared(self) -> int:
        """Number of spikes and states compared."""
        return sum(layer.compared for layer in self.layers)

    @property
    def mismatches(self) -> int:
        """Number of them that differ."""
        return sum(layer.mismatches for layer in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for ``--json``."""
        return {
            "target": self.target,
            "expected_from": self.expected_from,
            "seconds": self.seconds,
            "seconds_expected": self.seconds_expected,
            "compared": self.compared,
            "mismatches": self.mismatches,
            "measurement": None if self.measurement is None else self.measurement.as_dict(),
            "footprint": None if self.footprint is None else self.footprint.as_dict(),
            "layers": [_layer_dict(layer) for layer in self.layers],
        }


def _layer_dict(layer: LayerCheck) -> dict[str, Any]:
    described = layer.description
    return {
        "layer": described.layer,
        "neuron": described.neuron,
        "process": described.process,
        "stock": described.stock,
        "reason": described.reason,
        "synapses": described.synapses,
        "lag": described.lag,
        "spikes": layer.spikes,
        "spikes_expected": layer.spikes_expected,
        "compared": layer.compared,
        "mismatches": layer.mismatches,
        "quantities": [
            {
                "quantity": row.quantity,
                "compared": row.compared,
                "mismatches": row.different,
                "first": None
                if row.first is None
                else dict(zip(("sample", "step", "neuron"), row.first, strict=True)),
            }
            for row in layer.differences
        ],
    }


def second_opinion(backend: Backend) -> Backend:
    """Return what a target is compared with: the simulator, or the reference for the simulator."""
    if isinstance(backend, SimulatorBackend):
        return ReferenceBackend()
    return SimulatorBackend()


def check(
    network: Network,
    backend: Backend,
    inputs: npt.ArrayLike,
    lengths: npt.NDArray[np.int64] | None = None,
) -> Check:
    """Run samples on a target and compare them with its second opinion, window by window.

    Parameters
    ----------
    network
        The network of integers.
    backend
        The target.
    inputs
        Integers (batch, time, channel).
    lengths
        Integers (batch,), steps of each sample; all steps when None.

    Raises
    ------
    InputError
        Inputs that the network does not take.
    RunError
        The target died, hung or is not available, or its trace does not belong to this network.
    """
    other = second_opinion(backend)
    descriptions = backend.describe(network)
    if len(descriptions) != len(network.layers):
        raise RunError(
            f"{backend.name}: describes {len(descriptions)} layers, the network has "
            f"{len(network.layers)}"
        )
    # The cheaper side runs first and finds inputs that no stage can run before the target starts.
    began = clock()
    expected = other.run(network, inputs, lengths)
    middle = clock()
    if isinstance(backend, MeasuringBackend):
        ran_there = backend.run_measured(network, inputs, lengths)
    else:
        ran_there = MeasuredRun(backend.run(network, inputs, lengths), None)
    trace = ran_there.trace
    ended = clock()
    ran = int(trace.lengths.sum())
    differences = [
        # Steps beyond a sample's length are zero on both sides and do not count.
        replace(row, compared=ran * network.layers[row.layer].size)
        for row in _compared(backend, trace, expected)
    ]
    layers = tuple(
        LayerCheck(
            description,
            _count(trace, index),
            _count(expected, index),
            tuple(row for row in differences if row.layer == index),
        )
        for index, description in enumerate(descriptions)
    )
    return Check(
        backend.name,
        other.name,
        layers,
        trace,
        ended - middle,
        middle - began,
        ran_there.measurement,
        ran_there.footprint,
    )


def _compared(backend: Backend, trace: Trace, expected: Trace) -> list[Mismatch]:
    for what, ours, theirs in (
        ("lengths", expected.lengths, trace.lengths),
        ("output", expected.output, trace.output),
    ):
        if ours.shape != theirs.shape:
            raise RunError(f"{backend.name}: its {what} is {theirs.shape}, needs {ours.shape}")
    if (trace.lengths != expected.lengths).any():
        raise RunError(f"{backend.name}: ran {trace.lengths.tolist()} steps of the samples")
    try:
        rows = compare(trace, expected)
    except ValueError as error:
        raise RunError(
            f"{backend.name}: its trace does not belong to this network: {error}"
        ) from error
    # With nothing to compare, the result would read "equal".
    if not rows:
        raise RunError(f"{backend.name}: returned no spikes and no states")
    return rows


def _count(trace: Trace, layer: int) -> int | None:
    spikes = trace.layers[layer].spikes
    return None if spikes is None else int(spikes.sum(dtype=np.int64))
