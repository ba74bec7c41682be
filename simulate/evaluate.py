"""A whole split through the simulator, batch by batch, with bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..export.compiling import clock
from ..export.errors import InputError
from ..export.network import Network
from ..export.readout import predictions
from ..export.trace import Trace
from ..tasks.base import Split
from ..tasks.metrics import accuracy
from .activity import Activity, no_activity
from .simulator import RecordKind, run_with_activity


class Sequences(Protocol):
    """Inputs (N, T, C) that give an array when indexed: an array, or a task's lazy windows."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, T, C)."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Return the chosen sequences."""
        ...


@dataclass(frozen=True, eq=False)
class Stream:
    """A run over many samples: ``predictions`` int64 (N,) or (N, T), counts, simulation time.

    Compiling kernels is not part of the time.
    """

    predictions: npt.NDArray[np.int64]
    activity: Activity
    seconds: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A ``Stream`` with the task's ``metrics``: ``accuracy``, ``accuracy_labelled`` if per step."""

    metrics: dict[str, float]
    predictions: npt.NDArray[np.int64]
    activity: Activity
    seconds: float


def stream(
    network: Network,
    inputs: Sequences,
    lengths: npt.NDArray[np.int64] | None = None,
    *,
    batch_size: int = 64,
    record: RecordKind = "output",
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
    sink: Callable[[Trace], object] | None = None,
) -> Stream:
    """Run all samples in batches; only predictions and counts are kept.

    Parameters
    ----------
    network
        The network of integers.
    inputs, lengths
        As ``simulator.run`` takes them, for all samples.
    batch_size
        Samples that run, and whose traces are in memory, at a time.
    record, threads
        As ``simulator.run`` takes them.
    progress
        Called after each batch with its number of samples.
    sink
        Called after each batch with its trace, for example to write it to a file.

    Raises
    ------
    InputError
        As ``simulator.run``; a batch size below 1; no samples.
    """
    if batch_size < 1:
        raise InputError(f"batch size: {batch_size} is below 1")
    count = int(inputs.shape[0])
    if count == 0:
        raise InputError("inputs: hold no sample")
    activity, seconds, answers = no_activity(network), 0.0, []
    for start in range(0, count, batch_size):
        chosen = np.arange(start, min(start + batch_size, count))
        batch = inputs[chosen]
        ran = None if lengths is None else lengths[chosen]
        before = clock()
        trace, counted = run_with_activity(network, batch, ran, record=record, threads=threads)
        seconds += clock() - before
        activity += counted
        answers.append(predictions(network, trace.output, trace.lengths))
        if sink is not None:
            sink(trace)
        if progress is not None:
            progress(len(chosen))
    return Stream(np.concatenate(answers), activity, seconds)


def evaluate(
    network: Network,
    split: Split,
    *,
    skip_steps: int = 0,
    batch_size: int = 64,
    record: RecordKind = "output",
    threads: int | None = None,
    progress: Callable[[int], object] | None = None,
    sink: Callable[[Trace], object] | None = None,
) -> Evaluation:
    """Run a split of a task and score it; the first ``skip_steps`` steps are not scored.

    The other parameters are those of ``stream``.

    Raises
    ------
    InputError
        As ``stream``; a network that answers once per sample for labels per step, or the reverse.
    """
    if network.readout.per_step != split.per_step:
        answers = ("every step", "once per sample")
        one, two = answers if network.readout.per_step else answers[::-1]
        raise InputError(
            f"readout {network.readout.kind}: it answers {one}, but the labels are {two}; "
            "choose the task that the network was trained on"
        )
    result = stream(
        network,
        split.inputs,
        split.lengths,
        batch_size=batch_size,
        record=record,
        threads=threads,
        progress=progress,
        sink=sink,
    )
    metrics = accuracy(result.predictions, split, skip_steps)
    return Evaluation(metrics, result.predictions, result.activity, result.seconds)
