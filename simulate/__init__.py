"""Bit-accurate simulation of integer networks on a CPU.

Names are imported when they are first used, so that a part of the package loads without the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activity import Activity
    from .simulator import run, run_with_activity
    from .streaming import StreamingSimulator
    from .tracefile import read_trace

_HOME = {
    "Activity": "activity",
    "StreamingSimulator": "streaming",
    "read_trace": "tracefile",
    "run": "simulator",
    "run_with_activity": "simulator",
}

__all__ = [
    "Activity",
    "StreamingSimulator",
    "read_trace",
    "run",
    "run_with_activity",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
