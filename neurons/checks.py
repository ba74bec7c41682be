"""Checks that the records of a network share: whole numbers, ranges, read-only arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError, index_list
from .grid import IntArray


def whole(value: npt.ArrayLike, where: str) -> IntArray:
    """Return whole numbers of any number type as int64, or raise InputError."""
    array = np.asarray(value)
    if array.dtype == np.bool_ or not np.issubdtype(array.dtype, np.number):
        raise InputError(f"{where}: holds {array.dtype}, needs integers")
    with np.errstate(invalid="ignore"):
        values = np.nan_to_num(np.real(array)).astype(np.int64)
    if not np.array_equal(array, values):
        raise InputError(f"{where}: holds values that are not whole numbers; quantize it first")
    return values


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a read-only, C-contiguous copy."""
    array = np.array(array, order="C")
    array.flags.writeable = False
    return array


def in_range(values: IntArray, low: int, high: int, where: str) -> None:
    """Raise InputError for the first value outside ``low..high``."""
    bad = np.flatnonzero((values < low) | (values > high))
    if bad.size:
        worst = int(values.reshape(-1)[bad[0]])
        at = (
            f" at neuron {index_list(bad.tolist())}" if values.ndim == 1 and values.size > 1 else ""
        )
        raise InputError(f"{where}: {worst}{at} is outside {low}..{high}")
