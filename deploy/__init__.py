"""Integer networks on Lava and on Loihi-class chips.

``pick("auto").backend.run(network, inputs)`` gives a ``Trace``; ``check`` compares it with the
simulator. Names are imported when they are first used; none of them imports PyTorch or Lava.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backends import (
        BACKENDS,
        Availability,
        Backend,
        LavaBackend,
        Loihi2Backend,
        RunOptions,
        SimulatorBackend,
        pick,
        targets,
    )
    from .errors import RunError
    from .loihi2.options import BoardOptions
    from .measuring import MeasuredRun, MeasuringBackend
    from .plan import LayerPlan

_HOME = {
    "BACKENDS": "backends",
    "Availability": "backends",
    "Backend": "backends",
    "BoardOptions": "loihi2.options",
    "LavaBackend": "backends",
    "LayerPlan": "plan",
    "Loihi2Backend": "backends",
    "MeasuredRun": "measuring",
    "MeasuringBackend": "measuring",
    "RunError": "errors",
    "RunOptions": "backends",
    "SimulatorBackend": "backends",
    "pick": "backends",
    "targets": "backends",
}

__all__ = [
    "BACKENDS",
    "Availability",
    "Backend",
    "BoardOptions",
    "LavaBackend",
    "LayerPlan",
    "Loihi2Backend",
    "MeasuredRun",
    "MeasuringBackend",
    "RunError",
    "RunOptions",
    "SimulatorBackend",
    "pick",
    "targets",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
