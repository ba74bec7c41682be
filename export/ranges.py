"""The activity of a network on its calibration samples: the ranges expected in operation.

``srnn-export`` stores them in a file's provenance, under ``calibration``; docs/FORMAT.md lists the
entries.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .network import Network
from .plain import build
from .trace import Trace

KEY = "calibration"
"""Name of the entry in the provenance."""

RATE_WINDOWS = (1, 10, 100, 1000)
"""Steps over which rates are averaged; windows longer than every sample are skipped."""


@dataclass(frozen=True)
class LayerRange:
    """One layer on the calibration samples.

    ``firing_rate``: spikes per neuron and step, None if the layer does not spike; ``rates``:
    rows (steps, lowest, highest), the extremes of that rate over all windows of so many steps
    within a sample; ``states``: largest magnitude of each state.
    """

    name: str
    firing_rate: float | None
    rates: tuple[tuple[float, ...], ...]
    states: dict[str, int]

    def __post_init__(self) -> None:
        for row in self.rates:
            if len(row) != 3 or not (row[0] >= 1 and 0 <= row[1] <= row[2] <= 1):
                raise InputError(f"rates {list(row)}: not (steps, lowest, highest) within 0..1")
        if any(type(v) is not int or not 0 <= v < 1 << 31 for v in self.states.values()):
            raise InputError(f"states {self.states}: not whole numbers of 31 bits")

    def rate_range(self, steps: int) -> tuple[float, float] | None:
        """Return the lowest and highest expected rate over ``steps`` steps, None without any.

        They are those of the longest window of at most ``steps`` steps; a mean over several such
        windows lies within.
        """
        fitting = [row for row in self.rates if row[0] <= steps]
        return max(fitting)[1:] if fitting else None  # type: ignore[return-value]


@dataclass(frozen=True)
class Calibration:
    """Ranges of all layers over ``samples`` of ``steps`` together; ``origin`` names them."""

    origin: str
    samples: int
    steps: int
    layers: tuple[LayerRange, ...]

    def plain(self) -> dict[str, Any]:
        """Return plain JSON values."""
        content = asdict(self)
        for layer in content["layers"]:
            layer["rates"] = [list(row) for row in layer["rates"]]
        content["layers"] = list(content["layers"])
        return content


def calibration_of(network: Network, trace: Trace, origin: str) -> Calibration:
    """Return the ranges of a run whose states and spikes were recorded."""
    layers = []
    for layer, recorded in zip(network.layers, trace.layers, strict=True):
        states = {
            name: int(np.abs(values.astype(np.int64)).max(initial=0))
            for name, values in recorded.states.items()
        }
        rate, rates = None, ()
        if recorded.spikes is not None:
            spikes = recorded.spikes.sum(axis=2, dtype=np.int64)
            ran = int(trace.lengths.sum())
            rate = float(spikes.sum()) / (ran * layer.size) if ran else 0.0
            rates = _extremes(spikes, trace.lengths, layer.size)
        layers.append(LayerRange(layer.name, rate, rates, states))
    return Calibration(origin, len(trace.lengths), int(trace.lengths.sum()), tuple(layers))


def _extremes(
    spikes: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], size: int
) -> tuple[tuple[float, ...], ...]:
    """Return rows (window, lowest, highest) from counts (batch, time)."""
    total = np.pad(np.cumsum(spikes, axis=1), ((0, 0), (1, 0)))
    rows = []
    for window in RATE_WINDOWS:
        within = [
            total[sample, window : length + 1] - total[sample, : length + 1 - window]
            for sample, length in enumerate(lengths.tolist())
            if length >= window
        ]
        if within:
            counts, most = np.concatenate(within), window * size
            rows.append((float(window), counts.min() / most, counts.max() / most))
    return tuple(tuple(map(float, row)) for row in rows)


def stored_calibration(network: Network) -> Calibration | None:
    """Return the ranges in a network's provenance, None if it has none.

    Raises
    ------
    InputError
        The entry is malformed, or belongs to other layers.
    """
    if KEY not in network.provenance:
        return None
    where = f"provenance, {KEY}"
    found = build(Calibration, network.provenance[KEY], where)
    wanted = [(layer.name, set(layer.neuron.STATES)) for layer in network.layers]
    if [(layer.name, set(layer.states)) for layer in found.layers] != wanted:
        raise InputError(f"{where}: belongs to other layers or states than the network's")
    return found
