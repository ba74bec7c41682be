"""The records that every task returns: splits of sequences with labels, and their description.

Arrays are (sample, time, channel). Inputs are integers, as the simulator and a chip take them; a
float model sees ``inputs * input_scale``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DataError
from .event_lists import EventLists
from .pixels import PixelWindows

Inputs = npt.NDArray[np.integer[Any]] | PixelWindows | EventLists

MESSAGE_BITS_MAX = 24


@dataclass(frozen=True, eq=False)
class Split:
    """Sequences with labels: the training, validation or test part of a task.

    Parameters
    ----------
    inputs
        Integers (N, T, C): spikes 0 or 1, or graded values. An array; the lazy windows over images
        of ``smnist`` and ``psmnist``; or the event lists of ``shd``, ``ssc`` and
        ``spoken-digits``. All have shape, dtype and indexing of an array, and ``numpy.asarray``
        converts each to one. ``take`` and ``batches`` return event lists as such, and arrays
        for the others.
    targets
        Class indices, int64: (N,), one label per sequence, or (N, T), one per step. Unlabelled
        steps hold 0.
    lengths
        Steps of each sequence, int64 (N,), 1 to T; None if all have T. Beyond its length a sequence
        is zero.
    valid
        Which steps are labelled, bool (N, T); None if all are.

    Raises
    ------
    DataError
        Wrong shapes or types, or lengths out of range.
    """

    inputs: Inputs
    targets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64] | None = None
    valid: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        inputs = self.inputs
        if not isinstance(inputs, (PixelWindows, EventLists)):
            inputs = np.asarray(inputs)
        if len(inputs.shape) != 3 or 0 in inputs.shape[1:]:
            raise DataError(
                f"split: inputs of shape {inputs.shape}, needs (samples, steps, channels)"
            )
        if inputs.dtype.kind not in "iu" or inputs.dtype.itemsize > 4:
            raise DataError(f"split: inputs of type {inputs.dtype}, needs integers of 8 to 32 bits")
        n, steps, _ = inputs.shape
        targets = np.asarray(self.targets)
        if targets.shape not in {(n,), (n, steps)} or targets.dtype.kind not in "iu":
            raise DataError(
                f"split: targets {targets.dtype} {targets.shape}, needs integers ({n},) or "
                f"({n}, {steps})"
            )
        if targets.size and targets.min() < 0:
            raise DataError(f"split: target {targets.min()} is below 0")
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "targets", targets.astype(np.int64))
        self._check_lengths(n, steps)
        self._check_valid(n, steps)

    def _check_lengths(self, n: int, steps: int) -> None:
        if self.lengths is None:
            return
        lengths = np.asarray(self.lengths)
        if lengths.shape != (n,) or lengths.dtype.kind not in "iu":
            raise DataError(
                f"split: lengths {lengths.dtype} {lengths.shape}, needs integers ({n},)"
            )
        if n and (lengths.min() < 1 or lengths.max() > steps):
            raise DataError(
                f"split: lengths {lengths.min()} to {lengths.max()} are outside 1..{steps}"
            )
        object.__setattr__(self, "lengths", lengths.astype(np.int64))

    def _check_valid(self, n: int, steps: int) -> None:
        if self.valid is None:
            return
        valid = np.asarray(self.valid)
        if not self.per_step or valid.shape != (n, steps) or valid.dtype != np.bool_:
            raise DataError(
                f"split: valid {valid.dtype} {valid.shape}, needs bool ({n}, {steps}) and one "
                "target per step"
            )
        object.__setattr__(self, "valid", valid)

    def __len__(self) -> int:
        return int(self.inputs.shape[0])

    @property
    def steps(self) -> int:
        """T, the length of the time axis."""
        return int(self.inputs.shape[1])

    @property
    def per_step(self) -> bool:
        """Whether every step has a label of its own."""
        return self.targets.ndim == 2

    def step_counts(self) -> npt.NDArray[np.int64]:
        """Return the steps of each sequence, int64 (N,), even if ``lengths`` is None."""
        if self.lengths is not None:
            return self.lengths
        return np.full(len(self), self.steps, dtype=np.int64)

    def take(self, indices: npt.ArrayLike) -> Split:
        """Return the chosen sequences, in that order, as arrays or event lists of their own."""
        chosen = np.asarray(indices, dtype=np.int64)
        inputs = self.inputs
        return Split(
            inputs.take(chosen) if isinstance(inputs, EventLists) else inputs[chosen],
            self.targets[chosen],
            None if self.lengths is None else self.lengths[chosen],
            None if self.valid is None else self.valid[chosen],
        )


def batches(split: Split, size: int, order: npt.ArrayLike | None = None) -> Iterator[Split]:
    """Yield the split in parts of at most ``size`` sequences, so that memory stays bounded.

    ``order`` holds the indices to visit (a shuffle, a subset); None is the stored order.
    """
    if size < 1:
        raise DataError(f"batches: size {size} is below 1")
    indices = np.arange(len(split)) if order is None else np.asarray(order, dtype=np.int64)
    for start in range(0, len(indices), size):
        yield split.take(indices[start : start + size])


@dataclass(frozen=True, eq=False)
class Task:
    """A data set, split and encoded, with all that a later stage needs to encode in the same way.

    Parameters
    ----------
    name
        Name in the table of tasks.
    train, validation, test
        Disjoint splits; the validation part is taken from the training data, and nothing is
        selected on the test part.
    classes
        Names of the classes; a target is an index into them.
    message_bits
        0 for binary spikes, else bits of graded inputs without their sign.
    input_scale
        Real value of one unit of the integer inputs.
    dt
        Seconds per step, None if unknown.
    skip_steps
        Number of first steps that loss and accuracy ignore.
    options
        The options it was loaded with, plain values.
    encoder
        All settings of the encoder, plain values; see ``encoders.encoder_from_plain``.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    message_bits: int = 0
    input_scale: float = 1.0
    dt: float | None = None
    skip_steps: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    encoder: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.message_bits <= MESSAGE_BITS_MAX:
            raise DataError(
                f"{self.name}: message_bits {self.message_bits} is outside 0..{MESSAGE_BITS_MAX}"
            )
        if not self.input_scale > 0 or (self.dt is not None and not self.dt > 0):
            raise DataError(
                f"{self.name}: input_scale {self.input_scale} and dt {self.dt} must be above 0"
            )
        for part, split in self.splits().items():
            where = f"{self.name}, {part} split"
            if len(split) == 0:
                raise DataError(f"{where}: holds no sequence; give more data or other fractions")
            if split.inputs.shape[2] != self.input_size or split.per_step != self.per_step:
                raise DataError(f"{where}: channels or labels differ from the training split")
            if int(split.targets.max()) >= len(self.classes):
                raise DataError(
                    f"{where}: target {split.targets.max()}, but there are "
                    f"{len(self.classes)} classes"
                )
            if not 0 <= self.skip_steps < int(split.step_counts().min()):
                raise DataError(
                    f"{where}: skip_steps {self.skip_steps} is outside 0.."
                    f"{int(split.step_counts().min()) - 1}, the shortest sequence; lower it"
                )

    def splits(self) -> dict[str, Split]:
        """Return the three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def per_step(self) -> bool:
        """Whether every step has a label of its own."""
        return self.train.per_step

    @property
    def input_size(self) -> int:
        """C, the number of input channels."""
        return int(self.train.inputs.shape[2])

    def description(self) -> dict[str, Any]:
        """Return what ``model.pt`` and ``model.net`` store of a task: plain JSON values."""
        return {
            "name": self.name,
            "options": dict(self.options),
            "encoder": dict(self.encoder),
            "classes": list(self.classes),
            "message_bits": self.message_bits,
            "input_scale": self.input_scale,
            "dt": self.dt,
            "skip_steps": self.skip_steps,
            "per_step": self.per_step,
            "input_size": self.input_size,
        }
