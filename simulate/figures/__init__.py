"""The figures of a report, each a function from measured data to a matplotlib figure.

Beside each figure stands a function of its name with ``_series`` behind it, which returns the
numbers that the figure draws. matplotlib (``pip install 'srnn[report]'``) is imported when a figure
is drawn; ``docs/figures.py`` shows the use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activity import layer_operations, rate_histogram
    from .confusion import confusion
    from .energy import energy_bars
    from .latency import decision_delays, early_exit
    from .outputs import outputs
    from .pareto import pareto
    from .raster import input_raster, raster
    from .series import Series, Variable
    from .states import states
    from .time_constants import time_constants
    from .timeline import timeline

_HOME = {
    "Series": "series",
    "Variable": "series",
    "confusion": "confusion",
    "decision_delays": "latency",
    "early_exit": "latency",
    "energy_bars": "energy",
    "input_raster": "raster",
    "layer_operations": "activity",
    "outputs": "outputs",
    "pareto": "pareto",
    "raster": "raster",
    "rate_histogram": "activity",
    "states": "states",
    "time_constants": "time_constants",
    "timeline": "timeline",
}

__all__ = [
    "Series",
    "Variable",
    "confusion",
    "decision_delays",
    "early_exit",
    "energy_bars",
    "input_raster",
    "layer_operations",
    "outputs",
    "pareto",
    "raster",
    "rate_histogram",
    "states",
    "time_constants",
    "timeline",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
