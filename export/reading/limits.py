"""What a file from outside may ask for, in one place; docs/FORMAT.md has the same table."""

from __future__ import annotations

import os

from ..errors import InputError

READ_BYTES = "SRNN_READ_BYTES"
"""The variable of the environment that raises ``BYTES_MAX``."""
BYTES_MAX = 1 << 28
"""Bytes that a file may declare, or inflate to, in all; or ``INFLATION`` times its own size."""
INFLATION = 4
TEXT_BYTES_MAX = 1 << 22
"""Bytes of a file of JSON, which is read as a whole; ``SRNN_READ_BYTES`` raises it."""
TOML_BYTES_MAX = 1 << 16
"""The same of TOML: settings; keys of 32 parts take 1 s at this size."""
LINE_BYTES_MAX = 1 << 20
"""Bytes of a line of CSV or of a stream, which holds a step; ``SRNN_READ_BYTES`` raises it."""
SAMPLE_BYTES_MAX = 6 << 20
"""Bytes of a line of a ``.ts`` file, which holds a sample; ``SRNN_READ_BYTES`` raises it."""
HEADER_BYTES_MAX = 1024
"""Bytes of the header of an ``.npy`` file, without the blanks at its end."""
OBJECTS_MAX = 100_000
"""Groups and datasets of an HDF5 file, names in lists of its text, members of an archive."""
VALUES_MAX = 1_000_000
"""Values of a file of torch, those that are shared counted every time."""
DEPTH_MAX = 32
"""Levels of tables and lists."""
DIGITS_MAX = 1000
"""Digits of an integer of TOML or JSON: Python takes quadratic time on them."""
GROUPS_DEEP_MAX = 8
"""Levels of groups of an HDF5 file."""
CHUNKS_MAX = 50_000
"""Chunks of a dataset of HDF5."""


def bytes_max(file_bytes: int) -> int:
    """Return what a file of so many bytes may declare or inflate to.

    Raises
    ------
    InputError
        ``SRNN_READ_BYTES`` is set and is not a whole number above 0.
    """
    return max(_given() or BYTES_MAX, INFLATION * file_bytes)


def raised(limit: int) -> int:
    """Return a limit, or what ``SRNN_READ_BYTES`` says where that is more.

    Raises
    ------
    InputError
        As ``bytes_max``.
    """
    return max(_given() or 0, limit)


def _given() -> int | None:
    given = os.environ.get(READ_BYTES)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 19 and int(given) > 0):
        raise InputError(
            f"{READ_BYTES}: {given[:20]!r} in the environment is not a number of bytes; unset it"
        )
    return int(given)


def check_bytes(
    asked: int, file_bytes: int, where: str, error: type[InputError] = InputError
) -> None:
    """Refuse to read what is larger than ``bytes_max``, before anything is allocated.

    Raises
    ------
    InputError
        It is, of the class ``error``; the message names the variable that raises the limit.
    """
    limit = bytes_max(file_bytes)
    if asked > limit:
        raise error(
            f"{where}: asks for {asked:,} bytes, above {limit:,}; if that is right, set "
            f"{READ_BYTES}={asked} in the environment"
        )
