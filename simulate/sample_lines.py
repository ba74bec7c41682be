"""Samples as lines of text: CSV (comma, semicolon, tab or blanks) or JSON, a time step per line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from ..export.errors import InputError
from ..export.plain import shown
from ..export.reading.text import json_value, stream_lines
from ..export.suggest import unknown


def sample_lines(
    file: BinaryIO, name: str, columns: int, chosen: Sequence[str] = (), hint: str = ""
) -> Iterator[tuple[int, list[float]]]:
    """Yield the number of each line that holds a sample, from 1, and its values.

    Blank lines, lines that begin with # and a first line of column names are skipped.
    A line of JSON is a list of numbers, or an object of numbers whose names are the columns.

    Parameters
    ----------
    file
        Binary, read line by line as lines come.
    name
        Its name in messages.
    columns
        Numbers of a sample.
    chosen
        Columns to take, by number from 1 or by name; all when empty.
    hint
        What to add where a line has another number of columns.

    Raises
    ------
    InputError
        A line that is not a sample; the samples before it have been yielded.
    """
    header: list[str] | None = None
    places: list[int] | None = None
    first = True
    for number, line in stream_lines(file, name):
        where = f"{name}, line {number}"
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        cells, names = _cells(text, where)
        if names is not None:
            header = header or names
            if names != header:
                if sorted(names) != sorted(header):
                    raise InputError(
                        f"{where}: has {shown(names)}, the lines before {shown(header)}"
                    )
                by_name = dict(zip(names, cells, strict=True))
                cells = [by_name[column] for column in header]
        elif first and not any(_is_number(cell) for cell in cells):
            header, first = [str(cell) for cell in cells], False
            continue
        first = False
        if chosen:
            places = places or _places(chosen, header, len(cells), where)
            if max(places) >= len(cells):
                raise InputError(
                    f"{where}: {len(cells)} columns, but column {max(places) + 1} was chosen"
                )
            cells = [cells[at] for at in places]
        if len(cells) != columns:
            raise InputError(f"{where}: {len(cells)} columns, needs {columns}{hint}")
        yield number, [_value(cell, f"{where}, column {at}") for at, cell in enumerate(cells, 1)]


def _cells(text: str, where: str) -> tuple[list[Any], list[str] | None]:
    """Return a line's cells, and their names where it has them."""
    if text[0] not in "[{":
        for separator in ",;\t":
            if separator in text:
                return [cell.strip().strip('"') for cell in text.split(separator)], None
        return text.split(), None
    content = json_value(text, where, object)
    if isinstance(content, dict):
        return list(content.values()), list(content)
    assert isinstance(content, list)
    return content, None


def _places(chosen: Sequence[str], header: list[str] | None, count: int, where: str) -> list[int]:
    places = []
    by_name: dict[str, int] = {}
    for at, column in enumerate(header or ()):
        by_name.setdefault(column, at)
    for column in chosen:
        if column in by_name:
            places.append(by_name[column])
        elif column.isdecimal() and 1 <= int(column[:20]) <= count:
            places.append(int(column[:20]) - 1)
        else:
            known = (f"1..{count}", *(header or ()))
            raise InputError(unknown("column", column, known, f"{where}: --columns"))
    return places


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _value(cell: Any, where: str) -> float:
    if cell in ("", None):
        raise InputError(f"{where}: is empty; fill the gap or leave the line out")
    if isinstance(cell, bool) or not _is_number(cell):
        raise InputError(f"{where}: {shown(cell, 40)} is not a number")
    value = float(cell)
    if not math.isfinite(value):
        raise InputError(
            f"{where}: {value} is not a finite number; fill the gap or leave the line out"
        )
    return value
