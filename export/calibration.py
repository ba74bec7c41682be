"""Samples to calibrate on from a file, for models that bring none (``srnn-export --calibrate``)."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .checkpoint import read_model
from .errors import InputError
from .filekind import ARRAYS, MODEL, check_kind
from .suggest import unknown

_ENTRIES = ("inputs", "lengths", "targets", "valid")


def read_calibration(path: Path, channels: int) -> dict[str, npt.NDArray[Any]]:
    """Read samples: a ``model.pt`` with samples, or an ``.npz`` of arrays.

    ``inputs``, integers (sample, time, channel) or (time, channel), and if wanted ``lengths``,
    ``targets`` and ``valid`` as in a ``model.pt``.

    Raises
    ------
    InputError
        Another kind of file, damaged, without inputs, or inputs that are no integers of so many
        channels.
    """
    check_kind(path, ARRAYS, MODEL)
    if path.suffix == ".pt":
        found = {n: v for n, v in read_model(path).samples.items() if n in _ENTRIES}
    elif path.suffix == ".npz":
        found = _read_npz(path)
    else:
        raise InputError(unknown("ending", path.suffix, (".npz", ".pt"), f"{path}"))
    if "inputs" not in found:
        raise InputError(f"{path}: holds no inputs (integers (sample, time, {channels}))")
    inputs = found["inputs"]
    inputs = inputs[None] if inputs.ndim == 2 else inputs
    whole = inputs.dtype.kind in "iu" or (
        inputs.dtype.kind in "fb" and np.array_equal(inputs, np.rint(inputs.astype(np.float64)))
    )
    if inputs.ndim != 3 or inputs.shape[2] != channels or 0 in inputs.shape or not whole:
        raise InputError(
            f"{path}: inputs {inputs.dtype} {inputs.shape}, needs integers (sample, time, "
            f"{channels})"
        )
    if np.abs(inputs.astype(np.float64)).max() >= 1 << 24:
        raise InputError(f"{path}: inputs beyond 24 bits")
    return {**found, "inputs": inputs.astype(np.int32)}


def message_bits(inputs: npt.NDArray[np.int32]) -> int:
    """Return 0 for inputs of 0 and 1, else the bits of the largest beside its sign."""
    if inputs.min() >= 0 and inputs.max() <= 1:
        return 0
    return int(np.abs(inputs.astype(np.int64)).max()).bit_length()


def _read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if name in _ENTRIES}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, KeyError, AttributeError, TypeError) as error:
        raise InputError(f"{path}: not a whole .npz file of plain arrays ({error})") from None
    except zipfile.BadZipFile as error:
        raise InputError(f"{path}: not a whole .npz file ({error})") from None
