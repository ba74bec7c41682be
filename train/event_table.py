"""The event lists of a whole split, built once, from which batches are gathered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..tasks.base import Inputs

if TYPE_CHECKING:
    from .engine.events import Events

PROBE = 256
"""Number of samples, evenly spread, from which the density of a split is measured."""


def density(inputs: Inputs) -> float:
    """Return the share of inputs (sample, time, channel) that are not 0, from ``PROBE`` samples."""
    samples = inputs.shape[0]
    chosen = np.unique(np.linspace(0, samples - 1, min(samples, PROBE)).astype(np.int64))
    probe = inputs[chosen]
    return np.count_nonzero(probe) / max(probe.size, 1)


@dataclass(frozen=True, eq=False)
class EventTable:
    """Events sorted by sample and step.

    Parameters
    ----------
    offsets
        int64 (samples + 1,): sample i owns events ``offsets[i]`` to ``offsets[i + 1]``.
    ends
        int32 (samples, time): cumulative count of the sample's events up to and including each
        step.
    sources
        int32 (events,): the channel of each.
    channels
        Number of channels.
    values
        float32 (events,) in real units; None where all are 1.
    """

    offsets: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int32]
    sources: npt.NDArray[np.int32]
    channels: int
    values: npt.NDArray[np.float32] | None = None

    @classmethod
    def from_arrays(
        cls, blocks: Iterable[npt.NDArray[np.integer[Any]]], input_scale: float = 1.0
    ) -> EventTable:
        """Build the table from arrays (sample, time, channel), one after another.

        A value is ``float32(integer) * float32(input_scale)``, as in a dense input; one
        beyond the range of float32 becomes infinite.
        """
        ends, sources, values = [], [], []
        channels = 0
        for block in blocks:
            samples, steps, channels = block.shape
            flat = np.ascontiguousarray(block).reshape(-1)
            where = np.flatnonzero(flat)
            step, source = np.divmod(where, channels)
            counts = np.bincount(step, minlength=samples * steps).reshape(samples, steps)
            ends.append(np.cumsum(counts, axis=1, dtype=np.int32))
            sources.append(source.astype(np.int32))
            with np.errstate(over="ignore"):
                values.append(flat[where].astype(np.float32) * np.float32(input_scale))
        every_end, every_value = np.concatenate(ends), np.concatenate(values)
        return cls(
            offsets=np.concatenate(([0], np.cumsum(every_end[:, -1], dtype=np.int64))),
            ends=every_end,
            sources=np.concatenate(sources),
            channels=channels,
            values=None if (every_value == 1).all() else every_value,
        )

    def take(self, indices: npt.NDArray[np.int64]) -> Events:
        """Gather samples by index; only their events are touched."""
        from .engine.events import Events

        first, last = self.offsets[indices], self.offsets[indices + 1]
        begin = np.concatenate(([0], np.cumsum(last - first)))
        starts = np.empty((len(indices), self.ends.shape[1] + 1), np.int64)
        starts[:, 0] = begin[:-1]
        np.add(self.ends[indices], begin[:-1, None], out=starts[:, 1:])
        slices = [slice(a, b) for a, b in zip(first, last, strict=True)]
        values = self.values
        return Events(
            starts,
            np.concatenate([self.sources[s] for s in slices]),
            self.channels,
            None if values is None else np.concatenate([values[s] for s in slices]),
        )
