"""Option values from a command line; ``export/plain.py`` checks them."""

from __future__ import annotations

from types import UnionType
from typing import Any, Union, get_args, get_origin


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
