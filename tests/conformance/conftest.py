"""Where the random networks come from, and the record of what was compared."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "simulate"), str(HERE.parent / "export")]

from conformance_record import Record  # noqa: E402


@pytest.fixture(scope="session")
def record() -> Iterator[Record]:
    """Return the counts of this session; written to SRNN_CONFORMANCE_RECORD where that is set."""
    kept = Record()
    yield kept
    file = os.environ.get("SRNN_CONFORMANCE_RECORD")
    if file:
        kept.write(Path(file))
