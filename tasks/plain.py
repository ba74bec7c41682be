"""Checked records from plain values, as options and files give them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import DataError

Record = TypeVar("Record")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'window'?`` for the closest known name, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def build(kind: type[Record], values: Mapping[str, Any], where: str) -> Record:
    """Make a frozen dataclass of plain values, each checked against its field's type.

    Integers serve as floats, lists as tuples.

    Raises
    ------
    DataError
        An unknown or missing setting, or one of another type; the line names it.
    """
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise DataError(
                f"{where}: no option {name!r}{suggestion(str(name), known)} (options: {listed})"
            )
    for name, f in known.items():
        if name not in values and f.default is MISSING and f.default_factory is MISSING:
            raise DataError(f"{where}: option {name!r} is missing")
    checked = {
        name: _typed(value, hints[name], f"{where}, option {name}")
        for name, value in values.items()
    }
    return kind(**checked)


def _typed(value: Any, hint: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        if value is None:
            return None
        (hint,) = (one for one in get_args(hint) if one is not type(None))
        origin = get_origin(hint)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise DataError(f"{where}: {value!r}, needs a list")
        return tuple(_typed(one, get_args(hint)[0], where) for one in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise DataError(f"{where}: {value!r}, needs {_type_name(hint)}")
    return value


def _type_name(hint: type) -> str:
    return {int: "a whole number", float: "a number", str: "text", bool: "true or false"}[hint]


def parse_value(text: str, hint: Any) -> Any:
    """Read an option's value from the command line; ``none`` stands for None where that is allowed.

    Text that is not of the field's type is returned as it is, for ``build`` to refuse.
    """
    if get_origin(hint) in {Union, UnionType}:
        if text.lower() in {"none", "null"}:
            return None
        (hint,) = (one for one in get_args(hint) if one is not type(None))
    if hint is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if hint in {int, float}:
        try:
            return hint(text)
        except ValueError:
            return text
    return text
