"""Seconds of the processor that the worst text at the limits of files takes: run this file."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from srnn.export.errors import InputError
from srnn.export.reading.limits import SAMPLE_BYTES_MAX, TOML_BYTES_MAX
from srnn.export.reading.text import read_toml_file
from srnn.tasks.readers import read_recordings

TS = "@problemName a\n@timeStamps false\n@univariate false\n@classLabel true a b\n@data\n"
DEEP = ".".join("abcdefghijklmnopqrstuvwxyzabcd")
WORST = (
    ("ts", TS, "1,", "1:a\n"),
    ("ts", TS, "1:", "a\n"),
    ("ts", TS, "1,", "x:a\n"),
    ("ts", TS, "1:", "1,1:a\n"),
    ("toml", "", f"[x.{DEEP}.%d]\n", ""),
    ("toml", "", f"{DEEP}.e.x%d=1\n", ""),
    ("toml", "", f"[x%d.{DEEP}]\n", ""),
    ("toml", "a = [", "1,", "]\n"),
)
"""Kind, what begins the file, what is repeated (with its number) up to the limit, what ends it."""
READ: dict[str, Callable[[Path], object]] = {"ts": read_recordings, "toml": read_toml_file}


def write(folder: Path, kind: str, begin: str, part: str, end: str) -> Path:
    """Write a file as large as the limit allows."""
    limit = SAMPLE_BYTES_MAX if kind == "ts" else TOML_BYTES_MAX
    room = limit - (0 if kind == "ts" else len(begin)) - len(end) - 8
    size = len(part) if "%d" not in part else len(part % 10000)
    given = "".join(part % at if "%d" in part else part for at in range(room // size))
    path = folder / f"a.{kind}"
    path.write_text(begin + given + end, encoding="utf-8")
    return path


def main() -> int:
    """Print a line for each; 1 where one takes more than 2 s."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for kind, begin, part, end in WORST:
            path = write(Path(folder), kind, begin, part, end)
            began = time.process_time()
            with suppress(InputError):
                READ[kind](path)
            seconds = time.process_time() - began
            worst = max(worst, seconds)
            sys.stdout.write(f"{seconds:5.2f} s  {path.stat().st_size:,} bytes  {part[:30]!r}\n")
    return int(worst > 2)


if __name__ == "__main__":
    sys.exit(main())
