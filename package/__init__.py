"""Adaptive spiking recurrent networks, from PyTorch to chip integers, the same bits at every stage.

``srnn.tasks`` loads data, ``srnn.train`` learns a network, ``srnn.export`` freezes it to integers,
``srnn.simulate`` runs them, and ``srnn.deploy`` runs them on Lava and on chips. docs/PYTHON.md has
a dozen lines for each.

Every package is imported when it is first used, and so is every name in it; the names are in its
``__init__.pyi``.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
