"""What a part counts, and what all parts need: commands in processes of their own, and kills."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from paths import ROOT

ZOO = ROOT / "zoo"
SHOWN = 5
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@dataclass
class Row:
    """How often something was done, and how often it was not as expected."""

    done: int = 0
    failed: int = 0


@dataclass
class Tally:
    """Rows of the table; ``counts`` and ``measured`` say more, ``wrong`` what failed."""

    rows: dict[str, Row] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    measured: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def check(self, what: str, *problems: str) -> None:
        """Count one in row ``what``; every text that is not empty says what is wrong with it."""
        found = [problem for problem in problems if problem]
        row = self.rows.setdefault(what, Row())
        row.done += 1
        row.failed += bool(found)
        self.wrong += [f"FAILED: {what}: {problem}" for problem in found]

    def notes(self) -> list[str]:
        """Return lines for people."""
        lines = [f"{name}: {count:,}" for name, count in sorted(self.counts.items())]
        lines += [f"{name}: {value}" for name, value in self.measured.items()]
        hidden = len(self.wrong) - SHOWN
        return lines + self.wrong[:SHOWN] + ([f"and {hidden} more"] if hidden > 0 else [])


class Command:
    """A command in a process of its own; what it prints goes to files.

    Parameters
    ----------
    module
        Such as ``srnn.train``.
    words
        Its arguments.
    log
        The file for standard output; standard error goes to ``log`` with ``.err`` added.
    """

    def __init__(self, module: str, *words: str | Path, log: Path) -> None:
        self.log, self._errors = log, log.with_name(f"{log.name}.err")
        with log.open("wb") as out, self._errors.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *map(str, words)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=ENVIRONMENT,
            )  # fmt: skip

    @property
    def printed(self) -> str:
        """What is on standard output so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def errors(self) -> str:
        """What is on standard error so far."""
        return self._errors.read_text(encoding="utf-8", errors="replace")

    def wait(self, patience: float = 600) -> int:
        """Return the exit code."""
        return self.process.wait(patience)

    def wait_for(self, true: Callable[[], bool], seconds: float = 600) -> bool:
        """Wait until it is true; False where the process ended or the time is over before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if true():
                return True
            if self.process.poll() is not None:
                return true()
            time.sleep(0.005)
        return False

    def kill(self) -> bool:
        """Send SIGKILL; False where the process had ended by itself."""
        alive = self.process.poll() is None
        self.process.kill()
        return alive and self.process.wait() == -9


def undisturbed(module: str, *words: str | Path, log: Path) -> float:
    """Run a command that must succeed, and return its seconds."""
    began = time.monotonic()
    command = Command(module, *words, log=log)
    if command.wait() != 0:
        raise SystemExit(f"{module} {' '.join(map(str, words))}: {command.errors}")
    return time.monotonic() - began


def parts_in(folder: Path) -> list[Path]:
    """Return the temporary files that a killed process has left."""
    return sorted(folder.rglob(".*.part"))


def files_in(folder: Path) -> list[str]:
    """Return all files and folders below one."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
