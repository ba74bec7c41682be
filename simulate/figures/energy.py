"""Estimated energy of a network and of the dense networks that could replace it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...export.errors import InputError
from ..estimates import EnergyReport
from .series import Series, variable
from .style import (
    BLUE,
    FAINT,
    ORANGE,
    VERMILLION,
    WIDE,
    log_axis,
    new_figure,
    short,
    si_label,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def energy_bars_series(energy: EnergyReport) -> tuple[Series, ...]:
    """Return the joules per inference of every option, one series per energy model.

    Raises
    ------
    InputError
        No estimate that is above 0.
    """
    made = []
    for model in energy.models:
        rows = [
            (one.option.name, one.option.basis, one.per_inference)
            for one in energy.estimates
            if one.model.name == model.name and one.per_inference.value > 0
        ]
        if not rows:
            continue
        names, basis, joules = zip(*rows, strict=True)
        made.append(
            Series(
                model.name,
                (
                    variable("option", [short(name) for name in names]),
                    variable("basis", list(basis)),
                    variable("value", [one.value for one in joules], "J"),
                    variable("low", [one.low for one in joules], "J"),
                    variable("high", [one.high for one in joules], "J"),
                ),
            )
        )
    if not made:
        raise InputError("energy: no estimate above 0")
    return tuple(made)


def energy_bars(energy: EnergyReport) -> Figure:
    """Draw the estimated joules per inference: a group per energy model, a bar per option.

    The scale is logarithmic; whiskers are the range that a model's constants leave open. The first
    option, the network itself, has a colour of its own.

    Parameters
    ----------
    energy
        As ``estimates.energy_report`` returns it.

    Raises
    ------
    InputError
        As ``energy_bars_series``.
    """
    series = energy_bars_series(energy)
    with styled():
        rows = sum(len(one.values("option")) for one in series) + len(series)
        figure, (axes,) = new_figure(width=WIDE, height=0.9 + 0.235 * rows)
        lows = [float(one.array("value").min()) for one in series]
        highs = [float(np.maximum(one.array("high"), one.array("value")).max()) for one in series]
        floor = 10.0 ** np.floor(np.log10(min(lows)) - 0.3)
        at, places, labels = 0.0, [], []
        for one in series:
            axes.annotate(
                one.name,
                (floor, at),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontweight="bold",
            )
            at += 1
            for option, basis, value, low, high in zip(
                *(one.values(name) for name in ("option", "basis", "value", "low", "high")),
                strict=True,
            ):
                own = option == series[0].values("option")[0]
                colour = BLUE if own else ORANGE if basis == "formula" else VERMILLION
                axes.barh(
                    at,
                    value - floor,
                    0.72,
                    left=floor,
                    color=colour,
                    alpha=1.0 if own else 0.75,
                )
                if low < high:
                    error = [[value - max(low, floor)], [high - value]]
                    axes.errorbar(
                        value, at, xerr=error, color=FAINT, capsize=3, linewidth=1.3, fmt="none"
                    )
                axes.annotate(
                    si_label(value, "J"),
                    (max(value, high), at),
                    (6, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=9,
                )
                places.append(at)
                labels.append(option)
                at += 1
        axes.set_yticks(places, labels=labels)
        log_axis(axes, "J")
        axes.set(xlim=(floor, max(highs) * 12), ylim=(at - 0.4, -0.6))
        axes.set_xlabel("estimated energy per inference")
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=True, axis="x")
    return figure
