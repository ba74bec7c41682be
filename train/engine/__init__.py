"""Spiking layers over a whole sequence on the CPU, compiled, with exact gradients.

``SpikingSequence`` is a stand-alone layer and ``spiking_sequence`` the function behind it;
``spiking_stack`` runs several layers at once, which is faster than one after another, and is what
``SRNN`` uses by default. ``Events`` holds inputs as event lists.
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
