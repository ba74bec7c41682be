"""Settings as TOML, each under a comment that says what it means."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_origin, get_type_hints

from .meanings import in_brief, meanings

IN_LINE = {"in line": True}
"""Metadata of a field whose table stands in a line of its own dataclass."""


def settings(kind: type, values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the lines of a dataclass's settings; those of nested ones by dotted key.

    Parameters
    ----------
    kind
        The dataclass; fields that are tables or lists of their own are left out, as their place is
        below a heading, but for those that are declared ``IN_LINE``.
    values
        Plain values by name. A setting that has none, or None, stands there as a comment.
    prefix
        Begins every key.
    """
    known, hints = meanings(kind), get_type_hints(kind)
    for entry in fields(kind):
        name, value = entry.name, values.get(entry.name)
        if is_table(hints[name]) and entry.metadata != IN_LINE:
            continue
        nested = is_dataclass(hints[name])
        yield f"# {in_brief(known.get(name, name))}{':' * nested}"
        if nested:
            yield from settings(hints[name], value or {}, f"{prefix}{name}.")
        elif value is None:
            yield f"# {prefix}{name} = (not set)"
        else:
            yield f"{prefix}{name} = {literal(value)}"


def is_table(hint: Any) -> bool:
    """Whether a field holds a table of its own, or a list of tables."""
    return get_origin(hint) in {dict, tuple}


def literal(value: Any) -> str:
    """Write a plain value as TOML does.

    Raises
    ------
    TypeError
        TOML has no such value.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Mapping):
        entries = ", ".join(f"{key(k)} = {literal(v)}" for k, v in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def key(name: str) -> str:
    """Write one part of a key, quoted where it must be."""
    bare = name.replace("_", "").replace("-", "")
    return name if bare.isascii() and bare.isalnum() else _text(name)


def _text(value: str) -> str:
    # JSON escapes what TOML does, but for the one control character above the others.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
