"""The exact, compiled way through time for spiking layers on the CPU.

``SpikingSequence`` is a layer of its own, ``spiking_sequence`` the function under it;
``spiking_stack`` runs several layers at once, which is faster than one after the other, and is what
``SRNN`` uses unless it is told otherwise. ``Events`` are an input as event lists.
"""

from .events import Events
from .layer import SpikingSequence
from .sequence import Result, spiking_sequence
from .stack import StackLayer, StackResult, spiking_stack
from .surrogates import encode
from .threads import get_threads, set_threads

__all__ = [
    "Events",
    "Result",
    "SpikingSequence",
    "StackLayer",
    "StackResult",
    "encode",
    "get_threads",
    "set_threads",
    "spiking_sequence",
    "spiking_stack",
]
