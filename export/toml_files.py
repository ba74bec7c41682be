"""TOML from outside: one reader, and one line for whatever is wrong with it."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from .errors import InputError


def read_toml(text: str, where: str) -> dict[str, Any]:
    """Return the tables of a text.

    Raises
    ------
    InputError
        It is not TOML, is nested beyond Python's limit, or holds a number of thousands of digits;
        ``where`` names it.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{where}: is not TOML that can be read: nested too deeply") from None
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{where}: is not TOML: {reason[:160]}") from None
