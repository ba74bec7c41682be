"""Outputs over time, of the float model and of the integer network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...export.errors import InputError
from .series import Series, variable
from .style import WIDE, colour, new_figure, short, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLASSES_SHOWN, STEPS_SHOWN = 3, 400


def outputs_series(
    real: npt.ArrayLike, integer: npt.ArrayLike, classes: Sequence[str] = ()
) -> tuple[Series, ...]:
    """Return both outputs of the classes with the largest values, a series each; see ``outputs``.

    Raises
    ------
    InputError
        Arrays of different shapes, or no step.
    """
    one, two = np.asarray(real, dtype=np.float64), np.asarray(integer, dtype=np.float64)
    if one.ndim != 2 or one.shape != two.shape or len(one) == 0:
        raise InputError(f"outputs: shapes {one.shape} and {two.shape}, need (time, class) of both")
    chosen = np.argsort(-np.abs(one).max(axis=0), kind="stable")[:CLASSES_SHOWN]
    names = list(classes) if len(classes) == one.shape[1] else list(map(str, range(one.shape[1])))
    steps = variable("step", np.arange(min(len(one), STEPS_SHOWN)), "step")
    return tuple(
        Series(
            short(names[index]),
            (
                steps,
                variable("float", one[:STEPS_SHOWN, index], digits=5),
                variable("integer", two[:STEPS_SHOWN, index], digits=5),
            ),
        )
        for index in sorted(chosen.tolist())
    )


def outputs(real: npt.ArrayLike, integer: npt.ArrayLike, classes: Sequence[str] = ()) -> Figure:
    """Draw the outputs of one sample, of the float model and of the integer network, in real units.

    Parameters
    ----------
    real, integer
        Float (time, class): what a ``model.pt`` stores, and ``readout.real_output`` of a trace.
    classes
        Names; numbers where empty.

    Raises
    ------
    InputError
        As ``outputs_series``.
    """
    series = outputs_series(real, integer, classes)
    with styled():
        figure, (axes,) = new_figure(width=WIDE, height=2.7)
        for index, one in enumerate(series):
            step = one.array("step")
            axes.plot(step, one.array("float"), color=colour(index), linewidth=2.6, alpha=0.45)
            axes.plot(
                step,
                one.array("integer"),
                color=colour(index),
                linewidth=1.2,
                linestyle=(0, (3, 1.5)),
                label=one.name,
            )
        axes.set(xlabel="step", ylabel="output")
        axes.margins(x=0.005)
        figure.legend(loc="outside upper right", ncols=CLASSES_SHOWN)
    return figure
