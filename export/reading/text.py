"""Text from outside: one decoding, one bound on lines and files, one reader of JSON."""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Iterator
from typing import Any, NoReturn

from ..errors import InputError
from .files import content, existing, refusing
from .limits import LINE_BYTES_MAX, TEXT_BYTES_MAX

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def decoded(
    raw: bytes, where: str, error: type[InputError] = InputError, begins: bool = True
) -> str:
    """Return bytes as text of UTF-8, without a byte-order mark.

    ``begins``: whether the file begins here, where a mark may stand.

    Raises
    ------
    InputError
        Another encoding, which is named where a mark says it.
    """
    for mark, name in _MARKS if begins else ():
        if raw.startswith(mark):
            raise error(f"{where}: is {name} text; save it as UTF-8")
    try:
        return raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as found:
        raise error(
            f"{where}: is not UTF-8 text (byte {raw[found.start]:#04x} at {found.start}); save it "
            "as UTF-8"
        ) from None


def read_text(path: str | os.PathLike[str], error: type[InputError] = InputError) -> str:
    """Return a file of settings as text.

    Raises
    ------
    InputError
        No such file, too large for settings, or not UTF-8.
    """
    return decoded(content(path, TEXT_BYTES_MAX, error), str(path), error)


def read_lines(path: str | os.PathLike[str], error: type[InputError] = InputError) -> Iterator[str]:
    """Yield the lines of a file of any length, with their ends as Python has them.

    Raises
    ------
    InputError
        No such file, a line that is too long, or not UTF-8; the line is named.
    """
    file = existing(path, error)
    with refusing(path, "a readable text file", error), file.open("rb") as opened:
        number = 0
        while raw := opened.readline(LINE_BYTES_MAX + 1):
            number += 1
            where = str(path) if number == 1 else f"{path}: line {number}"
            if len(raw) > LINE_BYTES_MAX:
                raise error(f"{path}: line {number} is longer than {LINE_BYTES_MAX:,} bytes")
            yield decoded(raw, where, error, number == 1)


def json_value(text: str, where: str, error: type[InputError] = InputError) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    InputError
        Not JSON, nested too deeply, a number of thousands of digits, NaN or Infinity.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise error(f"{where}: is not JSON that can be read: nested too deeply") from None
    except ValueError as found:
        reason = " ".join(str(found).split())[:160]
        raise error(f"{where}: is not JSON ({reason})") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
