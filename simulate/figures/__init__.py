"""The figures of a report, each a function from measured data to a matplotlib figure.

Beside each figure stands a function of its name with ``_series`` behind it, which returns the
numbers that the figure draws. matplotlib (the extra ``report``) is imported when a figure
is drawn; ``docs/figures.py`` shows the use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activity import layer_operations, rate_histogram
    from .confusion_matrix import confusion
    from .energy import energy_bars
    from .latency import decision_delays, early_exit
    from .output_traces import outputs
    from .pareto_front import pareto
    from .rasters import input_raster, raster
    from .series import Series, Variable
    from .state_traces import states
    from .time_constant_bars import time_constants
    from .timelines import timeline

_HOME = {
    "Series": "series",
    "Variable": "series",
    "confusion": "confusion_matrix",
    "decision_delays": "latency",
    "early_exit": "latency",
    "energy_bars": "energy",
    "input_raster": "rasters",
    "layer_operations": "activity",
    "outputs": "output_traces",
    "pareto": "pareto_front",
    "raster": "rasters",
    "rate_histogram": "activity",
    "states": "state_traces",
    "time_constants": "time_constant_bars",
    "timeline": "timelines",
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
