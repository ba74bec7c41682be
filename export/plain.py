"""Checked dataclasses from the plain values of a file or a command line.

TOML recipes, the config in a ``model.pt``, the options of a task and the settings of an encoder are
all converted to records here.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar

from .errors import InputError, shown
from .suggest import unknown

T = TypeVar("T")


def build(
    kind: type[T], values: Mapping[str, Any], where: str = "", error: type[InputError] = InputError
) -> T:
    """Build a dataclass from plain values, nested ones included.

    Parameters
    ----------
    kind
        The dataclass; its type hints define the type of each value.
    values
        Settings by name. Whole numbers serve as floats, lists as tuples.
    where
        Path of the values, for messages.
    error
        The exception to raise.

    Raises
    ------
    InputError
        A name that the dataclass does not have (with a suggestion), a missing name, a value of
        another type, a number that is not finite, or an error of the dataclass itself.
    """
    if not isinstance(values, Mapping):
        raise error(f"{where or 'config'}: {shown(values)} is not a table of settings")
    known: dict[str, Field[Any]] = {f.name: f for f in fields(kind) if f.init}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    for name in values:
        if name not in known:
            raise error(unknown("setting", name, known, where))
    for name, entry in known.items():
        required = entry.default is MISSING and entry.default_factory is MISSING
        if required and name not in values:
            raise error(f"{join(where, name)}: is missing")
    converted = {
        name: convert(value, hints[name], join(where, name), error)
        for name, value in values.items()
    }
    try:
        return kind(**converted)
    except InputError as refused:
        line = str(refused)
        raise error(line if line.startswith(where) else f"{where}: {line}") from None


def join(where: str, name: object) -> str:
    """Return a dotted path."""
    return f"{where}.{name}" if where else str(name)


def convert(value: Any, hint: Any, where: str, error: type[InputError] = InputError) -> Any:
    """Check a plain value against a type hint; ints become floats where a float is wanted."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or (value is None and type(None) in arguments):
        return value
    if origin in (typing.Union, UnionType):
        (inner,) = [a for a in arguments if a is not type(None)]
        return convert(value, inner, where, error)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise error(f"{where}: {shown(value)} is not a list")
        return tuple(convert(v, arguments[0], join(where, i), error) for i, v in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise error(f"{where}: {shown(value)} is not a table")
        return dict(value)
    if is_dataclass(hint):
        is_record = isinstance(value, hint)  # type: ignore[arg-type]
        return value if is_record else build(hint, value, where, error)  # type: ignore[arg-type]
    return _scalar(value, hint, where, error)


def _scalar(value: Any, hint: Any, where: str, error: type[InputError]) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:
            value = math.inf
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        wanted = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise error(f"{where}: {shown(value)} is not {wanted.get(hint, hint.__name__)}")
    if hint is float and not math.isfinite(value):
        raise error(f"{where}: {shown(value)} is not a finite number")
    return value
