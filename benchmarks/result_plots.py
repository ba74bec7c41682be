"""The figures of ``docs/RESULTS.md``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from result_plan import Plot, Run
from result_tables import MEASURES, Record, values

# Okabe and Ito's colours, distinct for colour-blind readers; markers distinguish them in grey.
STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#000000", "v"))


def draw(plot: Plot, rows: Sequence[tuple[Run, list[Record]]], path: Path) -> None:
    """Draw means over seeds, with the range of the seeds, one line per value of ``plot.by``."""
    import matplotlib as mpl  # pyright: ignore[reportMissingImports]

    mpl.use("Agg")
    # Without these, two runs differ in their bytes.
    mpl.rcParams["svg.hashsalt"] = "srnn"
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot  # pyright: ignore[reportMissingImports]

    panels = sorted({str(run.labels.get(plot.split, "")) for run, _ in rows})
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(4.2 * len(panels), 3.4), facecolor="white", squeeze=False
    )
    names = list(dict.fromkeys(str(run.labels[plot.by]) for run, _ in rows))
    for axis, panel in zip(axes[0], panels, strict=True):
        here = [x for x in rows if str(x[0].labels.get(plot.split, "")) == panel]
        for name, (colour, marker) in zip(names, STYLES, strict=False):
            points = sorted(
                (_position(plot.x, run, found), values(plot.y, found))
                for run, found in here
                if str(run.labels[plot.by]) == name
            )
            if not points:
                continue
            x = [at for at, _ in points]
            means = [float(np.mean(found)) for _, found in points]
            spread = [
                [mean - min(found) for mean, (_, found) in zip(means, points, strict=True)],
                [max(found) - mean for mean, (_, found) in zip(means, points, strict=True)],
            ]
            axis.errorbar(x, means, spread, color=colour, marker=marker, capsize=3, label=name)
        axis.set(xlabel="ACs per step" if plot.x == "ACs" else plot.x, title=panel)
        axis.grid(visible=True, color="0.9")
        axis.legend(fontsize=8, frameon=False)
    axes[0][0].set_ylabel(f"{plot.y}, %")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _position(column: str, run: Run, found: Sequence[Record]) -> float:
    if column in MEASURES:
        return float(np.mean(values(column, found)))
    value: Any = run.labels[column]
    return float(value)
