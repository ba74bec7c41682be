"""Integer networks on Lava and on Loihi-class chips.

``pick("auto").backend.run(network, inputs)`` gives a ``Trace``; ``check`` compares it with the
simulator. Importing this package imports neither PyTorch nor Lava.
"""

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
from .plan import LayerDescription

__all__ = [
    "BACKENDS",
    "Availability",
    "Backend",
    "BoardOptions",
    "LavaBackend",
    "LayerDescription",
    "Loihi2Backend",
    "MeasuredRun",
    "MeasuringBackend",
    "RunError",
    "RunOptions",
    "SimulatorBackend",
    "pick",
    "targets",
]
