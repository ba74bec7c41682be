"""Opening a file from outside, and one line for whatever is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from .limits import READ_BYTES


def existing(path: str | os.PathLike[str], error: type[InputError] = InputError) -> Path:
    """Return the path of a regular file.

    Raises
    ------
    InputError
        There is none, or a folder, a device or a pipe is there.
    """
    found = Path(path)
    if found.is_dir():
        raise error(f"{path}: is a folder; name a file in it")
    if found.exists() and not found.is_file():
        raise error(f"{path}: is a device or a pipe, needs a file")
    if not found.is_file():
        raise error(f"{path}: no such file")
    return found


@contextmanager
def located(where: object, error: type[InputError] = InputError) -> Iterator[None]:
    """Put ``where`` before the message of an InputError raised inside that has it not yet."""
    try:
        yield
    except InputError as found:
        if str(found).startswith((f"{where}: ", f"{where}, ")):
            raise
        raise error(f"{where}: {found}") from None


@contextmanager
def refusing(
    path: str | os.PathLike[str], what: str, error: type[InputError] = InputError
) -> Iterator[None]:
    """Turn whatever a library raises on bytes from outside into one line that names the file.

    Parameters
    ----------
    path
        The file.
    what
        What it should be: "a complete .npz file".
    error
        The class to raise.

    Raises
    ------
    InputError
        The block raised: an InputError with the file's name before it, if it had none, and every
        other exception.
    """
    try:
        with located(path, error):
            yield
    except (InputError, ImportError):
        # A library that is not installed is no fault of the file: the command names its extra.
        raise
    except RecursionError:
        raise error(f"{path}: not {what}: nested too deeply") from None
    # Libraries document few of the exceptions that they raise on damaged bytes; Ctrl-C is none.
    except Exception as found:  # noqa: BLE001
        raise error(_line(path, what, found)) from None


def content(
    path: str | os.PathLike[str], limit: int, error: type[InputError] = InputError
) -> bytes:
    """Return the bytes of a file of at most ``limit`` bytes.

    Raises
    ------
    InputError
        There is no such file, it is larger, or it cannot be read.
    """
    file = existing(path, error)
    with refusing(path, "a readable file", error), file.open("rb") as opened:
        found = opened.read(min(limit, file.stat().st_size) + 1)
    if len(found) > limit:
        raise error(
            f"{path}: more than {limit:,} bytes, too large for such a file; if that is right, set "
            f"{READ_BYTES} in the environment to a number of bytes"
        )
    return found


def _line(path: str | os.PathLike[str], what: str, found: Exception) -> str:
    reason = " ".join(str(found).strip("'\"").split())[:160] or type(found).__name__
    if "unable to lock file" in reason or isinstance(found, BlockingIOError):
        return f"{path}: is locked: another program writes it; wait for its end or close it"
    if isinstance(found, PermissionError):
        return f"{path}: {found.strerror}"
    return f"{path}: not {what}, truncated, damaged or foreign ({reason})"
