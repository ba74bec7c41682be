"""Raster plots: which neuron spikes when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...export.errors import InputError
from ...export.trace import Trace
from .series import Series, Variable, variable
from .style import BLUE, WIDE, new_figure, short, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS_MAX = 1040
"""Pixel columns of a raster; longer samples share them, a column is dark where any step is."""


def raster_series(trace: Trace, layer: int = 0, sample: int = 0) -> tuple[Series, ...]:
    """Return the spike times of each neuron of a layer in one sample, in steps.

    Raises
    ------
    InputError
        The trace has no such sample or layer, or does not hold its spikes.
    """
    spikes = _spikes(trace, layer, sample)
    times = tuple(tuple(np.flatnonzero(spikes[:, n]).tolist()) for n in range(spikes.shape[1]))
    return (
        Series(
            "spikes",
            (
                variable("neuron", np.arange(spikes.shape[1])),
                # Rows of different lengths do not make an array.
                Variable("spike times", times, "step"),
                variable("steps", [len(spikes)]),
            ),
        ),
    )


def raster(trace: Trace, layer: int = 0, sample: int = 0) -> Figure:
    """Draw the spikes of a layer in one sample over its steps, a row for each neuron.

    Parameters
    ----------
    trace
        A run with spikes recorded, uint8 (batch, time, n).
    layer, sample
        Which.

    Raises
    ------
    InputError
        As ``raster_series``.
    """
    (series,) = raster_series(trace, layer, sample)
    with styled():
        count = len(series.values("neuron"))
        figure, (axes,) = new_figure(width=WIDE, height=min(1.3 + 0.02 * count, 3.6))
        draw_times(axes, series)
        axes.set(xlabel="step", ylabel="neuron")
    return figure


def input_raster_series(inputs: npt.ArrayLike, names: Sequence[str] = ()) -> tuple[Series, ...]:
    """Return the events of one sample's inputs (time, channel): step, channel and value."""
    array = np.asarray(inputs)
    steps, channels = np.nonzero(array)
    return (
        Series(
            "inputs",
            (
                variable("step", steps, "step"),
                variable("channel", channels),
                variable("value", array[steps, channels]),
                variable("shape", array.shape),
                variable("channel name", [short(str(name)) for name in names]),
            ),
        ),
    )


def input_raster(inputs: npt.ArrayLike, names: Sequence[str] = ()) -> Figure:
    """Draw one sample's inputs, integers (time, channel): spikes, or graded values by opacity."""
    (series,) = input_raster_series(inputs, names)
    with styled():
        height = min(1.2 + 0.05 * int(series.values("shape")[1]), 2.6)
        figure, (axes,) = new_figure(width=WIDE, height=height)
        draw_events(axes, series)
        axes.set(xlabel="step", ylabel="channel")
    return figure


def draw_events(axes: Axes, series: Series) -> None:
    """Draw an ``inputs`` series on axes."""
    steps, channels = (int(length) for length in series.values("shape"))
    values = np.zeros((channels, steps))
    at = [np.asarray(series.values(name), dtype=np.int64) for name in ("channel", "step")]
    values[at[0], at[1]] = np.abs(series.array("value"))
    _image(axes, values)
    names = series.values("channel name")
    if names:
        axes.set_yticks(range(len(names)), labels=list(names))


def draw_times(axes: Axes, series: Series) -> None:
    """Draw a ``spikes`` series on axes."""
    rows = series.values("spike times")
    dark = np.zeros((len(rows), int(series.values("steps")[0])))
    for neuron, times in enumerate(rows):
        dark[neuron, list(times)] = 1.0
    _image(axes, dark)


def _image(axes: Axes, values: npt.NDArray[np.float64]) -> None:
    """Draw values (row, step) as an image with the value as opacity and no background."""
    rows, steps = values.shape
    pooled = -(-steps // COLUMNS_MAX) if steps else 1
    padded = np.pad(values, ((0, 0), (0, -steps % pooled)))
    columns = padded.reshape(rows, -1, pooled).max(axis=2)
    most = columns.max(initial=0.0)
    image = np.zeros((*columns.shape, 4))
    image[..., :3] = [int(BLUE[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    # The smallest value is still visible.
    image[..., 3] = np.where(columns > 0, 0.25 + 0.75 * columns / (most or 1.0), 0.0)
    axes.imshow(
        image,
        aspect="auto",
        interpolation="none",
        origin="lower",
        extent=(-0.5, columns.shape[1] * pooled - 0.5, -0.5, rows - 0.5),
    )
    axes.set_xlim(-0.5, max(steps, 1) - 0.5)


def _spikes(trace: Trace, layer: int, sample: int) -> npt.NDArray[np.uint8]:
    if not 0 <= layer < len(trace.layers):
        raise InputError(f"layer {layer}: the trace has {len(trace.layers)} layers")
    if not 0 <= sample < len(trace.lengths):
        raise InputError(f"sample {sample}: the trace has {len(trace.lengths)} samples")
    spikes = trace.layers[layer].spikes
    if spikes is None:
        raise InputError(f"layer {layer}: its spikes were not recorded, or it does not spike")
    return spikes[sample, : int(trace.lengths[sample])]
