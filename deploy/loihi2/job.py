"""What the two sides of a board run exchange besides the records: options and the measurement."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ...simulate.measurement import Measurement
from ..lava.rundir import Job, RunDirectory
from .options import BoardOptions


@dataclass(frozen=True, eq=False)
class BoardJob(Job):
    """What to run on a board."""

    options: BoardOptions

    def write_measurement(self, run: RunDirectory, found: Measurement) -> None:
        """Write what was measured into the run directory."""
        _path(run).write_text(json.dumps(asdict(found)), encoding="utf-8")


def read_measurement(run: RunDirectory) -> Measurement | None:
    """Return what was measured, or None."""
    path = _path(run)
    if not path.exists():
        return None
    return Measurement(**json.loads(path.read_text(encoding="utf-8")))


def _path(run: RunDirectory) -> Path:
    return run.path / "measurement.json"
