"""Spikes and synaptic operations by layer, and how they spread over neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...export.errors import InputError
from ..activity import Activity
from .series import Series, variable
from .style import BLUE, FAINT, NARROW, VERMILLION, new_figure, short, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 25


def layer_operations_series(activity: Activity) -> tuple[Series, ...]:
    """Return effective ACs and MACs and dense operations per step, one value per layer."""
    steps = max(activity.steps, 1)
    names = variable("layer", [short(layer.name) for layer in activity.layers])
    return tuple(
        Series(
            name,
            (
                names,
                variable(
                    "operations a step",
                    [getattr(layer, field) / steps for layer in activity.layers],
                    "1/step",
                ),
            ),
        )
        for name, field in (
            ("Effective ACs", "effective_acs"),
            ("Effective MACs", "effective_macs"),
            ("Dense", "dense_operations"),
        )
    )


def layer_operations(activity: Activity) -> Figure:
    """Draw the synaptic operations per step by layer, effective next to dense ones.

    Terms and counting are NeuroBench's; see ``simulate/activity.py``.
    """
    series = layer_operations_series(activity)
    names = series[0].values("layer")
    with styled():
        figure, (axes,) = new_figure(width=NARROW, height=1.3 + 0.75 * min(len(names), 8))
        place = np.arange(len(names))
        left = np.zeros(len(names))
        for one, colour in zip(series[:2], (BLUE, VERMILLION), strict=True):
            values = one.array("operations a step")
            if values.any():
                axes.barh(place - 0.2, values, 0.36, left=left, color=colour, label=one.name)
            left += values
        dense = series[2].array("operations a step")
        axes.barh(place + 0.2, dense, 0.36, color=FAINT, alpha=0.45, label="Dense")
        for at, (value, other) in enumerate(zip(left, dense, strict=True)):
            for number, shift in ((value, -0.2), (other, 0.2)):
                axes.annotate(
                    f"{number:,.0f}",
                    (number, at + shift),
                    (4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=9,
                )
        axes.set_yticks(place, labels=[f"layer {name}" for name in names])
        axes.invert_yaxis()
        axes.margins(x=0.16)
        axes.set_xlabel("synaptic operations a step")
        figure.legend(loc="outside upper right", ncols=3)
    return figure


def rate_histogram_series(activity: Activity, layer: int = 0) -> tuple[Series, ...]:
    """Return how many neurons of a layer fire at which rate, in spikes a step.

    Raises
    ------
    InputError
        No such layer, one that does not spike, or nothing ran.
    """
    if not 0 <= layer < len(activity.layers) or not activity.layers[layer].spiking:
        raise InputError(f"layer {layer}: is not there or does not spike")
    if activity.steps == 0:
        raise InputError("activity: no step ran")
    rates = activity.layers[layer].spikes / activity.steps
    edges = np.linspace(0.0, max(float(rates.max()), 1e-6), BINS + 1)
    counts = np.histogram(rates, edges)[0]
    return (
        Series(
            "neurons",
            (
                variable("from", edges[:-1], "spikes/step"),
                variable("to", edges[1:], "spikes/step"),
                variable("neurons", counts),
            ),
        ),
        Series("mean", (variable("firing rate", [float(rates.mean())], "spikes/step"),)),
    )


def rate_histogram(activity: Activity, layer: int = 0) -> Figure:
    """Draw how the firing rates of a layer's neurons spread, their mean as a line.

    Raises
    ------
    InputError
        As ``rate_histogram_series``.
    """
    series, mean = rate_histogram_series(activity, layer)
    with styled():
        figure, (axes,) = new_figure(width=NARROW, height=2.7)
        edges = np.append(series.array("from"), series.array("to")[-1])
        axes.stairs(series.array("neurons"), edges, fill=True, color=BLUE, alpha=0.65)
        rate = mean.array("firing rate")[0]
        axes.axvline(rate, color=VERMILLION, linewidth=1.8, linestyle=(0, (4, 1.5)))
        axes.set_title(f"mean {rate:.4g}")
        axes.set(xlabel="firing rate, spikes a step", ylabel="neurons", xlim=(0, edges[-1]))
    return figure
