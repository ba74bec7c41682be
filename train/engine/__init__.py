"""The exact, compiled way through time for spiking layers on the CPU.

``SpikingSequence`` is a layer of its own, ``spiking_sequence`` the function under it, ``Events`` an
input as event lists. ``SRNN(config, engine="events")`` uses them for every layer.
"""

from .events import Events
from .layer import SpikingSequence
from .sequence import Result, spiking_sequence
from .surrogates import encode
from .threads import get_threads, set_threads

__all__ = [
    "Events",
    "Result",
    "SpikingSequence",
    "encode",
    "get_threads",
    "set_threads",
    "spiking_sequence",
]
