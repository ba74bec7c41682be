"""Calibration samples from memory or a file, for models without any."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .checkpoint import read_model
from .errors import InputError
from .filekind import ARRAYS, MODEL, check_kind
from .reading.archives import read_npz
from .suggest import check_known, unknown

_ENTRIES = ("inputs", "lengths", "targets", "valid")


def read_calibration(path: Path, channels: int) -> dict[str, npt.NDArray[Any]]:
    """Read samples: a ``model.pt`` with samples, or an ``.npz`` of arrays.

    ``inputs``, integers (sample, time, channel) or (time, channel), and optionally ``lengths``,
    ``targets`` and ``valid`` as in a ``model.pt``.

    Raises
    ------
    InputError
        Another kind of file, a damaged one, one without inputs, or inputs that are not integers of
        the right number of channels.
    """
    check_kind(path, ARRAYS, MODEL)
    if path.suffix == ".pt":
        found = {n: v for n, v in read_model(path).samples.items() if n in _ENTRIES}
    elif path.suffix == ".npz":
        found = read_npz(path, _ENTRIES)
    else:
        raise InputError(unknown("ending", path.suffix, (".npz", ".pt"), f"{path}"))
    return _checked(found, str(path), channels)


def given_samples(samples: Any, channels: int) -> dict[str, npt.NDArray[Any]]:
    """Return samples in memory, or of a file, as a ``model.pt`` holds them.

    Parameters
    ----------
    samples
        A file's path; inputs; a pair of inputs and targets; a table, or an object with attributes,
        of ``inputs``, ``targets``, ``lengths`` and ``valid``. Arrays or tensors.
    channels
        Of the network.

    Raises
    ------
    InputError
        An unknown entry, no inputs, or inputs that are no integers of so many channels.
    """
    if isinstance(samples, (str, os.PathLike)):
        return read_calibration(Path(samples), channels)
    if isinstance(samples, Mapping):
        found = dict(samples)
        for name in found:
            check_known("entry", name, _ENTRIES, "samples")
    elif hasattr(samples, "inputs"):
        found = {name: getattr(samples, name, None) for name in _ENTRIES}
    elif isinstance(samples, (tuple, list)) and len(samples) == 2:
        found = {"inputs": samples[0], "targets": samples[1]}
    else:
        found = {"inputs": samples}
    arrays = {name: _array(value) for name, value in found.items() if value is not None}
    return _checked(arrays, "samples", channels)


def _array(value: Any) -> npt.NDArray[Any]:
    # A tensor, which may have a gradient or lie on another device.
    value = value.detach().cpu().numpy() if hasattr(value, "detach") else value
    try:
        return np.asarray(value)
    except ValueError:
        raise InputError("samples: lists of different lengths; give arrays") from None


def _checked(
    found: dict[str, npt.NDArray[Any]], where: str, channels: int
) -> dict[str, npt.NDArray[Any]]:
    if "inputs" not in found:
        raise InputError(f"{where}: holds no inputs (integers (sample, time, {channels}))")
    inputs = found["inputs"]
    inputs = inputs[None] if inputs.ndim == 2 else inputs
    if inputs.ndim != 3 or inputs.shape[2] != channels or 0 in inputs.shape:
        raise InputError(
            f"{where}: inputs {inputs.dtype} {inputs.shape}, needs integers (sample, time, "
            f"{channels})"
        )
    if inputs.dtype.kind not in "iufb":
        raise InputError(f"{where}: inputs {inputs.dtype}, needs integers")
    real = inputs.astype(np.float64)
    odd = np.argwhere(real != np.rint(real))
    if len(odd):
        raise InputError(
            f"{where}: inputs{odd[0].tolist()} is {real[tuple(odd[0])]:g}, not an integer; give "
            "inputs in whole units, and the real value of a unit as the task's input_scale"
        )
    if np.abs(real).max() >= 1 << 24:
        raise InputError(f"{where}: inputs beyond 24 bits")
    return {**found, "inputs": inputs.astype(np.int32)}


def message_bits(inputs: npt.NDArray[np.int32]) -> int:
    """Return 0 for inputs of 0 and 1, else the bits of the largest magnitude."""
    if inputs.min() >= 0 and inputs.max() <= 1:
        return 0
    return int(np.abs(inputs.astype(np.int64)).max()).bit_length()
