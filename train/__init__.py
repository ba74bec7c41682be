"""Training of adaptive spiking recurrent networks with surrogate gradients.

Names are imported when they are first used, so that a part of the package loads without the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .foreign import from_foreign_weights
    from .loop import fit
    from .network import SRNN
    from .recipe import Recipe, make_recipe, read_plain
    from .save import float_model

_HOME = {
    "Recipe": "recipe",
    "SRNN": "network",
    "fit": "loop",
    "float_model": "save",
    "from_foreign_weights": "foreign",
    "make_recipe": "recipe",
    "read_plain": "recipe",
}

__all__ = [
    "SRNN",
    "Recipe",
    "fit",
    "float_model",
    "from_foreign_weights",
    "make_recipe",
    "read_plain",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
