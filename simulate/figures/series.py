"""What a figure shows, as plain numbers with names and units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Variable:
    """Values along one axis of a figure.

    ``values``: numbers, strings or None, or rows of them; ``unit`` is empty where there is none.
    """

    name: str
    values: tuple[Any, ...]
    unit: str = ""


@dataclass(frozen=True)
class Series:
    """One curve, set of bars, raster or matrix: variables that belong together.

    Raises
    ------
    ValueError
        Two variables share a name.
    """

    name: str
    variables: tuple[Variable, ...]

    def __post_init__(self) -> None:
        names = [variable.name for variable in self.variables]
        if len(set(names)) != len(names):
            raise ValueError(f"series {self.name}: two variables share a name in {names}")

    def values(self, name: str) -> tuple[Any, ...]:
        """Return the values of the variable of that name."""
        for variable in self.variables:
            if variable.name == name:
                return variable.values
        raise KeyError(name)

    def array(self, name: str) -> npt.NDArray[np.float64]:
        """Return the values of the variable as float64; None becomes NaN."""
        return np.asarray(self.values(name), dtype=np.float64)


def variable(name: str, values: npt.ArrayLike, unit: str = "", digits: int = 6) -> Variable:
    """Return a variable with plain values: floats cut to ``digits`` digits, NaN as None."""
    return Variable(name, tuple(_plain(np.asarray(values), digits)), unit)


def _plain(array: npt.NDArray[Any], digits: int) -> list[Any]:
    if array.dtype.kind != "f":
        return _frozen(array.tolist())
    return _frozen(_rounded(array.tolist(), digits))


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, list):
        return [_rounded(entry, digits) for entry in value]
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None


def _frozen(values: list[Any]) -> list[Any]:
    return [tuple(_frozen(entry)) if isinstance(entry, list) else entry for entry in values]
