"""A digest of the files that are compiled together."""

from __future__ import annotations

import zlib
from pathlib import Path

COMPILED = (
    "simd.py", "rows.py", "lines.py", "delays.py", "fields.py", "programs.py",
    "derived.py", "kernels.py",
)  # fmt: skip


def source_digest() -> int:
    """Return a checksum of the texts of ``COMPILED``."""
    folder = Path(__file__).parent
    return zlib.crc32(b"".join((folder / name).read_bytes() for name in COMPILED))
