"""Each neuron written once: parameters, states and its step of integers.

Names are imported when they are first used; they are listed in ``__init__.pyi``.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
