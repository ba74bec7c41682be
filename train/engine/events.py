"""Inputs as event lists: which channel is active at which step, without a dense array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...export.errors import InputError


@dataclass(frozen=True)
class Events:
    """The events of a batch, sorted by sample and step.

    Parameters
    ----------
    starts
        int64 (batch, time + 1): step t of sample b owns events ``starts[b, t]`` to
        ``starts[b, t + 1]``.
    sources
        int32 (events,): the channel of each event. Two events of a step at one channel add up.
    channels
        Number of channels.
    values
        float32 (events,), the size of each event; None when all are 1.

    Raises
    ------
    InputError
        Lists that do not fit together, a channel out of range.
    """

    starts: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int32]
    channels: int
    values: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name, kind in (("starts", np.int64), ("sources", np.int32), ("values", np.float32)):
            array = getattr(self, name)
            if array is not None:
                fitting = np.require(array, dtype=kind, requirements=("C", "W"))
                object.__setattr__(self, name, fitting)
        starts, sources = self.starts, self.sources
        if starts.ndim != 2 or starts.shape[1] < 2 or sources.ndim != 1:
            raise InputError(
                f"events: starts {starts.shape} and sources {sources.shape}; they are "
                "(batch, time + 1) and (events,)"
            )
        if starts.size and (
            starts.min() < 0 or starts.max() > len(sources) or (np.diff(starts, axis=1) < 0).any()
        ):
            raise InputError(
                f"events: starts must rise along time from 0 to at most {len(sources)}, the number "
                "of events"
            )
        if len(sources) and not 0 <= sources.min() <= sources.max() < self.channels:
            raise InputError(
                f"events: channels {sources.min()} to {sources.max()}; there are {self.channels}, "
                f"0 to {self.channels - 1}"
            )
        if self.values is not None and self.values.shape != sources.shape:
            raise InputError(f"events: {self.values.shape} values for {sources.shape} events")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(batch, time, channel), as of a dense input."""
        return self.batch, self.steps, self.channels

    @property
    def ndim(self) -> int:
        """3, as of a dense input."""
        return 3

    @property
    def batch(self) -> int:
        """Number of samples."""
        return self.starts.shape[0]

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return self.starts.shape[1] - 1

    @classmethod
    def from_lists(
        cls,
        times: Sequence[npt.NDArray[np.integer]],
        sources: Sequence[npt.NDArray[np.integer]],
        steps: int,
        channels: int,
    ) -> Events:
        """Make events from one list of steps and one of channels per sample, in any order.

        Raises
        ------
        InputError
            Lists of unlike lengths, a step or channel out of range.
        """
        if len(times) != len(sources):
            raise InputError(f"events: {len(times)} lists of times, {len(sources)} of channels")
        starts = np.zeros((len(times), steps + 1), np.int64)
        sorted_sources, total = [], 0
        for sample, (when, where) in enumerate(zip(times, sources, strict=True)):
            when, where = np.asarray(when), np.asarray(where)  # noqa: PLW2901
            if when.shape != where.shape or when.ndim != 1:
                raise InputError(
                    f"events: sample {sample} has times {when.shape} and channels {where.shape}"
                )
            if len(when) and not 0 <= when.min() <= when.max() < steps:
                raise InputError(
                    f"events: sample {sample} has steps {when.min()} to {when.max()}; there are "
                    f"{steps}, 0 to {steps - 1}"
                )
            order = np.lexsort((where, when))
            counts = np.bincount(when, minlength=steps) if len(when) else np.zeros(steps, int)
            starts[sample, 0] = total
            starts[sample, 1:] = total + np.cumsum(counts)
            total += len(when)
            sorted_sources.append(where[order])
        every = np.concatenate(sorted_sources) if sorted_sources else np.zeros(0, np.int32)
        if len(every) and not 0 <= every.min() <= every.max() < channels:
            raise InputError(
                f"events: channels {every.min()} to {every.max()}; there are {channels}, "
                f"0 to {channels - 1}"
            )
        return cls(starts, every.astype(np.int32), channels)

    @classmethod
    def from_dense(cls, inputs: npt.NDArray[np.generic]) -> Events:
        """Make events from an array (batch, time, channel); values are kept unless all are 1."""
        batch, steps, channels = inputs.shape
        samples, when, where = np.nonzero(inputs)
        per_step = np.bincount(samples * steps + when, minlength=batch * steps)
        ends = np.cumsum(per_step).reshape(batch, steps)
        starts = np.zeros((batch, steps + 1), np.int64)
        starts[:, 1:] = ends
        starts[1:, 0] = ends[:-1, -1]
        values = inputs[samples, when, where].astype(np.float32)
        return cls(
            starts, where.astype(np.int32), channels, None if (values == 1).all() else values
        )

    def to_dense(self) -> npt.NDArray[np.float32]:
        """Return float32 (batch, time, channel)."""
        dense = np.zeros((self.batch, self.steps, self.channels), np.float32)
        for sample in range(self.batch):
            first, last = self.starts[sample, 0], self.starts[sample, -1]
            when = np.repeat(np.arange(self.steps), np.diff(self.starts[sample]))
            values = 1.0 if self.values is None else self.values[first:last]
            np.add.at(dense[sample], (when, self.sources[first:last]), values)
        return dense
