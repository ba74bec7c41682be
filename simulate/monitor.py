"""Whether a network in operation still behaves as it did during calibration.

Firing rates and state peaks of every window of steps are compared with the ranges of the
calibration samples (``export/ranges.py``); a quantity outside them is drift, reported with its
layer and the step at which it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..export.errors import InputError
from ..export.grid import STATE_MAX
from ..export.ranges import Calibration
from ..neurons.ranges import limited_states
from .streaming import StreamingSimulator

MARGIN = 0.25
"""Tolerance beyond the calibration's range, as a share of its ends, before it counts as drift."""


@dataclass(frozen=True)
class Drift:
    """A quantity out of range.

    ``quantity``: ``firing_rate``, or a state's largest magnitude by its name; ``low`` and ``high``
    with the margin; ``since``: the first step of the first window of this stretch.
    """

    layer: str
    quantity: str
    value: float
    low: float
    high: float
    since: int

    def line(self) -> str:
        """Return one line for people."""
        return (
            f"layer {self.layer}: {self.quantity} {self.value:.4g} is outside {self.low:.4g}.."
            f"{self.high:.4g} of calibration since step {self.since}"
        )


class Monitor:
    """Compares windows of a stream with calibration.

    Parameters
    ----------
    stream
        The simulator that is watched; call ``advance`` after each of its steps.
    calibration
        The ranges; None: rates and headroom are reported, drift is not.
    window
        Steps of a window.
    margin
        See ``MARGIN``.

    Raises
    ------
    InputError
        A window below 1, or a margin below 0.
    """

    def __init__(
        self,
        stream: StreamingSimulator,
        calibration: Calibration | None,
        window: int = 1000,
        margin: float = MARGIN,
    ) -> None:
        if window < 1 or not margin >= 0:
            raise InputError(f"monitor: window {window} is below 1, or margin {margin} is below 0")
        self._stream, self._window, self._margin = stream, window, margin
        self._ranges = calibration.layers if calibration else (None,) * len(stream.network.layers)
        self._origin = calibration.origin if calibration else None
        self._since: dict[tuple[str, str], int] = {}
        self._number = 0
        self.drifts: tuple[Drift, ...] = ()
        """What is out of range in the last window."""
        self.began: tuple[Drift, ...] = ()
        """Those of them that were in range in the window before."""
        self._begin()

    def _begin(self) -> None:
        self._first = self._stream.steps
        self._counts = self._stream.spike_counts
        self._stream.watch_peaks()

    def advance(self) -> dict[str, Any] | None:
        """Return the window's report where the last step ended it, as plain JSON values."""
        full = self._stream.steps - self._first >= self._window
        return self._report() if full else None

    def end(self) -> dict[str, Any] | None:
        """Return the report of the window that has begun, None where it has no step."""
        return self._report() if self._stream.steps > self._first else None

    def _report(self) -> dict[str, Any]:
        steps = self._stream.steps - self._first
        counts = self._stream.spike_counts - self._counts
        peaks = self._stream.watch_peaks()
        layers, drifts = [], []
        for index, layer in enumerate(self._stream.network.layers):
            known = self._ranges[index]
            entry: dict[str, Any] = {"name": layer.name, "firing_rate": None, "expected": None}
            if layer.neuron.SPIKING:
                rate = float(counts[index]) / (steps * layer.size)
                expected = known.rate_range(steps) if known else None
                entry["firing_rate"] = rate
                entry["expected"] = list(expected) if expected else None
                if expected:
                    drifts += self._drift(layer.name, "firing_rate", rate, *expected)
            entry["states"] = {}
            for name, peak in zip(layer.neuron.STATES, peaks[index].tolist(), strict=False):
                limited = name in limited_states(type(layer.neuron))
                limit = STATE_MAX if limited else (1 << 31) - 1
                calibrated = known.states[name] if known else None
                entry["states"][name] = {
                    "largest": peak,
                    "headroom": 1 - peak / limit,
                    "calibrated": calibrated,
                }
                if calibrated is not None:
                    drifts += self._drift(layer.name, name, peak, 0, calibrated)
            layers.append(entry)
        began = {(d.layer, d.quantity) for d in drifts} - self._since.keys()
        self._since = {(d.layer, d.quantity): d.since for d in drifts}
        self.drifts = tuple(drifts)
        self.began = tuple(d for d in drifts if (d.layer, d.quantity) in began)
        report = {
            "monitor": self._number,
            "first_step": self._first,
            "last_step": self._stream.steps - 1,
            "calibration": self._origin,
            "layers": layers,
            "drift": [vars(drift) for drift in drifts],
        }
        self._number += 1
        self._first, self._counts = self._stream.steps, self._stream.spike_counts
        return report

    def _drift(
        self, layer: str, quantity: str, value: float, low: float, high: float
    ) -> list[Drift]:
        low, high = low * (1 - self._margin), high * (1 + self._margin)
        if low <= value <= high:
            return []
        since = self._since.get((layer, quantity), self._first)
        return [Drift(layer, quantity, value, low, high, since)]
