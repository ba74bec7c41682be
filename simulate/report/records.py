"""A report as JSON and back, and its tables as CSV."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import Any

from ...export.errors import InputError
from ...export.reading.files import refusing
from ...export.reading.text import json_value, text
from ..figures.series import Series, Variable
from .document import (
    FORMAT,
    FORMAT_VERSION,
    Column,
    Drawing,
    Fact,
    Facts,
    Item,
    Report,
    Section,
    Table,
    Text,
)
from .values import clean


def as_dict(report: Report) -> dict[str, Any]:
    """Return the report as plain values: everything but the drawings."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "title": report.title,
        "subtitle": report.subtitle,
        "sections": [
            {
                "id": section.id,
                "title": section.title,
                "items": [_item(item) for item in section.items],
            }
            for section in report.sections
        ],
    }


def _item(item: Item) -> dict[str, Any]:
    head = {"kind": item.KIND, "id": item.id}
    if isinstance(item, Text):
        return {**head, "text": item.text, "tone": item.tone}
    head["title"] = item.title
    if isinstance(item, Facts):
        return {**head, "facts": [vars(fact) for fact in item.facts]}
    if isinstance(item, Table):
        return {
            **head,
            "columns": [vars(column) for column in item.columns],
            "rows": [list(row) for row in item.rows],
            "note": item.note,
            "half": item.half,
        }
    return {
        **head,
        "caption": item.caption,
        "alt": item.alt,
        "wide": item.wide,
        "series": [
            {
                "name": series.name,
                "variables": [
                    {"name": one.name, "unit": one.unit, "values": one.values}
                    for one in series.variables
                ],
            }
            for series in item.series
        ],
    }


def to_json(report: Report) -> str:
    """Return the report as JSON text: indented, but with one line per list of values."""
    return _written(as_dict(report), "\n") + "\n"


def _written(value: Any, margin: str) -> str:
    inner = margin + " "
    if isinstance(value, dict) and value:
        entries = (f"{json.dumps(key)}: {_written(entry, inner)}" for key, entry in value.items())
        return f"{{{inner}{f',{inner}'.join(entries)}{margin}}}"
    if isinstance(value, (list, tuple)) and any(isinstance(entry, dict) for entry in value):
        return f"[{inner}{f',{inner}'.join(_written(entry, inner) for entry in value)}{margin}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read_report(path: str | os.PathLike[str]) -> Report:
    """Read a ``report.json``; its figures have their series and no drawing.

    Raises
    ------
    InputError
        Not such a file, of a newer version, or with entries missing or of another form.
    """
    with refusing(path, "a complete report"):
        content = json_value(text(path), f"{path}", dict)
        if content.get("format") != FORMAT:
            raise InputError("not a report of srnn-simulate")
        version = content.get("format_version")
        if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
            raise InputError(f"report format {version!r}, this srnn reads 1 to {FORMAT_VERSION}")
        return _report(content)


def _report(content: dict[str, Any]) -> Report:
    sections = tuple(
        Section(entry["id"], entry["title"], tuple(_read(item) for item in entry["items"]))
        for entry in content["sections"]
    )
    return Report(content["title"], content["subtitle"], sections)


def _read(item: dict[str, Any]) -> Item:
    kind, name = item["kind"], item["id"]
    if kind == Text.KIND:
        return Text(name, item["text"], item["tone"])
    if kind == Facts.KIND:
        return Facts(name, item["title"], tuple(Fact(**fact) for fact in item["facts"]))
    if kind == Table.KIND:
        columns = tuple(Column(**column) for column in item["columns"])
        rows = tuple(tuple(row) for row in item["rows"])
        return Table(name, item["title"], columns, rows, item["note"], item["half"])
    if kind != Drawing.KIND:
        raise InputError(f"item {name!r} is of unknown kind {kind!r}")
    series = tuple(
        Series(
            one["name"],
            tuple(
                Variable(entry["name"], _tuples(entry["values"]), entry["unit"])
                for entry in one["variables"]
            ),
        )
        for one in item["series"]
    )
    return Drawing(
        name,
        item["title"],
        item["alt"],
        series,
        caption=item["caption"],
        wide=item["wide"],
    )


def _tuples(values: Any) -> Any:
    return tuple(map(_tuples, values)) if isinstance(values, list) else values


def to_csv(table: Table) -> str:
    """Return a table as CSV: a line of column titles with units, then raw values.

    An empty cell stands for None. A text that a spreadsheet would read as a formula is
    prefixed with an apostrophe.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        f"{column.title} ({column.unit})" if column.unit else column.title
        for column in table.columns
    )
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
