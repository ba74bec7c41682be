"""Labels over time next to the inputs: for readouts that answer at every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...export.errors import InputError
from .rasters import draw_events, input_raster_series
from .series import Series, variable
from .style import BLUE, ORANGE, VERMILLION, WIDE, new_figure, short, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def timeline_series(
    inputs: npt.ArrayLike,
    predictions: npt.ArrayLike,
    targets: npt.ArrayLike | None = None,
    classes: Sequence[str] = (),
    valid: npt.ArrayLike | None = None,
) -> tuple[Series, ...]:
    """Return inputs, runs of equal labels and of equal answers, and where they differ.

    Raises
    ------
    InputError
        Arrays of different lengths, or a class beyond the names.
    """
    answered = np.asarray(predictions)
    known = None if targets is None else np.asarray(targets)
    counts = np.ones(len(answered), np.bool_) if valid is None else np.asarray(valid)
    lengths = {len(np.asarray(inputs)), len(answered), len(counts)}
    if len(lengths | ({len(known)} if known is not None else set())) != 1:
        raise InputError(f"timeline: arrays of {', '.join(map(str, sorted(lengths)))} steps")
    seen = [answered, *([] if known is None else [known])]
    count = max((int(array.max(initial=0)) for array in seen), default=0) + 1
    names = [short(name, 12) for name in classes] or [str(index) for index in range(count)]
    if count > len(names):
        raise InputError(f"timeline: class {count - 1} of {len(names)} classes")
    made = [
        *input_raster_series(inputs),
        Series("classes", (variable("class", names),)),
        _runs("answer", answered, np.ones(len(answered), np.bool_)),
    ]
    if known is not None:
        made.append(_runs("label", known, counts))
        wrong = np.flatnonzero((answered != known) & counts)
        made.append(Series("wrong answers", (variable("step", wrong, "step"),)))
    return tuple(made)


def timeline(
    inputs: npt.ArrayLike,
    predictions: npt.ArrayLike,
    targets: npt.ArrayLike | None = None,
    classes: Sequence[str] = (),
    valid: npt.ArrayLike | None = None,
) -> Figure:
    """Draw the inputs of one sample, its label as a band and the network's answer as a line.

    Parameters
    ----------
    inputs
        Integers (time, channel).
    predictions
        Class indices (time,).
    targets
        Class indices (time,), or None where labels are not known.
    classes
        Names; numbers where empty.
    valid
        Bool (time,), steps that have a label; None: all.

    Raises
    ------
    InputError
        As ``timeline_series``.
    """
    series = {
        one.name: one for one in timeline_series(inputs, predictions, targets, classes, valid)
    }
    names = series["classes"].values("class")
    with styled():
        figure, (above, below) = new_figure(
            2, width=WIDE, height=2.6 + 0.17 * min(len(names), 20), ratios=(1, 2)
        )
        draw_events(above, series["inputs"])
        above.set_ylabel("input channel")
        if "label" in series:
            _draw(below, series["label"], ORANGE, 9.0, "label")
        _draw(below, series["answer"], BLUE, 2.2, "answer")
        wrong = series["wrong answers"].values("step") if "wrong answers" in series else ()
        if wrong:
            below.plot(
                wrong, np.full(len(wrong), -0.8), "|", color=VERMILLION, markersize=6, label="wrong"
            )
        below.set_yticks(range(len(names)), labels=list(names))
        below.set_ylim(-1.2, len(names) - 0.4)
        below.set(xlabel="step")
        figure.legend(loc="outside upper right", ncols=3)
    return figure


def _draw(axes: Axes, series: Series, colour: str, width: float, name: str) -> None:
    axes.hlines(
        series.array("class"),
        series.array("first step") - 0.5,
        series.array("last step") + 0.5,
        color=colour,
        linewidth=width,
        alpha=0.55 if width > 4 else 1.0,
        label=name,
    )


def _runs(name: str, steps: npt.NDArray[np.int64], counts: npt.NDArray[np.bool_]) -> Series:
    """Return runs of equal classes, without the steps that do not count."""
    marked = np.where(counts, steps, -1)
    firsts = np.flatnonzero(np.diff(marked, prepend=-2))
    lasts = np.append(firsts[1:], len(marked)) - 1
    kept = marked[firsts] >= 0
    return Series(
        name,
        (
            variable("class", marked[firsts[kept]]),
            variable("first step", firsts[kept], "step"),
            variable("last step", lasts[kept], "step"),
        ),
    )
