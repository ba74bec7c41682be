"""Energy models: what operations cost, as data with sources; ``energy.toml`` and users' files.

A model turns counts (``operations.py``) into joules; its numbers are estimates. A reference is what
others measured on a whole system; the two are different records and never share a column.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

from ..export.errors import InputError
from ..export.filekind import ENERGY_MODELS, check_kind
from ..export.plain import build, shown
from ..export.reading.text import read_toml, read_toml_file
from ..export.suggest import check_known
from .operations import KINDS, Operations

_PACKAGE = __name__.rpartition(".")[0]

RUNS = ("any", "events", "dense")
"""What a machine runs: any operations; spiking networks only; any network, with all its weights."""


@dataclass(frozen=True)
class Range:
    """A quantity with the uncertainty of its constants: ``low <= value <= high``.

    Raises
    ------
    InputError
        Numbers out of order.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise InputError(f"{self.value} is outside its range {self.low}..{self.high}")

    def __mul__(self, factor: float) -> Range:
        """Return the quantity times a number that is not negative."""
        return Range(self.value * factor, self.low * factor, self.high * factor)

    def __truediv__(self, factor: float) -> Range:
        """Return the quantity divided by a positive number."""
        return Range(self.value / factor, self.low / factor, self.high / factor)

    def __add__(self, other: Range) -> Range:
        """Return the sum; the lows add up, and the highs."""
        return Range(self.value + other.value, self.low + other.low, self.high + other.high)

    def inverse(self, numerator: float) -> Range | None:
        """Return ``numerator`` divided by the quantity, None where that may be 0."""
        if self.low <= 0:
            return None
        return Range(numerator / self.value, numerator / self.high, numerator / self.low)

    def as_dict(self) -> dict[str, float]:
        """Return value, low and high."""
        return asdict(self)


@dataclass(frozen=True)
class Cost:
    """A cost with its source: joules of one operation, or watts of idle power.

    Parameters
    ----------
    value
        Joules of one operation, or watts of idle power.
    low
        Lowest that it may be; ``value`` where it is left out.
    high
        Highest that it may be; ``value`` where it is left out.
    source
        Where the number is from.
    verified
        Whether the number was read in that source.

    Raises
    ------
    InputError
        No source, a negative number, numbers out of order.
    """

    value: float
    low: float | None = None
    high: float | None = None
    source: str = ""
    verified: bool = False

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise InputError("source: is empty; name the source of the constant")
        if self.value < 0 or (self.low is not None and self.low < 0):
            raise InputError(f"value {self.value}, low {self.low}: a cost is not negative")
        _ = self.range

    @property
    def range(self) -> Range:
        """The joules as a range."""
        low = self.value if self.low is None else self.low
        return Range(self.value, low, self.value if self.high is None else self.high)


@dataclass(frozen=True)
class EnergyModel:
    """A named set of costs: what it includes and excludes, and joules of the kinds it counts.

    ``runs``: ``events``, spiking networks only; ``dense``, any network, all weights at every step;
    ``any``, any operations.

    Raises
    ------
    InputError
        A kind of operation that is not known, no cost, another ``runs``, empty descriptions.
    """

    name: str
    title: str
    technology: str
    runs: str
    includes: str
    excludes: str
    joules: dict[str, Cost]

    def __post_init__(self) -> None:
        check_known("value", self.runs, RUNS, "runs")
        for name in ("title", "technology", "includes", "excludes"):
            if not getattr(self, name).strip():
                raise InputError(f"{name}: is empty")
        for kind in self.joules:
            check_known("kind of operation", kind, KINDS, "joules")
        if not self.joules:
            raise InputError("joules: has no cost")

    @property
    def verified(self) -> bool:
        """Whether every constant was read in the source that it names."""
        return all(cost.verified for cost in self.joules.values())

    def parts(self, operations: Operations) -> dict[str, Range]:
        """Return the joules of each kind of operation that the model counts."""
        return {kind: cost.range * getattr(operations, kind) for kind, cost in self.joules.items()}

    def joules_of(self, operations: Operations) -> Range:
        """Return the joules of these operations."""
        total = Range(0.0, 0.0, 0.0)
        for part in self.parts(operations).values():
            total += part
        return total

    def as_dict(self) -> dict[str, Any]:
        """Return the model as in its file, with ``verified`` of all its constants."""
        return {**asdict(self), "verified": self.verified}


@dataclass(frozen=True)
class Reference:
    """What others measured on a system: joules per inference, and under which conditions.

    Raises
    ------
    InputError
        No source or conditions; joules that are not positive or out of order.
    """

    name: str
    title: str
    joules_per_inference: float
    task: str
    conditions: str
    source: str
    low: float | None = None
    high: float | None = None
    accuracy: float | None = None
    verified: bool = False

    def __post_init__(self) -> None:
        for name in ("title", "task", "conditions", "source"):
            if not getattr(self, name).strip():
                raise InputError(f"{name}: is empty")
        if self.joules_per_inference <= 0:
            raise InputError(f"joules_per_inference: {self.joules_per_inference} is not positive")
        _ = self.range

    @property
    def range(self) -> Range:
        """The joules as a range."""
        value = self.joules_per_inference
        low = value if self.low is None else self.low
        return Range(value, low, value if self.high is None else self.high)

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers and words by name."""
        return asdict(self)


@dataclass(frozen=True)
class EnergyModels:
    """Models by name, and measurements of others."""

    models: dict[str, EnergyModel]
    references: tuple[Reference, ...] = ()

    def find(self, name: str) -> EnergyModel:
        """Return the model of that name.

        Raises
        ------
        InputError
            There is none; with a suggestion.
        """
        check_known("energy model", name, self.models)
        return self.models[name]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "models": [model.as_dict() for model in self.models.values()],
            "references": [reference.as_dict() for reference in self.references],
        }


def read_energy_models(paths: Sequence[str | os.PathLike[str]] = ()) -> EnergyModels:
    """Read the bundled models and those of users' files, which come after them.

    A user's model with a bundled name replaces the bundled one.

    Raises
    ------
    InputError
        Not a TOML file, a setting that is unknown, missing, of another type or out of range; the
        message names the file and the setting.
    """
    bundled = resources.files(_PACKAGE).joinpath("energy.toml")
    found = _parse(read_toml(bundled.read_text("utf-8"), "energy.toml"), "energy.toml")
    for path in paths:
        check_kind(path, ENERGY_MODELS)
        own = _parse(read_toml_file(path), os.fspath(path))
        found = EnergyModels({**found.models, **own.models}, (*found.references, *own.references))
    return found


def _parse(values: dict[str, Any], where: str) -> EnergyModels:
    known = ("models", "references")
    for name in values:
        check_known("table", name, known, where)
    models, references = values.get("models", {}), values.get("references", [])
    if not isinstance(models, Mapping):
        raise InputError(f"{where}: models: {shown(models)} is not a table")
    if not isinstance(references, list):
        raise InputError(f"{where}: references: {shown(references)} is not a list of tables")
    if not models and not references:
        raise InputError(f"{where}: describes no model and no reference")
    try:
        return EnergyModels(
            {name: _model(name, entry) for name, entry in models.items()},
            tuple(
                build(Reference, entry, f"references.{index}")
                for index, entry in enumerate(references)
            ),
        )
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _model(name: str, entry: Any) -> EnergyModel:
    where = f"models.{name}"
    if not isinstance(entry, Mapping):
        raise InputError(f"{where}: {shown(entry)} is not a table")
    joules = entry.get("joules", {})
    if not isinstance(joules, Mapping):
        raise InputError(f"{where}.joules: {shown(joules)} is not a table")
    costs = {kind: build(Cost, cost, f"{where}.joules.{kind}") for kind, cost in joules.items()}
    return build(EnergyModel, {**entry, "name": name, "joules": costs}, where)
