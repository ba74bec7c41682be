"""Integer networks on Lava and on Loihi-class chips.

``pick("auto").backend.run(network, inputs)`` gives a ``Trace``; ``check`` compares it with the
simulator. Importing this package imports neither PyTorch nor Lava.
"""

from .backends import (
    BACKENDS,
    Availability,
    Backend,
    LavaBackend,
    RunOptions,
    SimulatorBackend,
    pick,
    targets,
)
from .errors import RunError
from .plan import LayerPlan

__all__ = [
    "BACKENDS",
    "Availability",
    "Backend",
    "LavaBackend",
    "LayerPlan",
    "RunError",
    "RunOptions",
    "SimulatorBackend",
    "pick",
    "targets",
]
