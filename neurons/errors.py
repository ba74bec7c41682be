"""The errors that are shown to the user."""

from __future__ import annotations


class InputError(ValueError):
    """Something that the user gave cannot be used; commands print it as one line and exit with 2.

    The message says what is wrong, where (file, layer, neuron), the value, the limit and how to fix
    it.
    """


def index_list(indices: list[int], shown: int = 5) -> str:
    """Return the first few neuron indices as text, for example ``3, 7, 12 and 40 more``."""
    head = ", ".join(str(i) for i in indices[:shown])
    rest = len(indices) - shown
    return f"{head} and {rest} more" if rest > 0 else head


def counted(number: int, what: str) -> str:
    """Return a number of things as text: ``1 sample``, ``2,000 samples``, ``3 classes``."""
    plural = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{number:,} {what if number == 1 else plural}"


def shown(value: object, limit: int = 80) -> str:
    """Return a value as text for a message: one line and not too long, whatever a file holds."""
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else f"{text[:limit]}..."
