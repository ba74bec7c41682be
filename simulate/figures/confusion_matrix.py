"""The confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...export.errors import InputError
from .series import Series, variable
from .style import BLUE, GRID, NARROW, new_figure, short, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUMBERS_UP_TO = 12
"""Classes up to which the cells carry numbers."""


def confusion_series(counts: npt.ArrayLike, classes: Sequence[str] = ()) -> tuple[Series, ...]:
    """Return the counts, the share of each row, and the names of the classes.

    Raises
    ------
    InputError
        Counts that are not square, or another number of names.
    """
    matrix = np.asarray(counts, dtype=np.int64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"confusion: counts {matrix.shape}, needs (classes, classes)")
    names = [short(name, 12) for name in classes] or [str(index) for index in range(len(matrix))]
    if len(names) != len(matrix):
        raise InputError(f"confusion: {len(names)} names for {len(matrix)} classes")
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return (
        Series(
            "confusion",
            (
                variable("class", names),
                variable("count", matrix),
                variable("share of the label", share, digits=4),
            ),
        ),
    )


def confusion(counts: npt.ArrayLike, classes: Sequence[str] = ()) -> Figure:
    """Draw a confusion matrix: rows are labels, columns answers, opacity the share of the row.

    Parameters
    ----------
    counts
        Integers (classes, classes), as ``tasks.metrics.confusion`` returns them.
    classes
        Names; numbers where empty.

    Raises
    ------
    InputError
        As ``confusion_series``.
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    (series,) = confusion_series(counts, classes)
    share, names = series.array("share of the label"), series.values("class")
    size = len(names)
    with styled():
        figure, (axes,) = new_figure(width=NARROW, height=min(1.2 + 0.42 * max(size, 4), 5.2))
        cells = [
            Rectangle((x - 0.48, y - 0.48), 0.96, 0.96) for y in range(size) for x in range(size)
        ]
        faces = [_tint(value) for value in share.ravel()]
        axes.add_collection(
            PatchCollection(cells, facecolors=faces, edgecolors=GRID, linewidths=0.6)
        )
        if size <= NUMBERS_UP_TO:
            for y, x in np.ndindex(size, size):
                text = f"{100 * share[y, x]:.0f}" if share[y, x] >= 0.005 else ""
                axes.text(x, y, text, ha="center", va="center", fontsize=9)
        axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), xlabel="answer", ylabel="label")
        places = range(0, size, -(-size // 20))
        shown = [names[place] for place in places]
        axes.set_xticks(places, labels=shown, rotation=90 if max(map(len, shown)) > 4 else 0)
        axes.set_yticks(places, labels=shown)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title("percent of each label")
    return figure


def _tint(share: float) -> tuple[str, float]:
    """Return a text colour that is legible on a cell in either theme."""
    return BLUE, 0.62 * float(share) ** 0.6
