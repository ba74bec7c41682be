"""Accuracy over cost: which network to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...export.errors import InputError
from .series import Series, variable
from .style import (
    FAINT,
    MARKERS,
    WIDE,
    colour,
    log_axis,
    new_figure,
    short,
    si_label,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOGARITHMIC = 10.0
"""Ratio of costs above which the axis is logarithmic."""


@dataclass(frozen=True)
class Candidate:
    """A network to choose from: ``accuracy`` 0 to 1, ``cost`` above 0."""

    name: str
    accuracy: float
    cost: float

    def __post_init__(self) -> None:
        if not 0 <= self.accuracy <= 1 or not self.cost > 0:
            raise InputError(
                f"{self.name}: accuracy {self.accuracy} outside 0..1 or cost {self.cost} below 0"
            )


def front(candidates: Sequence[Candidate]) -> list[int]:
    """Return who is on the Pareto front, cheapest first: no other is better at no higher cost."""
    order = sorted(
        range(len(candidates)), key=lambda i: (candidates[i].cost, -candidates[i].accuracy)
    )
    best, kept = -1.0, []
    for index in order:
        if candidates[index].accuracy > best:
            best = candidates[index].accuracy
            kept.append(index)
    return kept


def pareto_series(candidates: Sequence[Candidate], unit: str) -> tuple[Series, ...]:
    """Return the candidates and the names on the front; see ``pareto``."""
    if not candidates:
        raise InputError("pareto: no network to compare")
    return (
        Series(
            "networks",
            (
                variable("name", [short(one.name, 40) for one in candidates]),
                variable("accuracy", [one.accuracy for one in candidates]),
                variable("cost", [one.cost for one in candidates], unit),
            ),
        ),
        Series(
            "front", (variable("name", [short(candidates[i].name, 40) for i in front(candidates)]),)
        ),
    )


def pareto(candidates: Sequence[Candidate], unit: str, cost: str = "energy") -> Figure:
    """Draw accuracy over cost, the Pareto front as a line: up and to the left is better.

    Parameters
    ----------
    candidates
        The networks.
    unit, cost
        What their cost is, for the axis.

    Raises
    ------
    InputError
        No candidates.
    """
    series, best = pareto_series(candidates, unit)
    names, accuracy = series.values("name"), 100 * series.array("accuracy")
    costs = series.array("cost")
    with styled():
        figure, (axes,) = new_figure(width=WIDE, height=3.8)
        chosen = front(candidates)
        assert tuple(names[i] for i in chosen) == best.values("name")
        steps = [*costs[chosen], costs.max()], [*accuracy[chosen], accuracy[chosen[-1]]]
        axes.step(*steps, where="post", color=FAINT, linewidth=1.2, linestyle=(0, (4, 1.5)))
        for index, name in enumerate(names):
            axes.plot(
                costs[index],
                accuracy[index],
                color=colour(index),
                marker=MARKERS[index % len(MARKERS)],
                markersize=9,
                linestyle="none",
                label=name,
            )
        if costs.max() > LOGARITHMIC * costs.min():
            log_axis(axes, unit)
        else:
            axes.xaxis.set_major_formatter(lambda value, _: si_label(value, unit))
        axes.set(xlabel=cost, ylabel="accuracy, %")
        axes.margins(0.12)
        axes.grid(visible=True)
        figure.legend(loc="outside right upper")
    return figure
