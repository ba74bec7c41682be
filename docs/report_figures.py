"""The figures of a report from Python: ``python docs/report_figures.py zoo/digits.net out/``.

Every figure of ``srnn-simulate --report`` is a function of ``srnn.simulate.figures`` that takes a
trace, counts or the like and returns a ``matplotlib.figure.Figure``; beside it stands one of its
name with ``_series`` behind it, which returns the numbers. Needs ``pip install -e '.[report]'``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from srnn.export import read_net, read_samples
from srnn.simulate import run_with_activity
from srnn.simulate.estimates import energy_report
from srnn.simulate.figures import (
    energy_bars,
    input_raster,
    layer_operations,
    raster,
    rate_histogram,
    states,
    time_constants,
)
from srnn.simulate.figures.rasters import raster_series
from srnn.simulate.figures.time_constant_bars import time_constant
from srnn.simulate.report.inside import initial_time_constants


def main(file: str, folder: str) -> None:
    """Draw the figures of the samples that a network carries."""
    network, samples = read_net(file), read_samples(file)
    if samples is None:
        raise SystemExit(f"{file} carries no samples")
    trace, activity = run_with_activity(network, samples.inputs, samples.lengths)

    figures = {
        "inputs": input_raster(samples.inputs[0]),
        "raster": raster(trace, layer=0, sample=0),
        "states": states(network, trace, layer=0, sample=0, steps=(0, 60)),
        "operations": layer_operations(activity),
        "rates": rate_histogram(activity, layer=0),
        "energy": energy_bars(energy_report(network, activity)),
        "time-constants": time_constants(
            time_constant(network.layers[0].neuron.v_decay),
            initial_time_constants(network, 0, "tau_mem"),
            "membrane time constant",
        ),
    }

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(target / f"{name}.svg")
        figure.savefig(target / f"{name}.png", dpi=150, facecolor="white")

    # The numbers behind a figure: what report.json holds.
    (series,) = raster_series(trace, layer=0, sample=0)
    first = series.values("spike times")[0]
    print(f"{len(figures)} figures in {target}; neuron 0 spikes at steps {list(first)[:8]}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2])
