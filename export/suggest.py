"""What a message says of an unknown name: the nearest one, and those that there are."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import InputError, shown

CLOSE = 0.6
"""Likeness, 0 to 1, from which a name is taken for another one misspelled."""
LISTED = 240
"""Characters of a list of names in a message; a longer one is cut."""


def unknown(kind: str, word: object, known: Iterable[str], where: str = "") -> str:
    """Write the whole sentence: ``where: unknown KIND 'word'; did you mean 'x'? (known: ...)``.

    Parameters
    ----------
    kind
        What the name is of: ``task``, ``option``, ``setting``.
    word
        What was given; anything that is not text has no near name.
    known
        The names there are, in the order in which they are listed. A list that is too long for a
        line is left out where a near name is found, and cut elsewhere.
    where
        Leads to the name, such as a file or an option; left out when empty.
    """
    names = list(dict.fromkeys(known))
    near = closest(word, names) if isinstance(word, str) else None
    listed = ", ".join(names)
    if len(listed) > LISTED:
        listed = "" if near else f"{listed[:LISTED].rsplit(', ', 1)[0]}, ..."
    return (
        (f"{where}: " if where else "")
        + f"unknown {kind} {shown(word)}"
        + (f"; did you mean {near!r}?" if near else "")
        + (f" (known: {listed})" if listed else "")
    )


def check_known(
    kind: str,
    word: object,
    known: Iterable[str],
    where: str = "",
    error: type[InputError] = InputError,
) -> None:
    """Refuse a name that is not among those known.

    Raises
    ------
    InputError
        It is not; the sentence of ``unknown``. ``error`` is the class that is raised.
    """
    names = list(known)
    if word not in names:
        raise error(unknown(kind, word, names, where))


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that a word most likely stands for, None where none is near.

    Case, ``-`` or ``_``, and leading hyphens do not count. The last part of a dotted name serves
    for the whole: ``sise`` is near ``layers.0.size``.
    """
    import difflib

    names = list(known)
    by_form = {_form(name): name for name in reversed(names)}
    by_end = {_form(name).rsplit(".", 1)[-1]: name for name in reversed(names)}
    wanted = _form(word)
    for forms, sought in (
        (by_form, wanted),
        # Where the table is wrong or left out, the setting itself may still be right.
        (by_end, wanted.rsplit(".", 1)[-1]),
    ):
        if sought in forms:
            return forms[sought]
    for forms, sought in ((by_form, wanted), (by_end, wanted)):
        near = difflib.get_close_matches(sought, forms, n=1, cutoff=CLOSE)
        if near:
            return forms[near[0]]
    return None


def _form(name: str) -> str:
    return name.lower().replace("_", "-").lstrip("-")
