"""How soon a network answers correctly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...export.errors import InputError
from ..latency import NOT_FOUND, ConfidentExit, DecisionLatency, EarlyExitCurve
from .series import Series, variable
from .style import BLUE, NARROW, VERMILLION, WIDE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def early_exit_series(
    curve: EarlyExitCurve, exits: Sequence[ConfidentExit] = ()
) -> tuple[Series, ...]:
    """Return accuracy over the steps seen, and over the mean steps until a confident answer."""
    made = [
        Series(
            "all samples cut off",
            (
                variable("steps", curve.steps, "steps"),
                variable("accuracy", curve.accuracy, digits=4),
            ),
        )
    ]
    if exits:
        made.append(
            Series(
                "stopped when confident",
                (
                    variable("confidence", [one.confidence for one in exits]),
                    variable("mean steps", [one.mean_steps for one in exits], "steps"),
                    variable("accuracy", [one.accuracy for one in exits], digits=4),
                ),
            )
        )
    return tuple(made)


def early_exit(curve: EarlyExitCurve, exits: Sequence[ConfidentExit] = ()) -> Figure:
    """Draw accuracy over steps: all samples cut off there, or each stopped when it is confident.

    Parameters
    ----------
    curve
        As ``latency.early_exit_curve`` returns it.
    exits
        As ``latency.confident_exits`` returns them.
    """
    series = early_exit_series(curve, exits)
    with styled():
        figure, (axes,) = new_figure(width=WIDE, height=3.2)
        cut = series[0]
        axes.plot(
            cut.array("steps"),
            100 * cut.array("accuracy"),
            color=BLUE,
            linewidth=1.8,
            label=cut.name,
        )
        for one in series[1:]:
            axes.plot(
                one.array("mean steps"),
                100 * one.array("accuracy"),
                "o",
                color=VERMILLION,
                markersize=5,
                label=one.name,
            )
        axes.set(xlabel="steps seen", ylabel="accuracy, %", ylim=(0, 102))
        axes.grid(visible=True)
        figure.legend(loc="outside upper right", ncols=2)
    return figure


def decision_delays_series(latency: DecisionLatency) -> tuple[Series, ...]:
    """Return the share of changes of label that are recognised within a number of steps.

    Raises
    ------
    InputError
        No change of label, or none that was recognised.
    """
    found = np.sort(latency.delays[latency.delays != NOT_FOUND])
    if not len(found):
        raise InputError("latency: no change of label was followed by a correct and stable answer")
    delays, counts = np.unique(found, return_counts=True)
    share = np.cumsum(counts) / latency.changes
    return (
        Series(
            "recognised",
            (
                variable("delay", delays, "steps"),
                variable("share of changes", share, digits=5),
            ),
        ),
        Series("never", (variable("share of changes", [latency.missed / latency.changes]),)),
    )


def decision_delays(latency: DecisionLatency) -> Figure:
    """Draw which share of changes of label is recognised within a number of steps.

    Parameters
    ----------
    latency
        As ``latency.decision_latency`` returns it.

    Raises
    ------
    InputError
        As ``decision_delays_series``.
    """
    recognised, never = decision_delays_series(latency)
    with styled():
        figure, (axes,) = new_figure(width=NARROW, height=3.2)
        delay = recognised.array("delay")
        share = 100 * recognised.array("share of changes")
        axes.step(delay, share, where="post", color=BLUE, linewidth=1.8)
        limit = 100 * (1 - never.array("share of changes")[0])
        axes.axhline(limit, color=VERMILLION, linewidth=1.2, linestyle=(0, (4, 1.5)))
        axes.set_title(f"{100 - limit:.1f} % are never recognised before the next change")
        last = float(np.searchsorted(share, 0.98 * limit))
        right = delay[min(int(last), len(delay) - 1)]
        axes.set(
            xlabel="steps since the label changed",
            ylabel="recognised, %",
            xlim=(0, max(float(right), 1.0)),
            ylim=(0, 102),
        )
        axes.grid(visible=True)
    return figure
