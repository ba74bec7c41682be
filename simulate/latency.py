"""How soon a network answers correctly: delay after a change of label, accuracy over steps seen.

Pure functions of outputs and labels. Steps are those of the network; ``Network.dt`` converts them
to seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.errors import InputError
from ..export.grid import FloatArray, IntArray
from ..export.network import Network
from ..export.readout import real_output
from .distribution import Distribution, distribution
from .energy import Range

NOT_FOUND = -1
"""Delay of a change that no correct and stable answer followed."""

CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Confidences at which an early exit is tried."""


@dataclass(frozen=True, eq=False)
class DecisionLatency:
    """Delays from changes of the label to the first correct and stable answer.

    ``delays`` int64 (changes,): steps, ``NOT_FOUND`` where none came before the next change;
    ``labels``: the new label of each change; ``hold``: steps that an answer must last.
    """

    delays: IntArray
    labels: IntArray
    hold: int

    @property
    def changes(self) -> int:
        """Changes of the label."""
        return len(self.delays)

    @property
    def missed(self) -> int:
        """Changes that no correct and stable answer followed."""
        return int(np.count_nonzero(self.delays == NOT_FOUND))

    @property
    def steps(self) -> Distribution | None:
        """How the delays that were found spread, in steps; None without any."""
        return distribution(self.delays[self.delays != NOT_FOUND])

    def by_label(self) -> dict[int, DecisionLatency]:
        """Return the changes to each label separately."""
        return {
            int(label): DecisionLatency(
                self.delays[self.labels == label], self.labels[self.labels == label], self.hold
            )
            for label in np.unique(self.labels)
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by name, over all labels and for each."""

        def one(latency: DecisionLatency) -> dict[str, Any]:
            spread = latency.steps
            return {
                "changes": latency.changes,
                "missed": latency.missed,
                "delay_steps": None if spread is None else spread.as_dict(),
            }

        by_label = {str(label): one(found) for label, found in self.by_label().items()}
        return {"hold_steps": self.hold, **one(self), "by_label": by_label}


def decision_latency(
    predictions: npt.ArrayLike,
    targets: npt.ArrayLike,
    lengths: npt.ArrayLike | None = None,
    valid: npt.ArrayLike | None = None,
    *,
    hold: int = 3,
) -> DecisionLatency:
    """Find for every change of label the first correct answer that lasts.

    A change is a labelled step whose label differs from that of the labelled step before it. Its
    stretch ends before the next change, unlabelled step or end of the sample. The delay is that of
    the first step from which ``hold`` answers in a row, or all to the end of a shorter stretch, are
    correct; 0 where the network was correct at once.

    Parameters
    ----------
    predictions, targets
        Class indices, int (N, T).
    lengths
        int (N,): steps of each sample; all when None.
    valid
        bool (N, T): labelled steps; all when None.
    hold
        Steps that an answer must last.

    Raises
    ------
    InputError
        Shapes that differ; a hold below 1.
    """
    answers, labels = np.asarray(predictions), np.asarray(targets)
    if answers.ndim != 2 or answers.shape != labels.shape:
        raise InputError(
            f"predictions {answers.shape}, targets {labels.shape}: needs both (sample, time)"
        )
    if hold < 1:
        raise InputError(f"hold: {hold} is below 1")
    counted = np.arange(labels.shape[1]) < _ends(lengths, labels.shape)[:, None]
    if valid is not None:
        counted = counted & np.asarray(valid, dtype=np.bool_)
    delays, changed = [], []
    for row, right, known in zip(labels, answers == labels, counted, strict=True):
        for start, stop in _stretches(row, known):
            delays.append(_delay(right[start:stop], hold))
            changed.append(row[start])
    return DecisionLatency(np.array(delays, np.int64), np.array(changed, np.int64), hold)


def _ends(lengths: npt.ArrayLike | None, shape: tuple[int, ...]) -> IntArray:
    if lengths is None:
        return np.full(shape[0], shape[1], np.int64)
    ends = np.asarray(lengths, dtype=np.int64)
    if ends.shape != shape[:1]:
        raise InputError(f"lengths: shape {ends.shape}, needs ({shape[0]},)")
    return ends


def _stretches(labels: IntArray, known: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return start and end of each stretch of one label that follows another label."""
    edges = np.flatnonzero((np.diff(labels) != 0) | (known[1:] != known[:-1])) + 1
    bounds = [0, *edges.tolist(), len(labels)]
    return [
        (start, stop) for start, stop in pairwise(bounds[1:]) if known[start] and known[start - 1]
    ]


def _delay(right: npt.NDArray[np.bool_], hold: int) -> int:
    needed = min(hold, len(right))
    together = np.convolve(right, np.ones(needed, np.int64), "valid")
    found = np.flatnonzero(together == needed)
    return int(found[0]) if len(found) else NOT_FOUND


@dataclass(frozen=True, eq=False)
class RunningAnswers:
    """What a network would answer after each step: class and confidence, both (N, T).

    Beyond a sample's end, and over the first steps that the readout skips, the nearest answer
    is repeated; ``first``: steps before there is an answer at all.
    """

    predictions: IntArray
    confidences: FloatArray
    lengths: IntArray
    first: int = 0


def running_answers(
    network: Network, output: npt.ArrayLike, lengths: npt.ArrayLike | None = None
) -> RunningAnswers:
    """Return the answers after every step of a network that answers once per sample.

    The answer after step t is that of the sample cut off after t. The confidence is the mean
    softmax of the best class (``mean_softmax``), its share of the output spikes (``spike_count``),
    or the softmax of its membrane in real units (``last_membrane``).

    Parameters
    ----------
    network
        Its readout answers once per sample.
    output
        int (N, T, n_out), as a ``Trace`` holds it.
    lengths
        int (N,): steps of each sample; all when None.

    Raises
    ------
    InputError
        A network that answers every step.
    """
    readout = network.readout
    if readout.per_step:
        raise InputError(f"readout {readout.kind}: it answers every step; there is no early exit")
    real = real_output(network, output)
    if readout.populations:
        real = real.reshape(*real.shape[:2], readout.populations, -1).mean(axis=3)
    samples, steps, _ = real.shape
    ends = _ends(lengths, (samples, steps))
    first = 0 if readout.kind == "last_membrane" else min(readout.skip_steps, max(steps - 1, 0))
    if readout.kind == "last_membrane":
        running, shares = real, _softmax(real)
    else:
        values = real if readout.kind == "spike_count" else _softmax(real)
        counted = (np.arange(steps) >= readout.skip_steps)[:, None]
        running = np.cumsum(values * counted, axis=1)
        total = running.sum(axis=2, keepdims=True)
        shares = np.divide(running, total, out=np.zeros_like(running), where=total > 0)
    best = running.argmax(axis=2)
    sure = np.take_along_axis(shares, best[..., None], axis=2)[..., 0]
    held = np.minimum(np.arange(steps), np.maximum(ends - 1, 0)[:, None])
    return RunningAnswers(
        np.take_along_axis(best, held, axis=1), np.take_along_axis(sure, held, axis=1), ends, first
    )


def _softmax(values: FloatArray) -> FloatArray:
    raised = np.exp(values - values.max(axis=2, keepdims=True))
    return raised / raised.sum(axis=2, keepdims=True)


@dataclass(frozen=True, eq=False)
class EarlyExitCurve:
    """Accuracy after the first ``steps``: int64 (points,) and float64 (points,)."""

    steps: IntArray
    accuracy: FloatArray

    def steps_to(self, accuracy: float) -> int | None:
        """Return the fewest steps after which the accuracy is reached and kept; None if never."""
        below = np.flatnonzero(self.accuracy < accuracy)
        at = int(below[-1]) + 1 if len(below) else 0
        return int(self.steps[at]) if at < len(self.steps) else None

    def as_dict(self) -> dict[str, list[float]]:
        """Return steps and accuracy as lists."""
        return {"steps": self.steps.tolist(), "accuracy": self.accuracy.tolist()}


def early_exit_curve(answers: RunningAnswers, targets: npt.ArrayLike) -> EarlyExitCurve:
    """Return the accuracy over all samples after each number of steps.

    A sample that is shorter counts with its last answer.

    Raises
    ------
    InputError
        Targets of another shape.
    """
    labels = _labels(answers, targets)
    right = (answers.predictions == labels[:, None]).mean(axis=0)
    steps = np.arange(1, len(right) + 1)
    return EarlyExitCurve(steps[answers.first :], right[answers.first :])


@dataclass(frozen=True)
class ConfidentExit:
    """The result of stopping at a given confidence.

    ``accuracy`` of the answers at the exit; ``mean_steps`` until then; ``stopped_early``: share of
    samples that stopped before their end.
    """

    confidence: float
    accuracy: float
    mean_steps: float
    stopped_early: float

    def joules(self, per_step: Range) -> Range:
        """Return the estimated joules until the answer, at the mean energy per step."""
        return per_step * self.mean_steps

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return {
            "confidence": self.confidence,
            "accuracy": self.accuracy,
            "mean_steps": self.mean_steps,
            "stopped_early": self.stopped_early,
        }


def confident_exits(
    answers: RunningAnswers, targets: npt.ArrayLike, confidences: Sequence[float] = CONFIDENCES
) -> tuple[ConfidentExit, ...]:
    """Return the result of stopping at each confidence; samples that never reach it run to the end.

    Raises
    ------
    InputError
        Targets of another shape; samples without a step; a confidence outside 0..1.
    """
    labels = _labels(answers, targets)
    if answers.lengths.min() < 1:
        raise InputError("samples: one has no step, so there is no answer; leave it out")
    last = answers.lengths - 1
    steps = np.arange(answers.confidences.shape[1])
    found = []
    for wanted in confidences:
        if not 0 <= wanted <= 1:
            raise InputError(f"confidence: {wanted} is outside 0..1")
        sure = (answers.confidences >= wanted) & (steps >= answers.first)
        exits = np.where(sure.any(axis=1), np.minimum(sure.argmax(axis=1), last), last)
        right = answers.predictions[np.arange(len(labels)), exits] == labels
        found.append(
            ConfidentExit(
                float(wanted),
                float(right.mean()),
                float((exits + 1).mean()),
                float((exits < last).mean()),
            )
        )
    return tuple(found)


def _labels(answers: RunningAnswers, targets: npt.ArrayLike) -> IntArray:
    labels = np.asarray(targets)
    if labels.shape != answers.predictions.shape[:1] or labels.size == 0:
        raise InputError(
            f"targets: shape {labels.shape}, needs one per sample, ({len(answers.predictions)},)"
        )
    return labels
