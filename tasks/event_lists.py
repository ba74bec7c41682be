"""Inputs as lists of events: which channel is active at which step, dense only on request.

The 8156 training sequences of ``shd`` would take 1.4 GB as an array of bytes; their events take a
tenth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DataError

SMALL_CHANNELS = 1 << 16


@dataclass(frozen=True, eq=False)
class EventLists:
    """The events of sequences, sorted by sequence, step and channel.

    Represents an integer array (N, T, C), and returns it, or a part, on indexing, iteration and
    ``numpy.asarray``; ``take`` selects sequences and stays sparse.

    Parameters
    ----------
    starts
        int64 (N, T + 1): step t of sequence n owns events ``starts[n, t]`` to
        ``starts[n, t + 1]``; a sequence begins where the one before it ends.
    sources
        uint16, or int32 beyond 65 536 channels, (events,): the channel of each event; within a
        step, ascending and each at most once.
    channels
        C, the number of channels.
    values
        Integers (events,), the size of each event; None where all are 1, binary spikes.

    Raises
    ------
    DataError
        Lists that do not fit together or are not sorted, a channel out of range.
    """

    starts: npt.NDArray[np.int64]
    sources: npt.NDArray[np.integer[Any]]
    channels: int
    values: npt.NDArray[np.integer[Any]] | None = None

    def __post_init__(self) -> None:
        starts, sources = np.asarray(self.starts, dtype=np.int64), np.asarray(self.sources)
        if starts.ndim != 2 or starts.shape[1] < 2 or sources.ndim != 1 or self.channels < 1:
            raise DataError(
                f"event lists: starts {starts.shape}, sources {sources.shape} and {self.channels} "
                "channels; they are (sequences, steps + 1), (events,) and at least 1"
            )
        flat = np.concatenate((starts[:, :-1].reshape(-1), [len(sources)]))
        chained = (starts[:-1, -1] == starts[1:, 0]).all()
        ends = (starts[0, 0], starts[-1, -1]) if len(starts) else (0, 0)
        if not chained or ends != (0, len(sources)) or (np.diff(flat) < 0).any():
            raise DataError(
                f"event lists: starts must rise from 0 to {len(sources)}, the number of events, "
                "each sequence from where the one before it ends"
            )
        if len(sources) and not 0 <= int(sources.min()) <= int(sources.max()) < self.channels:
            raise DataError(
                f"event lists: channels {sources.min()} to {sources.max()} are outside 0.."
                f"{self.channels - 1}"
            )
        rises = sources[1:] > sources[:-1]
        first = flat[(flat > 0) & (flat < len(sources))]
        rises[first - 1] = True
        if not rises.all():
            raise DataError(
                "event lists: the channels of a step must ascend, each at most once; event "
                f"{int(np.argmin(rises)) + 1} does not"
            )
        if self.values is not None and (
            self.values.shape != sources.shape or self.values.dtype.kind not in "iu"
        ):
            raise DataError(
                f"event lists: values {self.values.dtype} {self.values.shape}, needs integers "
                f"{sources.shape}"
            )
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "sources", sources.astype(source_dtype(self.channels), copy=False))

    @classmethod
    def from_dense(cls, inputs: npt.NDArray[np.integer[Any]]) -> EventLists:
        """Make the lists from an integer array (N, T, C); values are kept unless all are 0 or 1."""
        n, steps, channels = inputs.shape
        samples, when, where = np.nonzero(inputs)
        counts = np.bincount(samples * steps + when, minlength=n * steps).reshape(n, steps)
        values = inputs[samples, when, where]
        return cls(
            starts_from_counts(counts),
            where.astype(source_dtype(channels)),
            channels,
            None if (values == 1).all() else values,
        )

    @classmethod
    def joined(cls, parts: Sequence[EventLists]) -> EventLists:
        """Return the sequences of several lists with equal steps and channels, one after another.

        Raises
        ------
        DataError
            No parts, or parts that differ in steps, channels or kind of values.
        """
        if len({(*part.shape[1:], part.values is None) for part in parts}) != 1:
            raise DataError("event lists: no parts, or parts of other steps, channels or values")
        ends = np.cumsum([0, *(len(part.sources) for part in parts)])
        values = [part.values for part in parts if part.values is not None]
        return cls(
            np.concatenate([part.starts + end for part, end in zip(parts, ends, strict=False)]),
            np.concatenate([part.sources for part in parts]),
            parts[0].channels,
            np.concatenate(values) if values else None,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, T, C), as for the array that this represents."""
        return len(self.starts), self.starts.shape[1] - 1, self.channels

    @property
    def ndim(self) -> int:
        """Number of axes: 3."""
        return 3

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the array that this represents."""
        return np.dtype(np.uint8) if self.values is None else self.values.dtype

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, indices: npt.ArrayLike) -> EventLists:
        """Return the chosen sequences, in that order, as lists of their own."""
        rows = self.starts[np.asarray(indices, dtype=np.int64)]
        counts = np.diff(rows, axis=1)
        pieces = [slice(a, b) for a, b in rows[:, [0, -1]].tolist()]
        return EventLists(
            starts_from_counts(counts),
            np.concatenate([self.sources[:0], *(self.sources[piece] for piece in pieces)]),
            self.channels,
            None
            if self.values is None
            else np.concatenate([self.values[:0], *(self.values[piece] for piece in pieces)]),
        )

    def to_dense(self) -> npt.NDArray[Any]:
        """Return the whole array (N, T, C)."""
        n, steps, channels = self.shape
        dense = np.zeros((n * steps, channels), dtype=self.dtype)
        row = np.repeat(np.arange(n * steps), np.diff(self.starts, axis=1).reshape(-1))
        dense[row, self.sources] = 1 if self.values is None else self.values
        return dense.reshape(n, steps, channels)

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        chosen = np.arange(len(self))[first]
        dense = self.take(np.atleast_1d(chosen)).to_dense()
        if chosen.ndim == 0:
            return dense[(0, *rest)]
        return dense[(slice(None), *rest)]

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("arrays of event lists are made on request and cannot be shared")
        whole = self.to_dense()
        return whole if dtype is None else whole.astype(dtype)


def source_dtype(channels: int) -> type[np.integer[Any]]:
    """Return the type of the sources for a number of channels."""
    return np.uint16 if channels <= SMALL_CHANNELS else np.int32


def starts_from_counts(counts: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
    """Return ``starts`` (N, T + 1) of event counts (N, T)."""
    n, steps = counts.shape
    ends = np.cumsum(counts.reshape(-1), dtype=np.int64).reshape(n, steps)
    starts = np.zeros((n, steps + 1), dtype=np.int64)
    starts[:, 1:] = ends
    starts[1:, 0] = ends[:-1, -1]
    return starts
