"""From a task's integer arrays to what a network reads: float tensors, or event lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..tasks.base import Split
from .event_table import EventTable, density
from .layers import SpikingLayer
from .network import SRNN

if TYPE_CHECKING:
    from .engine.events import Events

Indices = npt.NDArray[np.int64]

EVENTS_DENSITY = 0.25
"""Largest share of non-zero inputs for which event lists are at least as fast; measured."""
EVENTS_BYTES = 1 << 28
"""Event lists of a split that fit in this many bytes are made once, others batch by batch."""


class Batch(NamedTuple):
    """Samples as a network reads them.

    ``inputs`` float32 (batch, time, channel) in real units, or the same as event lists; ``targets``
    int64 (batch,) or (batch, time); ``lengths`` int64 (batch,) or None; ``valid`` bool (batch,
    time) or None.
    """

    inputs: Tensor | Events
    targets: Tensor
    lengths: Tensor | None
    valid: Tensor | None


def make_batch(split: Split, indices: Indices, input_scale: float, device: str = "cpu") -> Batch:
    """Gather samples by index and scale their inputs to real units, as tensors."""
    # Copied to the device as stored: a quarter of the bytes for spikes.
    stored = torch.from_numpy(np.ascontiguousarray(split.inputs[indices])).to(device)
    inputs = stored.to(torch.float32)
    return _labelled(split, indices, inputs * input_scale if input_scale != 1.0 else inputs, device)


def _labelled(split: Split, indices: Indices, inputs: Tensor | Events, device: str) -> Batch:
    def chosen(array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array[indices]).to(device)

    return Batch(
        inputs,
        chosen(split.targets),
        None if split.lengths is None else chosen(split.lengths),
        None if split.valid is None else chosen(split.valid),
    )


@dataclass(frozen=True, eq=False)
class Feed:
    """A split as a network reads it, batch by batch.

    Parameters
    ----------
    split
        Integer inputs and labels.
    input_scale
        Real value of one unit of the inputs.
    device
        Where tensors go.
    events
        Whether batches are event lists instead of tensors.
    table
        The event lists of the whole split; None where they are made batch by batch.
    """

    split: Split
    input_scale: float = 1.0
    device: str = "cpu"
    events: bool = False
    table: EventTable | None = None

    def __len__(self) -> int:
        return len(self.split)

    def batch(self, indices: Indices) -> Batch:
        """Gather samples by index."""
        if not self.events:
            return make_batch(self.split, indices, self.input_scale, self.device)
        if self.table is not None:
            inputs = self.table.take(indices)
        else:
            table = EventTable.from_arrays([self.split.inputs[indices]], self.input_scale)
            inputs = table.take(np.arange(len(indices)))
        return _labelled(self.split, indices, inputs, self.device)

    def in_order(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield samples ``start`` to ``stop`` in stored order, at most ``size`` at a time."""
        end = len(self) if stop is None else stop
        for first in range(start, end, size):
            yield self.batch(np.arange(first, min(first + size, end)))


def takes_events(model: SRNN, device: str) -> bool:
    """Return whether a network reads event lists: with the engine, on the CPU, in one direction."""
    first = cast(SpikingLayer, model.layers[0])
    on_engine = model.engine == "events" and model.grid is None and device == "cpu"
    # A single dense layer makes the loop run all layers.
    spiking = all(isinstance(layer, SpikingLayer) for layer in model.layers)
    return on_engine and spiking and first.backward_direction is None


def make_feed(
    split: Split, input_scale: float = 1.0, device: str = "cpu", *, model: SRNN | None = None
) -> Feed:
    """Return a split as a model reads it: event lists if accepted and the input is sparse."""
    share = density(split.inputs) if model and takes_events(model, device) else 1.0
    if share > EVENTS_DENSITY:
        return Feed(split, input_scale, device)
    samples, steps, channels = split.inputs.shape
    per_event = 4 if input_scale == 1.0 else 8
    table = None
    if samples * steps * (4 + share * channels * per_event) <= EVENTS_BYTES:
        blocks = (split.inputs[first : first + 256] for first in range(0, samples, 256))
        table = EventTable.from_arrays(blocks, input_scale)
    return Feed(split, input_scale, device, events=True, table=table)


def epoch_order(size: int, seed: int, epoch: int) -> Indices:
    """Return the order of samples in an epoch.

    It depends only on the seed and the epoch, so a run that is resumed, even in the middle of an
    epoch, sees the same order as an uninterrupted one, and so does every process of a parallel run.
    """
    return np.random.default_rng([seed, epoch]).permutation(size).astype(np.int64)


def steps_of(inputs: Tensor | Events, start: int, stop: int) -> Tensor | Events:
    """Return steps ``start`` to ``stop`` of a batch's inputs; they share its values or events."""
    if isinstance(inputs, Tensor):
        return inputs[:, start:stop]
    from .engine.events import Events

    return Events(
        inputs.starts[:, start : stop + 1], inputs.sources, inputs.channels, inputs.values
    )
