"""Integer networks on Lava and on Loihi-class chips.

``pick("auto").backend.run(network, inputs)`` gives a ``Trace``; ``check`` compares it with the
simulator. Importing this package imports neither PyTorch nor Lava.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
