"""From trained float models to networks of integers, and the files that carry both.

Names are imported when they are first used, so that a part of the package loads without the rest;
they are listed in ``__init__.pyi``.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
