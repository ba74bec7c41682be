"""Data sets and spike encoders that training, simulator and boards share.

``load("ecg", data_dir)`` gives a ``Task``: three splits of integer inputs with labels, and a
description that travels with the model. No torch here.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
