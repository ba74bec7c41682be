"""The evidence for a report: a network's run over data, and the traces of a few samples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...export.errors import InputError
from ...export.network import Network
from ...export.trace import Trace
from ...tasks.base import Split
from ...tasks.metrics import accuracy, confusion, scored_steps
from ..activity import Activity
from ..evaluate import Sequences, stream
from ..simulator import run

SAMPLES_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Data:
    """The data that a network runs on.

    ``source``: description in words. ``inputs`` (N, T, C), ``lengths`` (N,) or None, as
    ``simulator.run`` takes them. ``targets`` (N,) or (N, T) and ``valid`` (N, T), None where they
    are not known. ``expected`` (N, T, n_out): the outputs that a file says are correct.
    ``skip_steps``: first steps that accuracy leaves out.
    """

    source: str
    inputs: Sequences
    lengths: npt.NDArray[np.int64] | None = None
    targets: npt.NDArray[np.int64] | None = None
    valid: npt.NDArray[np.bool_] | None = None
    expected: npt.NDArray[np.int32] | None = None
    skip_steps: int = 0

    def __post_init__(self) -> None:
        lengths = [self.inputs.shape[1]] if self.lengths is None else self.lengths
        if self.count == 0 or max(lengths, default=0) < 1:
            raise InputError(
                f"{self.source}: {self.count} samples without a step; there is nothing to report"
            )

    @property
    def count(self) -> int:
        """Number of samples."""
        return int(self.inputs.shape[0])


@dataclass(frozen=True, eq=False)
class Shown:
    """A sample in detail: its index, why it was chosen, its inputs (T, C) and its trace."""

    index: int
    why: str
    inputs: npt.NDArray[Any]
    trace: Trace


@dataclass(frozen=True, eq=False)
class Evidence:
    """A run: the network, its file, the data, what came out and what was counted.

    ``outputs`` int (N, T, n_out) as ``Trace.output``. ``scores`` float (N,): share of correct
    answers of each sample, of its labelled steps if labels are per step; None without labels.
    ``errors``: the standard error of each of ``metrics`` over samples. ``different``: number of
    outputs that differ from the file's, None where it has none.
    """

    path: Path
    sha256: str
    network: Network
    data: Data
    predictions: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    outputs: npt.NDArray[np.int32]
    activity: Activity
    metrics: dict[str, float]
    errors: dict[str, float]
    scores: npt.NDArray[np.float64] | None
    confusion: npt.NDArray[np.int64] | None
    different: int | None
    seconds: float
    shown: tuple[Shown, ...]

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, numbers where the file has none."""
        count = self.network.class_count
        return self.network.readout.classes or tuple(str(index) for index in range(count))


def gather(
    path: Path,
    network: Network,
    data: Data,
    *,
    batch_size: int = 64,
    threads: int | None = None,
    samples: tuple[int, ...] | None = None,
    progress: Callable[[int], object] | None = None,
) -> Evidence:
    """Run a network over data and keep what a report needs.

    Parameters
    ----------
    path, network
        The file and the network in it.
    data
        What to run.
    batch_size, threads, progress
        As ``evaluate.stream`` takes them.
    samples
        Indices of the samples to show in detail; None: the first, and those with the best and the
        worst answers.

    Raises
    ------
    InputError
        As ``evaluate.stream``.
    """
    outputs: list[npt.NDArray[np.int32]] = []
    lengths: list[npt.NDArray[np.int64]] = []

    def sink(trace: Trace) -> None:
        outputs.append(trace.output.copy())
        lengths.append(trace.lengths)

    ran = stream(
        network,
        data.inputs,
        data.lengths,
        batch_size=batch_size,
        threads=threads,
        progress=progress,
        sink=sink,
    )
    output, ends = np.concatenate(outputs), np.concatenate(lengths)
    split = _scored(network, data, ran.predictions)
    scores = None if split is None else _scores(ran.predictions, split, data.skip_steps)
    chosen = choose(scores, data.count) if samples is None else [(i, "chosen") for i in samples]
    return Evidence(
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        network=network,
        data=data,
        predictions=ran.predictions,
        lengths=ends,
        outputs=output,
        activity=ran.activity,
        metrics={} if split is None else accuracy(ran.predictions, split, data.skip_steps),
        errors={} if split is None else standard_errors(ran.predictions, split, data.skip_steps),
        scores=scores,
        confusion=None
        if split is None
        else confusion(ran.predictions, split, network.class_count, data.skip_steps),
        different=None if data.expected is None else int((output != data.expected).sum()),
        seconds=ran.seconds,
        shown=tuple(_shown(network, data, index, why) for index, why in chosen),
    )


def standard_errors(
    predictions: npt.NDArray[np.int64], split: Split, skip_steps: int
) -> dict[str, float]:
    """Return ``std(share of correct answers of a sample) / sqrt(samples)`` of each accuracy.

    Samples are taken as independent draws. Empty where there is one sample.
    """
    if len(split) < 2:
        return {}
    return {
        name: float(
            _scores(predictions, split, skip_steps, labelled_only).std(ddof=1) / np.sqrt(len(split))
        )
        for name, labelled_only in (("accuracy", False), ("accuracy_labelled", True))
    }


def choose(scores: npt.NDArray[np.float64] | None, count: int) -> list[tuple[int, str]]:
    """Return samples to show and why: the first, and those with the best and the worst answers."""
    if scores is None or len(np.unique(scores)) == 1:
        return [(index, "one of the first") for index in range(min(count, SAMPLES_SHOWN))]
    found = {0: "the first"}
    for index, why in (
        (int(scores.argmax()), "best answered"),
        (int(scores.argmin()), "worst answered"),
    ):
        found[index] = f"{found[index]}, and {why}" if index in found else why
    return list(found.items())


def _scored(network: Network, data: Data, predictions: npt.NDArray[np.int64]) -> Split | None:
    """Return the labels of the data as a split, or None where the answers cannot be scored."""
    if data.targets is None or data.targets.shape != predictions.shape:
        return None
    if data.lengths is not None and data.lengths.min() <= data.skip_steps:
        return None
    if int(data.targets.max(initial=0)) >= network.class_count:
        return None
    inputs: Any = data.inputs
    valid = data.valid if network.readout.per_step else None
    return Split(inputs, data.targets, data.lengths, valid)


def _scores(
    predictions: npt.NDArray[np.int64], split: Split, skip_steps: int, labelled_only: bool = True
) -> npt.NDArray[np.float64]:
    right = predictions == split.targets
    if right.ndim == 1:
        return right.astype(np.float64)
    counted = scored_steps(split, skip_steps, labelled_only)
    return (right & counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)


def _shown(network: Network, data: Data, index: int, why: str) -> Shown:
    inputs = np.asarray(data.inputs[np.array([index])])
    lengths = None if data.lengths is None else data.lengths[[index]]
    return Shown(index, why, inputs[0], run(network, inputs, lengths, record="states"))
