"""The record of a run of an integer network: spikes, states and outputs, on any backend.

The simulator, the reference, Lava and a board all return a ``Trace``, so any two of them can
be compared element by element. Arrays are (batch, time, neuron).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """One layer's run.

    ``spikes`` uint8 (batch, time, n), 0 or 1; None if the layer does not spike or spikes were
    not recorded. ``states`` by name, int32 (batch, time, n), the value at the end of each step.
    """

    spikes: npt.NDArray[np.uint8] | None
    states: dict[str, npt.NDArray[np.int32]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Trace:
    """A run over a batch.

    ``output`` int32 (batch, time, n_out): the last layer's membrane, or its spikes if the
    readout counts spikes. ``lengths`` int64 (batch,): steps of each sample that ran; beyond them
    everything is zero.
    """

    layers: tuple[LayerTrace, ...]
    output: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Mismatch:
    """Where two traces differ: one layer, one quantity."""

    layer: int
    quantity: str
    compared: int
    different: int
    first: tuple[int, int, int] | None
    """(sample, step, neuron) of the earliest difference."""


def compare(one: Trace, other: Trace) -> list[Mismatch]:
    """Compare every quantity that both traces contain, layer by layer.

    Raises
    ------
    ValueError
        The traces have different layers or shapes.
    """
    if len(one.layers) != len(other.layers):
        raise ValueError(f"traces of {len(one.layers)} and {len(other.layers)} layers")
    rows = []
    for index, (a, b) in enumerate(zip(one.layers, other.layers, strict=True)):
        if a.spikes is not None and b.spikes is not None:
            rows.append(_difference(index, "spikes", a.spikes, b.spikes))
        rows.extend(
            _difference(index, name, a.states[name], b.states[name])
            for name in a.states
            if name in b.states
        )
    return rows


def _difference(
    layer: int, quantity: str, a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]
) -> Mismatch:
    if a.shape != b.shape:
        raise ValueError(f"layer {layer}, {quantity}: shapes {a.shape} and {b.shape}")
    differs = np.argwhere(a != b)
    first = None
    if len(differs):
        sample, step, neuron = differs[np.argmin(differs[:, 1])].tolist()
        first = (sample, step, neuron)
    return Mismatch(layer, quantity, a.size, len(differs), first)
