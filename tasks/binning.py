"""From spike times and units to steps and channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.suggest import check_known
from .errors import DataError
from .event_lists import EventLists, source_dtype, starts_from_counts

BINNINGS = ("even", "published")

Times = npt.NDArray[np.floating[Any]]
Units = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Binning:
    """How spikes (time in seconds, unit 0..channels - 1) become binary inputs.

    ``even``::

        step = floor(time / dt)        channel = unit

    Spikes at or after ``steps * dt`` are dropped. ``published``, the rule of the SHD recipe
    (Yin, Corradi and Bohte, ``SHD/generate_dataset.py``)::

        step = smallest i with time <= i dt        channel = channels - unit, for unit > 0

    so that step 0 holds only spikes at time 0, every other spike comes one step later, spikes after
    ``(steps - 1) dt`` are lost, unit 0 is lost, and channel 0 stays empty. The published code
    compares in the type of the file, float16, to which ``i dt`` is rounded; so does this one. With
    either rule, several spikes of a unit in one step count as one.

    Parameters
    ----------
    kind
        One of ``BINNINGS``.
    dt
        Seconds per step.
    steps
        Number of steps; the published recipe uses ``int(1 / dt)``.
    channels
        Number of units.

    Raises
    ------
    DataError
        An unknown kind, or a number out of range.
    """

    kind: str = "even"
    dt: float = 0.004
    steps: int = 250
    channels: int = 700

    def __post_init__(self) -> None:
        check_known("binning", self.kind, BINNINGS, error=DataError)
        if not (self.dt > 0 and np.isfinite(self.dt)):
            raise DataError(f"dt: {self.dt} seconds is not above 0")
        if self.steps < 1 or self.channels < 1:
            raise DataError(f"steps: {self.steps} or channels: {self.channels} is below 1")

    def codes(self, times: Times, units: Units) -> npt.NDArray[np.int64]:
        """Return ``step * channels + channel`` of one sequence's events, ascending and unique.

        Raises
        ------
        DataError
            Another number of units than times, a time that is negative or not finite, a unit out
            of range.
        """
        self._check(times, units)
        channel = units.astype(np.int64)
        if self.kind == "even":
            step = np.floor(times.astype(np.float64) / self.dt)
        else:
            edges = (np.arange(self.steps) * self.dt).astype(times.dtype)
            step = np.searchsorted(edges, times, side="left")
            step = np.where(channel > 0, step, self.steps)
            channel = self.channels - channel
        kept = step < self.steps
        return np.unique(step[kept].astype(np.int64) * self.channels + channel[kept])

    def _check(self, times: Times, units: Units) -> None:
        if times.shape != units.shape or times.ndim != 1:
            raise DataError(f"times {times.shape} and units {units.shape} do not fit together")
        if times.dtype.kind != "f" or units.dtype.kind not in "iu":
            raise DataError(f"times {times.dtype} and units {units.dtype}, needs floats, integers")
        if not len(times):
            return
        bad = np.flatnonzero(~(np.isfinite(times) & (times >= 0)))
        if len(bad):
            raise DataError(f"time {times[bad[0]]} of spike {bad[0]} is not a number from 0 up")
        if int(units.min()) < 0 or int(units.max()) >= self.channels:
            bad = np.flatnonzero((units < 0) | (units >= self.channels))
            raise DataError(
                f"unit {units[bad[0]]} of spike {bad[0]} is outside 0..{self.channels - 1}"
            )

    def collect(self, codes: list[npt.NDArray[np.int64]]) -> EventLists:
        """Return the event lists (N, steps, channels) of ``codes`` of N sequences."""
        counts = np.zeros((len(codes), self.steps), dtype=np.int64)
        sources = [np.zeros(0, dtype=source_dtype(self.channels))]
        for row, one in zip(counts, codes, strict=True):
            step, channel = np.divmod(one, self.channels)
            row[:] = np.bincount(step, minlength=self.steps)
            sources.append(channel.astype(sources[0].dtype))
        return EventLists(starts_from_counts(counts), np.concatenate(sources), self.channels)
