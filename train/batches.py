"""From a task's integer arrays to the float tensors that a network sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..tasks.base import Split, Task


class Batch(NamedTuple):
    """Samples as tensors.

    ``inputs`` float (batch, time, channel) in real units; ``targets`` int64
    (batch,) or (batch, time); ``lengths`` int64 (batch,) or None; ``valid`` bool (batch, time) or
    None.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None
    valid: Tensor | None


def make_batch(
    split: Split, indices: npt.NDArray[np.int64], input_scale: float, device: str = "cpu"
) -> Batch:
    """Gather samples by index and scale their inputs to real units."""
    part = split.take(indices)
    inputs = torch.from_numpy(np.ascontiguousarray(part.inputs)).to(device, torch.float32)
    return Batch(
        inputs * input_scale if input_scale != 1.0 else inputs,
        torch.from_numpy(np.ascontiguousarray(part.targets)).to(device),
        None if part.lengths is None else torch.from_numpy(part.lengths).to(device),
        None if part.valid is None else torch.from_numpy(part.valid).to(device),
    )


def epoch_order(size: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Return the order of samples in an epoch.

    It depends on seed and epoch alone, so that a resumed run, in the middle of an epoch too, sees
    what an uninterrupted one would have seen.
    """
    return np.random.default_rng([seed, epoch]).permutation(size).astype(np.int64)


def in_batches(
    task: Task, split: Split, size: int, device: str = "cpu"
) -> Iterator[tuple[npt.NDArray[np.int64], Batch]]:
    """Yield (indices, batch) through a split in order."""
    for start in range(0, len(split), size):
        indices = np.arange(start, min(start + size, len(split)))
        yield indices, make_batch(split, indices, task.input_scale, device)
