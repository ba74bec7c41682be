"""Text from outside: where TOML, JSON, CSV and lines of a stream are opened, decoded and parsed.

All are UTF-8, with or without a byte-order mark; what is in another encoding is refused by name.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, TypeVar

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from ..errors import InputError
from .files import content, existing, refusing
from .limits import (
    DEPTH_MAX,
    DIGITS_MAX,
    LINE_BYTES_MAX,
    READ_BYTES,
    TEXT_BYTES_MAX,
    TOML_BYTES_MAX,
    raised,
)

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_SAVE = "save it as UTF-8 (spreadsheets: CSV UTF-8)"
_PIECE = 1 << 20
_KEY = r"""(?:(?<![\w-])[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*"""
_LONG_KEY = re.compile(rf"(?:{_KEY}){{{DEPTH_MAX}}}")
"""A dotted key of more parts than tables may be deep; the parser takes quadratic time on it."""
_KINDS = {dict: "an object", list: "a list", str: "a string"}


def text(
    path: str | os.PathLike[str],
    error: type[InputError] = InputError,
    limit: int = TEXT_BYTES_MAX,
) -> str:
    """Return a file of UTF-8 text without its byte-order mark.

    Raises
    ------
    InputError
        There is no such file, it is in another encoding, or larger than ``limit`` bytes, which
        the variable ``SRNN_READ_BYTES`` of the environment raises.
    """
    return decoded(content(path, raised(limit), error), f"{path}", error)


def stream_text(file: BinaryIO, name: str, error: type[InputError] = InputError) -> str:
    """Return all of a stream, such as standard input, under the limits of ``text``.

    Raises
    ------
    InputError
        It is not UTF-8, or too large; ``name`` names it.
    """
    limit = raised(TEXT_BYTES_MAX)
    raw = b""
    while len(raw) <= limit and (piece := file.read(_PIECE)):
        raw += piece
    if len(raw) > limit:
        raise error(f"{name}: more than {limit:,} bytes; {READ_BYTES} in the environment raises it")
    return decoded(raw, name, error)


def decoded(raw: bytes, where: str, error: type[InputError] = InputError) -> str:
    """Return bytes of UTF-8 as text, without a byte-order mark.

    Raises
    ------
    InputError
        They are in another encoding, or no text at all.
    """
    for mark, name in _OTHER_BOMS.items():
        if raw.startswith(mark):
            raise error(f"{where}: is not UTF-8 text but {name}; {_SAVE}")
    if b"\0" in raw:
        raise error(f"{where}: holds zero bytes, is not text or in UTF-16; {_SAVE}")
    try:
        return raw.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as refused:
        raise error(
            f"{where}: is not UTF-8 text (byte {raw[refused.start]:#04x}, as in Latin-1 or "
            f"Windows-1252); {_SAVE}"
        ) from None


def lines(
    path: str | os.PathLike[str],
    error: type[InputError] = InputError,
    limit: int = LINE_BYTES_MAX,
) -> Iterator[tuple[int, str]]:
    """Yield the number of each line of a file, from 1, and its text with the line's end.

    Raises
    ------
    InputError
        As ``stream_lines``; or there is no such file, or it cannot be read.
    """
    with refusing(path, "a readable text file", error), existing(path, error).open("rb") as file:
        yield from stream_lines(file, f"{path}", error, limit)


def stream_lines(
    file: BinaryIO,
    name: str,
    error: type[InputError] = InputError,
    limit: int = LINE_BYTES_MAX,
) -> Iterator[tuple[int, str]]:
    """Yield lines as they come, in memory for one line; they end with LF, CR LF or CR.

    Raises
    ------
    InputError
        A line that is longer than ``limit`` bytes, which ``SRNN_READ_BYTES`` raises, or not UTF-8.
    """
    limit = raised(limit)
    number, rest = 0, b""
    while piece := file.readline(limit + 1 - len(rest)):
        found = (rest + piece).splitlines(keepends=True)
        # A line that ends with CR may go on with LF.
        rest = b"" if piece.endswith(b"\n") else found.pop()
        for line in found:
            number += 1
            yield number, _line(line, number, name, error)
        if len(rest) > limit:
            raise error(
                f"{name}, line {number + 1}: longer than {limit:,} bytes; give one line per step, "
                f"or set {READ_BYTES} in the environment"
            )
    if rest:
        yield number + 1, _line(rest, number + 1, name, error)


def _line(raw: bytes, number: int, name: str, error: type[InputError]) -> str:
    where = f"{name}, line {number}"
    # Only a file begins with a mark.
    if number > 1 and raw.startswith((_BOM, *_OTHER_BOMS)):
        return decoded(b" " + raw, where, error)[1:]
    return decoded(raw, where, error)


def json_value(given: str, where: str, kind: type[T], error: type[InputError] = InputError) -> T:
    """Return what a text of JSON holds.

    Parameters
    ----------
    given
        The text.
    where
        Names it in messages.
    kind
        What it must hold: ``dict``, ``list``, ``str``, or ``object`` for anything.
    error
        The class to raise.

    Raises
    ------
    InputError
        Not JSON, NaN or an infinity, integers of thousands of digits, too deeply nested, or of
        another kind.
    """
    try:
        value = json.loads(given, parse_constant=_refuse_constant)
    except RecursionError:
        raise error(f"{where}: is not JSON that can be read: nested too deeply") from None
    except ValueError as refused:
        raise error(f"{where}: is not JSON ({_short(refused)})") from None
    if not isinstance(value, kind):
        raise error(f"{where}: {given[:40]!r} is not {_KINDS[kind]} in JSON")
    _check(value, f"{where}: is not JSON that can be read", error)
    return value


def read_toml(given: str, where: str) -> dict[str, Any]:
    """Return the tables of a text.

    Raises
    ------
    InputError
        It is not TOML, is nested too deeply, or holds an integer of thousands of digits; ``where``
        names it.
    """
    unreadable = f"{where}: is not TOML that can be read"
    if _LONG_KEY.search(given):
        raise InputError(f"{unreadable}: nested too deeply")
    try:
        tables = tomllib.loads(given)
    except RecursionError:
        raise InputError(f"{unreadable}: nested too deeply") from None
    except ValueError as refused:
        raise InputError(f"{where}: is not TOML: {_short(refused)}") from None
    _check(tables, unreadable, InputError)
    return tables


def read_toml_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the tables of a file.

    Raises
    ------
    InputError
        As ``text`` and ``read_toml``.
    """
    return read_toml(text(path, limit=TOML_BYTES_MAX), os.fspath(path))


def _check(value: object, where: str, error: type[InputError]) -> None:
    """Refuse what would fail only where it is used: deep values, integers without a text."""
    level = [value]
    for _ in range(DEPTH_MAX + 1):
        below: list[Any] = []
        for one in level:
            kind = type(one)
            if kind is int and one.bit_length() > DIGITS_MAX * 10 // 3:  # type: ignore[attr-defined]
                raise error(f"{where}: holds an integer of more than {DIGITS_MAX:,} digits")
            if kind is list:
                below.extend(one)  # type: ignore[arg-type]
            elif kind is dict:
                below.extend(one.values())  # type: ignore[attr-defined]
        if not below:
            return
        level = below
    raise error(f"{where}: nested more than {DEPTH_MAX} levels deep")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _short(refused: Exception) -> str:
    line = " ".join(str(refused).split())[:160]
    # Python's advice is to raise a limit of its own.
    return (
        f"an integer of more than {DIGITS_MAX:,} digits"
        if "integer string conversion" in line
        else line
    )
