"""What ``srnn-deploy --target c`` and ``--target mcu`` were asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class COptions:
    """Options of a run as C.

    ``name``: the stem of the network's file, from which public names are made; ``emit``: the folder
    that keeps the files, None for none; ``board``: the core or the part, None for the default.
    """

    name: str = "network"
    emit: Path | None = None
    board: str | None = None
