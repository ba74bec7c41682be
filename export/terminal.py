"""Printing: the one place where text reaches a terminal, a pipe or a file of output.

Names of layers, classes, tasks and files come from strangers. What of them would move the cursor,
set the title, turn the direction of a line, or begin another line is printed as its escape, and so
is what standard output cannot encode.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

_BOLD, _END = "\x1b[1m", "\x1b[0m"


def on_terminal(stream: TextIO | None) -> bool:
    """Whether what is written can be drawn again and coloured.

    A command that a notebook's cell starts has a terminal too, but the cell keeps every bar that
    was ever drawn; the kernel tells its children its process number.
    """
    return stream is not None and stream.isatty() and "JPY_PARENT_PID" not in os.environ


def visible(text: str) -> str:
    r"""Return a text as one line of characters that are seen: all others as ``\x1b``, ``\u202e``.

    Such are control characters (line ends and tabs too), those that set the direction of writing,
    and bytes of a file's name that are no text.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def say(stream: TextIO | None, *lines: str, bold: bool = False) -> None:
    """Write lines, each made ``visible``; as ``put``."""
    start, end = (_BOLD, _END) if bold and _bold(stream) else ("", "")
    put(stream, "".join(f"{start}{visible(line)}{end}\n" for line in lines))


def put(stream: TextIO | None, text: str) -> None:
    """Write a text of which every part is ours or ``visible``, and flush; no stream takes nothing.

    Raises
    ------
    OSError
        Standard output cannot be written. Of standard error nothing is raised: there would be no
        place left to say so.
    """
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    encoded = text.encode(encoding, "backslashreplace")
    below = getattr(stream, "buffer", None)
    try:
        if isinstance(below, io.RawIOBase):
            # With PYTHONUNBUFFERED Python takes a write that was cut short for a whole one.
            rest = encoded.replace(b"\n", os.linesep.encode())
            while rest:
                rest = rest[below.write(rest) or 0 :]
        else:
            stream.write(encoded.decode(encoding))
        stream.flush()
    except OSError:
        if stream is not sys.stderr:
            raise
        give_up(stream)


def give_up(stream: TextIO | None) -> None:
    """Where a stream takes nothing more, keep Python from failing on the rest at exit."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _bold(stream: TextIO | None) -> bool:
    return on_terminal(stream) and not os.environ.get("NO_COLOR") and os.name != "nt"
