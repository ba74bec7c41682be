"""Checked dataclasses from the plain values of a file: TOML recipes, configs in a ``model.pt``."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar

from .errors import InputError

T = TypeVar("T")


def suggest(word: str, known: typing.Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for a near miss, else the list of what is known."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known are {', '.join(known)}" if known else ""


def build(kind: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Build a dataclass from plain values, nested ones included.

    Raises
    ------
    InputError
        A name that the dataclass does not have (with a suggestion), a missing name, or a value of
        another type; ``where`` leads to it.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where or 'config'}: {values!r} is not a table of settings")
    known: dict[str, Field[Any]] = {f.name: f for f in fields(kind) if f.init}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    for name in values:
        if name not in known:
            raise InputError(f"{join(where, name)}: no such setting{suggest(str(name), known)}")
    for name, entry in known.items():
        required = entry.default is MISSING and entry.default_factory is MISSING
        if required and name not in values:
            raise InputError(f"{join(where, name)}: is missing")
    converted = {
        name: convert(value, hints[name], join(where, name)) for name, value in values.items()
    }
    try:
        return kind(**converted)
    except InputError as error:
        raise InputError(f"{where}: {error}" if where else str(error)) from None


def join(where: str, name: object) -> str:
    """Write a dotted path."""
    return f"{where}.{name}" if where else str(name)


def convert(value: Any, hint: Any, where: str) -> Any:
    """Check a plain value against a type hint; ints become floats where a float is wanted."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, UnionType):
        if value is None and type(None) in arguments:
            return None
        (inner,) = [a for a in arguments if a is not type(None)]
        return convert(value, inner, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{where}: {value!r} is not a list")
        return tuple(convert(v, arguments[0], join(where, i)) for i, v in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise InputError(f"{where}: {value!r} is not a table")
        return dict(value)
    if is_dataclass(hint):
        return value if isinstance(value, hint) else build(hint, value, where)  # type: ignore[arg-type]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        wanted = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise InputError(f"{where}: {value!r} is not {wanted.get(hint, hint.__name__)}")
    return value
