"""Whether what is printed is seen on a terminal."""

from __future__ import annotations

import os
from typing import TextIO


def on_terminal(stream: TextIO | None) -> bool:
    """Whether what is written can be drawn again and coloured.

    A command that a notebook's cell starts has a terminal too, but the cell keeps every bar that
    was ever drawn; the kernel tells its children its process number.
    """
    return stream is not None and stream.isatty() and "JPY_PARENT_PID" not in os.environ
