"""A user's sequences read from one file, before encoding."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.errors import shown
from .errors import DataError

Signal = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

UNLABELLED = -1

LABEL_MAX = 1000
"""Characters of a label."""
_NUMBER = re.compile(r"-?[0-9]{1,40}")
"""Labels of this form are put in order by their value."""


@dataclass(frozen=True, eq=False)
class Recordings:
    """Sequences of one file with coded labels.

    Parameters
    ----------
    source
        The file, for error messages.
    signals
        One float64 array (T_i, C) for each sample.
    names
        Class names that occur, in order: numbers by value, other text alphabetically.
    labels
        Indices into ``names``: int64 (N,), one per sample; or a tuple of int64 (T_i,), one per
        step, with -1 where a step has no label.
    """

    source: str
    signals: tuple[Signal, ...]
    names: tuple[str, ...]
    labels: Codes | tuple[Codes, ...]

    def __post_init__(self) -> None:
        if not self.signals:
            raise DataError(f"{self.source}: holds no sample")
        for index, signal in enumerate(self.signals):
            if signal.ndim != 2 or 0 in signal.shape:
                raise DataError(f"{self.source}: sample {index} is empty (shape {signal.shape})")
            if signal.shape[1] != self.channels:
                raise DataError(
                    f"{self.source}: sample {index} has {signal.shape[1]} channels, sample 0 has "
                    f"{self.channels}"
                )
            bad = np.argwhere(~np.isfinite(signal))
            if len(bad):
                step, channel = bad[0].tolist()
                raise DataError(
                    f"{self.source}: sample {index}, step {step}, channel {channel} is "
                    f"{signal[step, channel]}; fill the gap or drop the sample"
                )
        if len(self.labels) != len(self.signals):
            raise DataError(
                f"{self.source}: {len(self.labels)} labels for {len(self.signals)} samples"
            )
        if isinstance(self.labels, np.ndarray) and (self.labels == UNLABELLED).any():
            index = int(np.flatnonzero(self.labels == UNLABELLED)[0])
            raise DataError(f"{self.source}: sample {index} has no label; drop it or label it")

    @property
    def channels(self) -> int:
        """C, the number of channels."""
        return int(self.signals[0].shape[1])

    @property
    def per_step(self) -> bool:
        """Whether every step has a label of its own."""
        return isinstance(self.labels, tuple)

    def lengths(self) -> Codes:
        """Return the steps of each sample, int64 (N,)."""
        return np.array([len(signal) for signal in self.signals], dtype=np.int64)

    def padded(self) -> Signal:
        """Return the signals as one array (N, T, C), zero beyond each length."""
        lengths = self.lengths()
        whole = np.zeros((len(lengths), int(lengths.max()), self.channels))
        for row, signal in zip(whole, self.signals, strict=True):
            row[: len(signal)] = signal
        return whole

    def targets(self, classes: Sequence[str]) -> tuple[Codes, npt.NDArray[np.bool_] | None]:
        """Return targets as indices into ``classes``, and which steps are labelled.

        Raises
        ------
        DataError
            A label that is not among the classes.
        """
        table = np.array([self._index(name, classes) for name in self.names], dtype=np.int64)
        if isinstance(self.labels, np.ndarray):
            return table[self.labels], None
        lengths = self.lengths()
        codes = np.full((len(lengths), int(lengths.max())), UNLABELLED, dtype=np.int64)
        for row, labels in zip(codes, self.labels, strict=True):
            row[: len(labels)] = labels
        valid = codes != UNLABELLED
        if not valid.any():
            return np.zeros_like(codes), valid
        return np.where(valid, table[codes], 0), valid

    def _index(self, name: str, classes: Sequence[str]) -> int:
        if name in classes:
            return list(classes).index(name)
        code = self.names.index(name)
        index = next(i for i, one in enumerate(self.labels) if (np.asarray(one) == code).any())
        raise DataError(
            f"{self.source}: sample {index} has label {name!r}, which never occurs in training "
            f"(classes: {_shown(classes)}); fix the label or add training samples of it"
        )


def _shown(classes: Sequence[str], most: int = 12) -> str:
    rest = len(classes) - most
    return ", ".join(classes[:most]) + (f" and {rest} more" if rest > 0 else "")


def code_labels(
    values: npt.NDArray[Any], where: str, per_step: bool
) -> tuple[tuple[str, ...], Codes]:
    """Return class names and, for each value, the index of its name.

    Whole numbers and text are labels. With labels per step, -1 and empty text mean no label.

    Raises
    ------
    DataError
        Labels that are neither whole numbers nor text.
    """
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.rint(values)).all():
        beyond = np.flatnonzero(np.abs(values) >= 2.0**63)
        if beyond.size:
            raise DataError(
                f"{where}: label {values.reshape(-1)[beyond[0]]:g} is beyond 64 bits; number the "
                "classes or write them as text"
            )
        values = values.astype(np.int64)
    if values.dtype.kind == "b":
        values = values.astype(np.int64)
    if values.dtype.kind == "O":
        if not all(isinstance(one, (str, bytes)) for one in values.reshape(-1)):
            raise DataError(f"{where}: labels must be whole numbers or text")
        texts = [_decoded(one, where) for one in values.reshape(-1)]
        # As an array, all take the space of the longest.
        long = next((one for one in texts if len(one) > LABEL_MAX), None)
        if long is not None:
            raise DataError(f"{where}: label {shown(long)} of more than {LABEL_MAX} characters")
        values = np.array(texts, dtype=str).reshape(values.shape)
    if values.dtype.kind == "S":
        texts = [_decoded(one, where) for one in values.reshape(-1).tolist()]
        values = np.array(texts, dtype=str).reshape(values.shape)
    if values.dtype.kind not in "iuU":
        raise DataError(f"{where}: labels of type {values.dtype} must be whole numbers or text")
    missing: Any = "" if values.dtype.kind == "U" else -1
    unique, codes = np.unique(values, return_inverse=True)
    texts = [str(one) for one in unique]
    absent = {i for i, one in enumerate(unique) if one == missing and (per_step or missing == "")}
    numbers = all(_NUMBER.fullmatch(text) for text in texts if text)
    order = sorted(
        (i for i in range(len(texts)) if i not in absent),
        key=lambda i: (int(texts[i]) if numbers else 0, texts[i]),
    )
    table = np.full(len(texts), UNLABELLED, dtype=np.int64)
    table[order] = np.arange(len(order))
    return tuple(texts[i] for i in order), table[codes.reshape(values.shape)]


def _decoded(label: str | bytes, where: str) -> str:
    try:
        return label.decode("utf-8") if isinstance(label, bytes) else label
    except UnicodeDecodeError:
        raise DataError(f"{where}: label {label!r} is not UTF-8 text; save it as UTF-8") from None


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]], source: str) -> Recordings:
    """Make recordings from named arrays, the form of ``.npz`` and HDF5 files.

    ``inputs`` (N, T, C) with ``labels`` (N,) or (N, T) and optional ``lengths`` (N,); or ragged:
    ``inputs`` (sum of T_i, C) with ``offsets`` (N + 1,), where sample i is
    ``inputs[offsets[i]:offsets[i + 1]]``, and ``labels`` (N,) or (sum of T_i,).

    Raises
    ------
    DataError
        An array is missing, has another shape or type, or is out of range.
    """
    for name in ("inputs", "labels"):
        if name not in arrays:
            held = ", ".join(arrays) or "nothing"
            raise DataError(f"{source}: no {name!r}; needs inputs and labels (holds {held})")
    inputs, labels = arrays["inputs"], arrays["labels"]
    if inputs.dtype.kind not in "biuf":
        raise DataError(f"{source}: inputs of type {inputs.dtype}, needs numbers")
    if inputs.ndim == 3 and len(inputs) and not inputs.size:
        # A shape may claim billions of samples of nothing.
        raise DataError(f"{source}: inputs of shape {inputs.shape} hold no values")
    if "offsets" in arrays:
        starts, stops = _bounds(arrays["offsets"], inputs, source)
        signals = tuple(inputs[a:b].astype(np.float64) for a, b in zip(starts, stops, strict=True))
        per_step = labels.shape != (len(starts),)
        needed, shape = "offsets - 1 or one per step", (len(inputs),)
    else:
        if inputs.ndim != 3:
            raise DataError(
                f"{source}: inputs of shape {inputs.shape}, needs (samples, steps, channels), or "
                "(all steps, channels) with offsets"
            )
        ran = _lengths(arrays.get("lengths"), inputs.shape[:2], source)
        signals = tuple(
            row[:length].astype(np.float64) for row, length in zip(inputs, ran, strict=True)
        )
        per_step = labels.shape != (len(inputs),)
        needed, shape = f"({len(inputs)},) or {inputs.shape[:2]}", inputs.shape[:2]
    if per_step and labels.shape != shape:
        raise DataError(f"{source}: labels of shape {labels.shape}, needs {needed}")
    names, codes = code_labels(labels, source, per_step)
    if not per_step:
        return Recordings(source, signals, names, codes)
    if "offsets" in arrays:
        rows = tuple(codes[a:b] for a, b in zip(starts, stops, strict=True))
    else:
        rows = tuple(row[: len(one)] for row, one in zip(codes, signals, strict=True))
    return Recordings(source, signals, names, rows)


def _bounds(
    offsets: npt.NDArray[Any], inputs: npt.NDArray[Any], source: str
) -> tuple[list[int], list[int]]:
    if inputs.ndim != 2:
        raise DataError(
            f"{source}: inputs of shape {inputs.shape}, needs (all steps, channels) with offsets"
        )
    if offsets.ndim != 1 or len(offsets) < 2 or offsets.dtype.kind not in "iu":
        raise DataError(
            f"{source}: offsets {offsets.dtype} {offsets.shape}, needs integers (N + 1,)"
        )
    bounds = offsets.astype(np.int64)
    if bounds[0] != 0 or bounds[-1] != len(inputs) or (np.diff(bounds) < 1).any():
        raise DataError(
            f"{source}: offsets must rise from 0 to {len(inputs)}, the steps in inputs; they go "
            f"from {bounds[0]} to {bounds[-1]}"
        )
    return bounds[:-1].tolist(), bounds[1:].tolist()


def _lengths(lengths: npt.NDArray[Any] | None, shape: tuple[int, ...], source: str) -> list[int]:
    n, steps = shape
    if lengths is None:
        return [steps] * n
    if lengths.shape != (n,) or lengths.dtype.kind not in "iu":
        raise DataError(f"{source}: lengths {lengths.dtype} {lengths.shape}, needs integers ({n},)")
    bad = np.flatnonzero((lengths < 1) | (lengths > steps))
    if len(bad):
        raise DataError(
            f"{source}: length {lengths[bad[0]]} of sample {bad[0]} is outside 1..{steps}"
        )
    return lengths.astype(np.int64).tolist()
