"""Membrane, threshold and spikes of chosen neurons: what adaptation does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...export.errors import InputError
from ...export.network import Network
from ...export.trace import Trace
from .series import Series, variable
from .style import BLUE, FAINT, GREEN, VERMILLION, WIDE, colour, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEURONS_SHOWN = 3
STEPS_SHOWN = 400
SIGNIFICANT = 5
LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)))


def telling_neurons(trace: Trace, layer: int, sample: int, count: int = NEURONS_SHOWN) -> list[int]:
    """Return neurons to show: the busiest, the median and the rarest of those that spike.

    Counted over the first steps, which are shown. If none spikes there, the first neurons.
    """
    spikes = trace.layers[layer].spikes
    if spikes is not None:
        spikes = spikes[:, :STEPS_SHOWN]
    if spikes is None or not spikes[sample].any():
        states = next(iter(trace.layers[layer].states.values()), None)
        return list(range(min(count, 0 if states is None else states.shape[2])))
    counts = spikes[sample].sum(axis=0, dtype=np.int64)
    firing = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    places = np.unique(np.linspace(0, len(firing) - 1, min(count, len(firing))).astype(np.int64))
    return firing[places].tolist()


def states_series(
    network: Network,
    trace: Trace,
    layer: int = 0,
    sample: int = 0,
    *,
    neurons: Sequence[int] | None = None,
    steps: tuple[int, int] | None = None,
) -> tuple[Series, ...]:
    """Return membrane, threshold, adaptation and spike times of neurons, a series each.

    Raises
    ------
    InputError
        The trace holds no states, or no such layer, sample, neuron or steps.
    """
    if not 0 <= layer < len(trace.layers) or not 0 <= sample < len(trace.lengths):
        raise InputError(f"states: the trace has no layer {layer} or no sample {sample}")
    recorded = trace.layers[layer]
    if "v" not in recorded.states:
        raise InputError(f"layer {layer}: its states were not recorded; run with record='states'")
    length, size = int(trace.lengths[sample]), recorded.states["v"].shape[2]
    chosen = telling_neurons(trace, layer, sample) if neurons is None else list(neurons)
    first, last = (0, min(length, STEPS_SHOWN)) if steps is None else steps
    if not all(0 <= neuron < size for neuron in chosen) or not 0 <= first <= last <= length:
        raise InputError(
            f"states: neurons {chosen} of {size}, steps {first}..{last} of {length} steps"
        )
    scale = network.layers[layer].state_scale
    membrane = recorded.states["v"][sample, first:last].astype(np.float64) * scale
    threshold = _threshold(network, trace, layer, sample, first, last)
    adaptation = None
    if network.layers[layer].neuron.ADAPTATION is not None:
        assert threshold is not None
        adaptation = threshold - network.layers[layer].neuron.threshold()
    made = []
    for neuron in chosen:
        variables = [
            variable("step", np.arange(first, last), "step"),
            variable("membrane", membrane[:, neuron], digits=SIGNIFICANT),
        ]
        if threshold is not None:
            values = threshold[:, neuron] * scale[neuron]
            variables.append(variable("threshold", values, digits=SIGNIFICANT))
        if adaptation is not None:
            values = adaptation[:, neuron] * scale[neuron]
            variables.append(variable("adaptation", values, digits=SIGNIFICANT))
        if recorded.spikes is not None:
            fired = first + np.flatnonzero(recorded.spikes[sample, first:last, neuron])
            variables.append(variable("spike times", fired, "step"))
        made.append(Series(f"neuron {neuron}", tuple(variables)))
    return tuple(made)


def states(
    network: Network,
    trace: Trace,
    layer: int = 0,
    sample: int = 0,
    *,
    neurons: Sequence[int] | None = None,
    steps: tuple[int, int] | None = None,
) -> Figure:
    """Draw membrane, adaptive threshold and spikes of chosen neurons of one sample.

    All are in real units: the state times ``state_scale`` of the neuron. The threshold of an
    adaptive neuron is ``v_threshold + (d >> b_exp)`` (docs/FIXED_POINT.md), and constant where a
    neuron does not adapt; its rise is drawn below on a scale of its own. A spike is marked at the
    membrane potential that crossed the threshold; the reset follows one step later.

    Parameters
    ----------
    network
        Its thresholds and scales.
    trace
        A run with states recorded, int32 (batch, time, n).
    layer, sample
        Which.
    neurons
        Which; None: the busiest, the median and the rarest of those that spike.
    steps
        First step and the one after the last; None: the first 400.

    Raises
    ------
    InputError
        As ``states_series``.
    """
    series = states_series(network, trace, layer, sample, neurons=neurons, steps=steps)
    if not series:
        raise InputError(f"layer {layer}: no neuron to show")
    with styled():
        adapts = any(entry.name == "adaptation" for entry in series[0].variables)
        rows = len(series) + adapts
        figure, panels = new_figure(rows, width=WIDE, height=0.9 + 1.15 * rows)
        for axes, one in zip(panels, series, strict=False):
            step, membrane = one.array("step"), one.array("membrane")
            names = [entry.name for entry in one.variables]
            axes.plot(step, membrane, color=BLUE, linewidth=1.1, label="membrane")
            if "threshold" in names:
                axes.plot(
                    step,
                    one.array("threshold"),
                    color=VERMILLION,
                    linewidth=1.2,
                    linestyle=(0, (4, 1.5)),
                    label="threshold",
                )
            if "spike times" in names and one.values("spike times"):
                times = np.asarray(one.values("spike times"), dtype=np.int64)
                heights = membrane[times - int(step[0])]
                axes.plot(times, heights, "^", color=GREEN, markersize=3.5, label="spike")
            axes.axhline(0.0, color=FAINT, linewidth=0.5)
            axes.set_title(one.name)
            axes.margins(x=0.005)
        if adapts:
            for index, one in enumerate(series):
                panels[-1].plot(
                    one.array("step"),
                    one.array("adaptation"),
                    color=colour(index),
                    linewidth=1.2,
                    linestyle=LINES[index % len(LINES)],
                    label=one.name.removeprefix("neuron "),
                )
            panels[-1].set_title("adaptation: threshold above its value at rest, by neuron")
            panels[-1].legend(
                loc="lower right", bbox_to_anchor=(1.0, 0.96), borderaxespad=0.0, ncols=len(series)
            )
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=3)
        panels[-1].set_xlabel("step")
    return figure


def _threshold(  # noqa: PLR0917
    network: Network, trace: Trace, layer: int, sample: int, first: int, last: int
) -> npt.NDArray[np.float64] | None:
    """Return thresholds in state units (time, n), or None where the neuron has none."""
    neuron, kept = network.layers[layer].neuron, trace.layers[layer].states
    found = neuron.threshold(
        {name: values[sample, first:last].astype(np.int64) for name, values in kept.items()}
    )
    if found is None:
        return None
    return np.broadcast_to(np.asarray(found, np.float64), (last - first, neuron.size))
