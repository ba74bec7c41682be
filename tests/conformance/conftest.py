"""Where the random networks come from, and the record of what was compared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance_record import Record


@pytest.fixture(scope="session")
def record() -> Iterator[Record]:
    """Return the counts of this session; written to SRNN_CONFORMANCE_RECORD where that is set."""
    kept = Record()
    yield kept
    file = os.environ.get("SRNN_CONFORMANCE_RECORD")
    if file:
        kept.write(Path(file))
