"""A disk that is full, for one process: no file of it may grow beyond a number of bytes.

The write that passes the limit is cut short and the next fails, as on a full disk.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHILD = """
import os, resource, sys
size, out, module, *words = sys.argv[1:]
if out:
    os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))
sys.argv = ["srnn", *words]
from srnn.export.entry import start
sys.exit(start(module.split(".")[1], module + ".__main__"))
"""


@contextmanager
def full_after(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def command_on_full_disk(
    size: int, module: str, *words: str | Path, output: Path | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command, such as ``srnn.export``; ``output``: a file for its standard output.

    ``given``: what it reads from its standard input.
    """
    return subprocess.run(
        [sys.executable, "-c", _CHILD, str(size), str(output or ""), module, *map(str, words)],
        capture_output=True, text=True, check=False, input=given,
    )  # fmt: skip
