"""What every setting means, read from the docstring of the dataclass that declares it.

A setting is a field of a dataclass, and its meaning stands in that class's ``Parameters``, in the
form of numpydoc. ``srnn-train --show``, ``srnn-simulate --pilot-example`` and docs/TASKS.md print
it; nothing repeats it.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass

_HEADING = "Parameters\n----------\n"


def meanings(kind: type) -> dict[str, str]:
    """Return the meaning of every field of a dataclass, on one line; of inherited fields too.

    A field that no docstring describes is left out.
    """
    found: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        if is_dataclass(owner):
            found |= _described(inspect.cleandoc(owner.__doc__ or ""))
    return {f.name: found[f.name] for f in fields(kind) if f.name in found}


def in_brief(meaning: str) -> str:
    """Return the first sentence, without its full stop and the marks of code."""
    sentence = re.split(r"\.\s", meaning, maxsplit=1)[0]
    return sentence.rstrip(".").replace("``", "")


def _described(doc: str) -> dict[str, str]:
    _, heading, body = doc.partition(_HEADING)
    found: dict[str, list[str]] = {}
    if heading:
        # The next section begins with a heading of its own.
        body = re.split(r"\n\n\w+\n---", body, maxsplit=1)[0]
        names: list[str] = []
        for line in body.splitlines():
            if line and not line.startswith(" "):
                names = [name.strip() for name in line.split(",")]
                found |= {name: [] for name in names}
            elif line.strip():
                for name in names:
                    found[name].append(line.strip())
    return {name: " ".join(lines) for name, lines in found.items()}
