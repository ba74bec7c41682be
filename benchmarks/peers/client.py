"""The benchmark's end of the pipes to its workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from .shapes import Shape

ROOT = Path(__file__).resolve().parents[2]


class Implementation(NamedTuple):
    """A row of the table: its title, ``MODULE`` and variant of its worker, and its environment.

    ``environment``: a folder of a virtual environment, None for the one that runs the benchmark.
    """

    key: str
    title: str
    module: str
    way: str = ""
    environment: str | None = None


class Worker:
    """A running worker process; ``failed`` says why it is not running, if it is not."""

    def __init__(
        self, implementation: Implementation, threads: int, device: str, environments: Path = ROOT
    ) -> None:
        self.implementation = implementation
        self.failed: str | None = None
        self._process: subprocess.Popen[str] | None = None
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed by close)
        python = Path(sys.executable)
        if implementation.environment is not None:
            python = environments / implementation.environment / "bin" / "python"
        if not python.exists():
            self.failed = f"no {implementation.environment}: run make peers"
            return
        command = [str(python), "-m", "peers.worker", implementation.module, implementation.way]
        self._process = subprocess.Popen(
            [*command, str(threads), device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT / "benchmarks")},
        )

    @property
    def pid(self) -> int | None:
        """The process's number, None when there is none."""
        return None if self._process is None else self._process.pid

    def make(self, shape: Shape) -> dict[str, Any]:
        """Build a network; return the worker's answer, with ``failed`` if it cannot."""
        return self._ask({"make": shape._asdict()})

    def step(self) -> float:
        """Take a training step and return its wall time in seconds.

        Raises
        ------
        RuntimeError
            The worker died.
        """
        answer = self._ask({"step": True})
        if "failed" in answer:
            raise RuntimeError(f"{self.implementation.title}: {answer['failed']}")
        return answer["seconds"]

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            return {"failed": self.failed}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            return json.loads(line)
        process, self._process = self._process, None
        try:
            process.communicate()
        except BrokenPipeError:
            process.wait()
        self.failed = f"{self._last_words()} (exit code {process.returncode})"
        return {"failed": self.failed}

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        return lines[-1] if lines else "ended without a message"

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None
        self._log.close()
