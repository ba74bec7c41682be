"""Input files of ``srnn-simulate --input``: integers (sample, time, channel) or (time, channel)."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.errors import InputError
from ..export.filekind import ARRAYS, TABLE, check_kind
from ..export.network import Network, check_inputs
from ..export.reading.archives import is_npy, read_npy, read_npz
from ..export.reading.files import located, refusing
from ..export.reading.hdf5 import Hdf5File, opened
from ..export.reading.text import lines
from ..export.suggest import check_known
from .reference import check_lengths

INPUTS, LENGTHS = "inputs", "lengths"
SUFFIXES = (".npz", ".npy", ".h5", ".hdf5", ".csv")


@dataclass(frozen=True, eq=False)
class InputFile:
    """``inputs`` int32 (N, T, C); ``lengths`` int64 (N,), or None where all have T steps."""

    inputs: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64] | None


def read_inputs(path: Path, network: Network) -> InputFile:
    """Read inputs for a network.

    ``.npz`` and ``.h5`` hold an array ``inputs``, or one array of any name, and may hold
    ``lengths`` (N,); ``.npy`` holds the array; ``.csv`` holds one sample, one line per step and
    one column per channel, and may begin with a line of column names.

    Raises
    ------
    InputError
        Another kind of file, a damaged one, or inputs that the network does not take.
    """
    check_kind(path, ARRAYS, TABLE)
    check_known("ending", path.suffix.lower(), SUFFIXES, f"{path}")
    with refusing(path, "a file of inputs"):
        inputs, lengths = _READERS[path.suffix.lower()](path)
    with located(path):
        checked = check_inputs(network, inputs[None] if inputs.ndim == 2 else inputs)
        return InputFile(checked, _checked_lengths(lengths, checked.shape))


def _checked_lengths(
    lengths: npt.NDArray[Any] | None, shape: tuple[int, ...]
) -> npt.NDArray[np.int64] | None:
    if lengths is None:
        return None
    return check_lengths(lengths, shape[0], shape[1])


_Read = tuple[npt.NDArray[Any], "npt.NDArray[Any] | None"]


def _chosen(arrays: Mapping[str, Any]) -> _Read:
    names = [name for name in arrays if name != LENGTHS]
    if INPUTS in names:
        name = INPUTS
    elif len(names) == 1:
        name = names[0]
    else:
        raise InputError(
            f"holds {', '.join(names) or 'no array'}; name the array to use {INPUTS!r}"
        )
    lengths = np.asarray(arrays[LENGTHS]) if LENGTHS in arrays else None
    return np.asarray(arrays[name]), lengths


def _read_numpy(path: Path) -> _Read:
    if is_npy(path):
        return read_npy(path), None
    # What else the file holds, perhaps Python objects, is not read where the name is known.
    named = read_npz(path, (INPUTS, LENGTHS))
    return _chosen(named if INPUTS in named else read_npz(path))


def _read_hdf5(path: Path) -> _Read:
    with opened(path) as file:
        names = file.datasets()
        links = sorted(set(file.file) - {*names, *file.groups()})
        if links:
            raise InputError(f"/{links[0]}: is a soft or external link; data must be in this file")
        wanted = {name: name for name in names}
        chosen = {INPUTS, LENGTHS} if INPUTS in wanted else wanted
        return _chosen({name: _read_dataset(file, name) for name in names if name in chosen})


def _read_dataset(file: Hdf5File, name: str) -> npt.NDArray[Any]:
    dataset = file.dataset(name)
    assert dataset is not None
    return np.asarray(file.read(dataset, name))


def _read_csv(path: Path) -> _Read:
    values, columns = array("q"), 0
    for number, line in lines(path):
        cells = [cell.strip() for cell in line.split(",")]
        if not any(cells):
            continue
        try:
            values.extend([int(cell) for cell in cells])
        except OverflowError:
            raise InputError(f"line {number}: holds an integer beyond 64 bits") from None
        except ValueError:
            if number == 1 and not any(map(_is_number, cells)):
                continue
            raise InputError(
                f"line {number}: {line.strip()[:40]!r} is not a row of integers; "
                "--input takes what the encoder makes, --stream takes raw readings"
            ) from None
        columns = columns or len(cells)
        if len(cells) != columns:
            raise InputError(f"line {number}: {len(cells)} columns after {columns}")
    if not columns:
        raise InputError("holds no row of integers")
    return np.array(values).reshape(-1, columns), None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


_READERS = {
    ".npz": _read_numpy,
    ".npy": _read_numpy,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".csv": _read_csv,
}
