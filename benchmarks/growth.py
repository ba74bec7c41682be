"""How a training step's time grows with batch, steps, recurrent neurons and firing rate.

One quantity changes at a time, from a batch of 64, 250 steps, 700 binary inputs of 2 % as event
lists, 128 recurrent adaptive neurons and 20 leaky integrators, firing at 7 %. Every point's work is
counted (``work.py``) and weighted with this machine's peaks (``peak.py``): time should grow at most
in proportion to it. Run:

    python benchmarks/growth.py [--quantities batch,steps,neurons,rate] [--repeats 5] [--threads 2]
        [--plot docs/figures/growth.svg] [--json]

The loop is timed at a few points, for comparison. A constant current, found by bisection, sets the
firing rate. The plot needs matplotlib: ``pip install -e '.[bench]'``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from machine import machine
from peak import Peaks, ideal, peaks
from peers import ours
from peers.shapes import SHAPES, Shape, draw
from srnn.train.engine import Events, set_threads
from srnn.train.network import SRNN
from srnn.train.readout import loss_and_scores
from torch import nn
from work import LayerSizes, count, total

START = SHAPES["shd"]
RATE = 0.07
VALUES: dict[str, tuple[float, ...]] = {
    "batch": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
    "steps": (50, 100, 200, 400, 800, 1600, 3200),
    "neurons": (32, 64, 128, 256, 512, 1024, 2048),
    "rate": (0.01, 0.03, 0.1, 0.2, 0.3, 0.5),
}
LOOP = {"batch": (16, 64, 256), "steps": (50, 200, 800), "neurons": (32, 128, 512)}
LOOP_RATES = (0.01, 0.1, 0.3)
SLACK = 1.25
"""Tolerance for noise: a point may take this multiple of the time expected from the work."""
PEAK_BYTES = 1 << 18
"""Size of the matrices whose peaks weight the work: the same for all points, to compare them."""


class Point(NamedTuple):
    """A network with its batch, and the work of its step."""

    value: float
    shape: Shape
    rate: float
    work_seconds: float
    step: Callable[[], None]
    loop: Callable[[], None] | None


def set_current(model: SRNN, current: float) -> None:
    """Set the constant current of the hidden layers."""
    for layer in ours.directions(model)[:-1]:
        nn.init.constant_(layer.bias, current)


def find_current(model: SRNN, events: Events, rate: float) -> float:
    """Bisect the constant current at which the hidden neurons fire at ``rate``."""
    low, high = -8.0, 8.0
    for _ in range(14):
        middle = (low + high) / 2
        set_current(model, middle)
        with torch.no_grad():
            found = float(model(events).spikes[0].mean())
        low, high = (middle, high) if found < rate else (low, middle)
    return (low + high) / 2


def first_samples(events: Events, samples: int) -> Events:
    """Return the events of the first samples."""
    return Events(events.starts[:samples], events.sources, events.channels, events.values)


def training_step(model: SRNN, inputs: Any, targets: torch.Tensor) -> Callable[[], None]:
    """Return a function that takes one training step."""

    def step() -> None:
        model.zero_grad(set_to_none=True)
        output = model(inputs, spikes=False).output
        fast = model.engine == "events"
        loss_and_scores(model.config.readout, output, targets, compiled=fast)[0].backward()

    return step


def make(quantity: str, value: float, peak: Peaks) -> Point:
    """Build the network of one point."""
    shape, rate = START, RATE
    if quantity == "neurons":
        shape = shape._replace(hidden=(int(value),))
    elif quantity == "rate":
        rate = value
    else:
        shape = shape._replace(**{quantity: int(value)})
    model = ours.network(shape, "events")
    dense, targets = draw(shape)
    events, labels = Events.from_dense(dense), torch.from_numpy(targets)
    current = find_current(model, first_samples(events, min(shape.batch, 16)), rate)
    set_current(model, current)
    with torch.no_grad():
        spikes = model(events).spikes[0]
    hidden, below = shape.hidden[0], shape.inputs
    cells = (shape.batch, shape.steps)
    recurrent = int(spikes[:, :-1].count_nonzero())
    work = total(
        [
            count(
                LayerSizes(
                    *cells, below, hidden, len(events.sources), recurrent, False, True, True, False
                )
            ),
            count(
                LayerSizes(
                    *cells,
                    hidden,
                    shape.classes,
                    int(spikes.count_nonzero()),
                    0,
                    False,
                    False,
                    False,
                    True,
                )
            ),
        ]
    )
    loop = None
    if value in (LOOP_RATES if quantity == "rate" else LOOP[quantity]):
        plain = ours.network(shape, "loop")
        set_current(plain, current)
        loop = training_step(plain, torch.from_numpy(dense), labels)
    return Point(
        value,
        shape,
        float(spikes.mean()),
        ideal(work, peak)[0],
        training_step(model, events, labels),
        loop,
    )


def median(step: Callable[[], None], repeats: int, threads: int) -> float:
    """Return the median time per step after a first one, with ``threads`` threads of torch."""
    torch.set_num_threads(threads)
    step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the slope of log y over log x, by least squares."""
    if len(x) < 2:
        return math.nan
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def measure(
    quantity: str, values: Sequence[float], peak: Peaks, threads: int, repeats: int
) -> dict[str, Any]:
    """Measure one quantity's points."""
    rows = []
    for value in values:
        point = make(quantity, value, peak)
        row = {
            "value": point.value,
            "rate": point.rate,
            "work_ms": point.work_seconds * 1e3,
            # The engine uses the cores, and torch one thread.
            "engine_ms": median(point.step, repeats, 1) * 1e3,
        }
        if point.loop is not None:
            row["loop_ms"] = median(point.loop, min(repeats, 3), threads) * 1e3
        rows.append(row)
    x, times = [row["value"] for row in rows], [row["engine_ms"] for row in rows]
    work = [row["work_ms"] for row in rows]
    with_loop = [row for row in rows if "loop_ms" in row]
    # From each point on, time may grow as the work does; small steps have fixed costs.
    worst = max(
        (b["engine_ms"] / a["engine_ms"]) / (b["work_ms"] / a["work_ms"])
        for i, a in enumerate(rows)
        for b in rows[i:]
    )
    return {
        "quantity": quantity,
        "rows": rows,
        "exponent": exponent(x, times),
        "exponent_of_work": exponent(x, work),
        "exponent_by_work": exponent(work, times),
        "loop_exponent": exponent(
            [row["value"] for row in with_loop], [row["loop_ms"] for row in with_loop]
        ),
        "worst_growth_by_work": worst,
        "proportional": worst <= SLACK,
    }


def show(result: dict[str, Any]) -> None:
    """Print a quantity's table."""
    print(f"\n{result['quantity']:>10}   rate   engine, ms   work at peak, ms   share   loop, ms")
    for row in result["rows"]:
        loop = f"{row['loop_ms']:11.1f}" if "loop_ms" in row else ""
        print(
            f"{row['value']:10g}{row['rate']:7.3f}{row['engine_ms']:13.2f}{row['work_ms']:19.3f}"
            f"{row['work_ms'] / row['engine_ms']:8.0%}{loop}"
        )
    verdict = "no worse than" if result["proportional"] else "worse than"
    print(
        f"  time ~ {result['quantity']}^{result['exponent']:.2f} (work ^"
        f"{result['exponent_of_work']:.2f}, loop ^{result['loop_exponent']:.2f}), "
        f"time ~ work^{result['exponent_by_work']:.2f}; {verdict} in proportion to the work: "
        f"at most {result['worst_growth_by_work']:.2f} times between two points"
    )


def plot(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw time over each quantity, with the time in proportion to the work."""
    import matplotlib as mpl  # pyright: ignore[reportMissingImports]

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "srnn"
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot  # pyright: ignore[reportMissingImports]

    labels = {
        "batch": "batch",
        "steps": "time steps",
        "neurons": "recurrent neurons",
        "rate": "firing rate",
    }
    figure, axes = pyplot.subplots(1, len(results), figsize=(3.2 * len(results), 3.1), sharey=True)
    for axis, result in zip(np.atleast_1d(axes), results, strict=True):
        rows = result["rows"]
        horizontal = "rate" if result["quantity"] == "rate" else "value"
        x = [row[horizontal] for row in rows]
        y, work = [row["engine_ms"] for row in rows], [row["work_ms"] for row in rows]
        # Through the largest work, so that fixed costs of small steps are visible above the line.
        scale = y[-1] / work[-1]
        axis.plot(x, [scale * w for w in work], "--", color="0.6", label="proportional to the work")
        axis.plot(x, y, "o-", color="tab:blue", label="engine")
        with_loop = [row for row in rows if "loop_ms" in row]
        axis.plot(
            [row[horizontal] for row in with_loop],
            [row["loop_ms"] for row in with_loop],
            "s:",
            color="tab:orange",
            label="PyTorch loop",
        )
        axis.set(xscale="log", yscale="log", xlabel=labels[result["quantity"]])
        axis.set_title(f"time ~ work$^{{{result['exponent_by_work']:.2f}}}$", fontsize=10)
        axis.grid(True, which="major", color="0.9")
    first = np.atleast_1d(axes)[0]
    first.set_ylabel("ms per training step")
    first.legend(fontsize=8, frameon=False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, dpi=110, metadata=metadata)


def main() -> None:
    """Measure, print and plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quantities", default=",".join(VALUES))
    parser.add_argument("--values", help="in place of the default values, for one quantity")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plot", type=Path, help="an .svg or .png to write")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.plot and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install -e '.[bench]'")
    set_threads(arguments.threads)
    about = machine() | {"threads": str(arguments.threads)}
    if not arguments.json:
        print("\n".join(f"{key:10} {value}" for key, value in about.items()))
    peak, results = peaks(PEAK_BYTES, arguments.threads), []
    for quantity in arguments.quantities.split(","):
        values = VALUES[quantity]
        if arguments.values:
            values = [float(value) for value in arguments.values.split(",")]
        results.append(measure(quantity, values, peak, arguments.threads, arguments.repeats))
        if not arguments.json:
            show(results[-1])
            sys.stdout.flush()
    if arguments.plot:
        plot(results, arguments.plot)
    if arguments.json:
        json.dump({"machine": about, "results": results}, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
