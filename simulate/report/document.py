"""A report as a document: sections of facts, texts, tables and figures.

JSON, CSV and HTML are renderings of it; none of them shows anything that is not in the document.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ...export.errors import InputError
from ...export.suggest import check_known
from ..figures.series import Series
from .values import FORMATS, Value

FORMAT, FORMAT_VERSION = "srnn-report", 1

_ID = re.compile(r"[a-z][a-z0-9-]*\Z")


@dataclass(frozen=True)
class Fact:
    """A key figure for a decision: ``value`` in ``unit``, written by ``format``.

    ``estimated``: it comes from a model, not from a measurement; ``note`` says which.
    """

    name: str
    value: Value
    unit: str = ""
    format: str = "number"
    note: str = ""
    estimated: bool = False

    def __post_init__(self) -> None:
        _check_format(self.name, self.format)
        _check_value(self.name, self.value)


@dataclass(frozen=True)
class Facts:
    """Facts, shown next to each other."""

    KIND: ClassVar[str] = "facts"

    id: str
    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Text:
    """A paragraph; ``tone`` is ``plain``, ``lead``, ``good`` or ``warning``."""

    KIND: ClassVar[str] = "text"

    id: str
    text: str
    tone: str = "plain"

    def __post_init__(self) -> None:
        if self.tone not in {"plain", "lead", "good", "warning"}:
            raise InputError(f"report: text {self.id}: tone {self.tone!r}")


@dataclass(frozen=True)
class Column:
    """A column of a table: its cells are in ``unit`` and written by ``format``."""

    id: str
    title: str
    format: str = "text"
    unit: str = ""

    def __post_init__(self) -> None:
        _check_id(self.id)
        _check_format(self.title, self.format)


@dataclass(frozen=True)
class Table:
    """Rows of plain values, one per column; ``half``: half the page width is enough."""

    KIND: ClassVar[str] = "table"

    id: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""
    half: bool = False

    def __post_init__(self) -> None:
        names = [column.id for column in self.columns]
        if not names or len(set(names)) != len(names):
            raise InputError(f"report: table {self.id}: columns {', '.join(names) or 'missing'}")
        for row in self.rows:
            if len(row) != len(names):
                raise InputError(f"report: table {self.id}: a row of {len(row)} for {len(names)}")
            for value in row:
                _check_value(self.id, value)


@dataclass(frozen=True)
class Drawing:
    """A figure: ``series`` are the numbers that it draws, ``alt`` describes it in words.

    ``wide``: it needs the full page width. ``svg``: the drawing, for HTML alone.
    """

    KIND: ClassVar[str] = "figure"

    id: str
    title: str
    alt: str
    series: tuple[Series, ...]
    svg: str = ""
    caption: str = ""
    wide: bool = False


Item = Facts | Text | Table | Drawing


@dataclass(frozen=True)
class Section:
    """A part of the report with a heading."""

    id: str
    title: str
    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        _check_id(self.id)


@dataclass(frozen=True)
class Report:
    """A report: ``title``, what it is about in ``subtitle``, and its sections.

    Raises
    ------
    InputError
        Two items share an id, or an id is not of lower-case letters, digits and hyphens.
    """

    title: str
    subtitle: str
    sections: tuple[Section, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for name in [*(section.id for section in self.sections), *(i.id for i in self.items())]:
            _check_id(name)
            if name in seen:
                raise InputError(f"report: two items have the id {name}")
            seen.add(name)

    def items(self) -> Iterator[Item]:
        """Yield the items of all sections in order."""
        for section in self.sections:
            yield from section.items

    def tables(self) -> Iterator[Table]:
        """Yield the tables in order."""
        yield from (item for item in self.items() if isinstance(item, Table))

    def table(self, name: str) -> Table:
        """Return the table of that id."""
        return next(table for table in self.tables() if table.id == name)


def _check_id(name: str) -> None:
    if not _ID.match(name):
        raise InputError(f"report: id {name!r} is not of lower-case letters, digits and hyphens")


def _check_format(where: str, name: str) -> None:
    check_known("format", name, FORMATS, f"report: {where}")


def _check_value(where: str, value: Value) -> None:
    if not isinstance(value, (str, bool, int, float, type(None))):
        raise InputError(f"report: {where}: {type(value).__name__} is not a plain value")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(
            f"report: {where}: {value} is not a finite number; None where there is none"
        )
