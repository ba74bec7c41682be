"""Plain values of a ``.net`` file by path, and the checks that name path, value and limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .grid import IntArray

Value = npt.NDArray[Any] | str


@dataclass
class Contents:
    """Values and groups of a file by path, for example ``/layer/1/weight``.

    Records which were read, so that the rest can be refused by name.
    """

    values: dict[str, Value]
    groups: set[str]
    asked: set[str] = field(default_factory=set)

    def names(self, group: str) -> list[str]:
        """Return the names of the direct members of a group."""
        prefix = f"{group}/"
        found = {
            path[len(prefix) :].split("/")[0]
            for path in (*self.values, *self.groups)
            if path.startswith(prefix)
        }
        return sorted(found)

    def value(self, path: str) -> Value:
        """Return a value or raise InputError."""
        self.asked.add(path)
        if path in self.groups:
            raise InputError(f"{path}: is a group, needs a dataset")
        if path not in self.values:
            raise InputError(f"{path}: missing")
        return self.values[path]

    def text(self, path: str) -> str:
        """Return a string or raise InputError."""
        value = self.value(path)
        if not isinstance(value, str):
            raise InputError(f"{path}: holds {value.dtype} {value.shape}, needs a string")
        return value

    def numbers(self, path: str, dtype: type[np.generic] | None = None) -> npt.NDArray[Any]:
        """Return a numeric array, of exactly ``dtype`` if given, or raise InputError."""
        value = self.value(path)
        if isinstance(value, str):
            raise InputError(f"{path}: holds the string {value[:40]!r}, needs numbers")
        if dtype is not None and value.dtype != np.dtype(dtype):
            raise InputError(f"{path}: holds {value.dtype}, needs {np.dtype(dtype).name}")
        return value

    def refuse_unasked(self, under: str) -> None:
        """Raise InputError for the first value or empty group below ``under`` that was not read."""
        for path in sorted(self.values):
            if path.startswith(f"{under}/") and path not in self.asked:
                raise InputError(f"{path}: unknown to this format; remove it")
        above: set[str] = set()
        for path in self.asked:
            while (path := path.rpartition("/")[0]) and path not in above:
                above.add(path)
        for path in sorted(self.groups):
            if path.startswith(f"{under}/") and path not in above:
                raise InputError(f"{path}: a group unknown to this format; remove it")


def layer_indices(contents: Contents, group: str, first: int) -> list[int]:
    """Return the contiguous layer numbers of a group, from ``first`` up."""
    if group not in contents.groups:
        raise InputError(f"{group}: missing, or not a group; the file describes no network")
    names = contents.names(group)
    if not names:
        raise InputError(f"{group}: is empty; the file describes no layer")
    expected = {str(index) for index in range(first, first + len(names))}
    for name in names:
        if name not in expected:
            raise InputError(
                f"{group}/{name}: the {len(names)} layers must be numbered from {first}, no gaps"
            )
        if f"{group}/{name}" not in contents.groups:
            raise InputError(f"{group}/{name}: is a dataset, needs a group")
    return list(range(first, first + len(names)))


def integer(contents: Contents, path: str, low: int, high: int) -> int:
    """Return an int32 scalar within limits."""
    value = contents.numbers(path, np.int32)
    if value.shape != ():
        raise InputError(f"{path}: shape {value.shape}, needs a scalar")
    return int(in_range(value, path, low, high))


def whole(values: npt.NDArray[Any], path: str, low: int, high: int) -> IntArray:
    """Return int64 of integers or of floats that hold integers, within limits."""
    if values.dtype.kind not in "iuf":
        raise InputError(f"{path}: holds {values.dtype}, needs integers")
    with np.errstate(invalid="ignore"):
        bad = np.argwhere(~np.isfinite(values) | (np.floor(values) != values))
    if len(bad):
        at = tuple(bad[0].tolist())
        raise InputError(f"{path}{index_text(at)}: {values[at]} is not a whole number")
    return in_range(values, path, low, high).astype(np.int64)


def in_range(values: npt.NDArray[Any], path: str, low: int, high: int) -> npt.NDArray[Any]:
    """Return the values, all of them within low..high, or raise InputError."""
    bad = np.argwhere((values < low) | (values > high))
    if len(bad):
        at = tuple(bad[0].tolist())
        raise InputError(f"{path}{index_text(at)}: {values[at]} is outside {low}..{high}")
    return values


def index_text(at: tuple[int, ...]) -> str:
    """Return an index as text to append to a path, nothing for a scalar."""
    return f"[{', '.join(str(i) for i in at)}]" if at else ""


def shown(value: Value | None) -> str:
    """Return a short text for a value."""
    if value is None:
        return "missing"
    return repr(value[:40]) if isinstance(value, str) else f"{value.dtype} {value.shape}"
