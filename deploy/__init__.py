"""Integer networks on Lava and on Loihi-class chips.

``pick("auto").backend.run(network, inputs)`` gives a ``Trace``; ``check`` compares it with the
simulator. Names are imported when they are first used; none of them imports PyTorch or Lava.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
