"""Time constants before and after training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...export.config import Init
from ...export.errors import InputError
from ...export.grid import DECAY_ONE
from ...neurons.real import TAU_MAX, TAU_MIN
from .series import Series, variable
from .style import BLUE, NARROW, VERMILLION, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 24
_PLACES = tuple(digit * 10.0**power for power in range(-1, 4) for digit in (1, 2, 5))


def time_constant(code: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return ``tau = -1 / ln(1 - code / 4096)`` in steps: 0 for code 4096, infinite for code 0."""
    kept = 1.0 - np.minimum(np.asarray(code, dtype=np.float64), DECAY_ONE) / DECAY_ONE
    with np.errstate(divide="ignore"):
        return np.where(kept >= 1.0, np.inf, np.where(kept <= 0.0, 0.0, -1.0 / np.log(kept)))


def expected_counts(
    initial: Init, edges: npt.NDArray[np.float64], count: int
) -> npt.NDArray[np.float64]:
    """Return how many of ``count`` initial time constants each bin should hold, float64 (bins,).

    ``initial`` is the distribution of a recipe, clipped to the range of time constants.
    """
    below = np.array([_distribution(initial)(min(max(edge, 0.0), 1e30)) for edge in edges])
    # Clipping moves what is outside to the ends.
    below = np.where(edges <= TAU_MIN * (1 - 1e-9), 0.0, np.where(edges > TAU_MAX, 1.0, below))
    return count * np.diff(below)


def _distribution(initial: Init) -> Callable[[float], float]:
    mean, std, low, high = initial.mean, initial.std, initial.low, initial.high

    def constant(value: float) -> float:
        return float(value > mean)

    def normal(value: float) -> float:
        return 0.5 * (1.0 + math.erf((value - mean) / (std * math.sqrt(2.0))))

    def uniform(value: float) -> float:
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def log_uniform(value: float) -> float:
        return min(max(math.log(max(value, 1e-30) / low) / math.log(high / low), 0.0), 1.0)

    def single(value: float) -> float:
        return float(value > low)

    if initial.kind == "normal":
        return normal if std > 0 else constant
    if initial.kind == "constant":
        return constant
    if high == low:
        return single
    return uniform if initial.kind == "uniform" else log_uniform


def time_constants_series(
    learned: npt.ArrayLike, initial: Init | None = None, unit: str = "steps"
) -> tuple[Series, ...]:
    """Return the histogram of learned time constants and the expected initial one.

    Raises
    ------
    InputError
        No time constant, or one below 0.
    """
    values = np.asarray(learned, dtype=np.float64).ravel()
    if values.size == 0 or np.isnan(values).any() or (values < 0).any():
        raise InputError("time constants: none, or not numbers from 0 up")
    inside = np.clip(values, TAU_MIN, TAU_MAX)
    low, high = float(inside.min()), float(inside.max())
    if initial is not None:
        ends = {
            "constant": (initial.mean,) * 2,
            "normal": (initial.mean - 3 * initial.std, initial.mean + 3 * initial.std),
        }.get(initial.kind, (initial.low, initial.high))
        low, high = min(low, max(ends[0], TAU_MIN)), max(high, min(ends[1], TAU_MAX))
    edges = np.geomspace(low / 1.05, high * 1.05, BINS + 1)
    counts = np.histogram(inside, edges)[0]
    bounds = (variable("from", edges[:-1], unit), variable("to", edges[1:], unit))
    made = [Series("learned", (*bounds, variable("neurons", counts)))]
    if initial is not None:
        expected = expected_counts(initial, edges, values.size)
        made.append(Series("initial, expected", (*bounds, variable("neurons", expected, digits=4))))
    return tuple(made)


def time_constants(
    learned: npt.ArrayLike, initial: Init | None = None, name: str = "time constant"
) -> Figure:
    """Draw the histogram of learned time constants against their initial distribution.

    Parameters
    ----------
    learned
        Time constants in steps, float (n,); see ``time_constant`` for those of decay codes.
    initial
        The recipe's distribution; None where it is not known.
    name
        What they are, for the axis.

    Raises
    ------
    InputError
        As ``time_constants_series``.
    """
    series = time_constants_series(learned, initial)
    with styled():
        figure, (axes,) = new_figure(width=NARROW, height=2.7)
        edges = np.append(series[0].array("from"), series[0].array("to")[-1])
        axes.stairs(
            series[0].array("neurons"), edges, fill=True, color=BLUE, alpha=0.65, label="learned"
        )
        for one in series[1:]:
            axes.stairs(
                one.array("neurons"),
                edges,
                color=VERMILLION,
                linewidth=1.8,
                linestyle=(0, (4, 1.5)),
                label=one.name,
            )
        axes.set(xscale="log", xlabel=f"{name}, steps", ylabel="neurons")
        places = [x for x in _PLACES if edges[0] <= x <= edges[-1]]
        axes.set_xticks(places, labels=[f"{place:g}" for place in places], minor=False)
        axes.set_xticks([], minor=True)
        figure.legend(loc="outside upper right", ncols=2)
    return figure
