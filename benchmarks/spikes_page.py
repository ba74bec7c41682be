"""Make the figures and the tables of ``docs/SPIKES_FOR_PYTORCH_USERS.md``.

Trains about 12 small networks on scikit-learn's digits, a few minutes, and writes SVG files and, in
the page, the text between ``<!-- table NAME -->`` and ``<!-- end -->``, and the output of its
Python. On the same machine the bytes are the same again. Needs matplotlib: ``pip install -e
'.[bench]'``. Run:

    python benchmarks/spikes_page.py [--figures docs/figures]
        [--page docs/SPIKES_FOR_PYTORCH_USERS.md] [--epochs 20] [--neurons 64] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spikes_numbers as numbers
import torch
from srnn.export.checkpoint import Init, LayerConfig
from srnn.export.grid import even_weights, weight_max
from srnn.train.surrogate import SURROGATES
from srnn.train.time_constants import draw_tau

DOCS = Path(__file__).resolve().parent.parent / "docs"
BLACK, GREY = "#000000", "#777777"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9",
)  # fmt: skip
"""Colours of Okabe and Ito, distinct for colour-blind readers."""
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)


def bars(times: Any, row: float, height: float = 0.8) -> tuple[Any, Any]:
    """Return one line of bars at these times, broken by NaN, so that a raster is one small path."""
    times = np.asarray(times, dtype=float)
    x = np.stack([times, times, np.full_like(times, np.nan)], 1).ravel()
    y = np.tile([row - height / 2, row + height / 2, np.nan], len(times))
    return x, y


def draw_neuron(axes: Any) -> None:
    """An adaptive neuron next to one that does not adapt, on two made-up currents."""
    adaptive = LayerConfig(
        neuron="alif", size=1, threshold=0.5, adaptation=2.0,
        tau_mem=Init(mean=10.0), tau_adp=Init(mean=60.0),
    )  # fmt: skip
    constant = LayerConfig(neuron="lif", size=1, threshold=0.5, tau_mem=Init(mean=10.0))
    pulse = np.where((np.arange(300) >= 20) & (np.arange(300) < 220), 1.5, 0.0)
    beat = 3.0 * numbers.heartbeat(300, 150)
    for column, (title, current) in enumerate(
        (("a constant current", pulse), ("a made-up pulse wave, not encoded", beat))
    ):
        top, middle, bottom = axes[:, column]
        one, other = numbers.run_neuron(adaptive, current), numbers.run_neuron(constant, current)
        top.plot(current, color=BLACK, lw=1)
        top.set_title(title, fontsize=10)
        middle.plot(one["v"], color=BLUE, lw=1, label="membrane v")
        middle.plot(one["B"], color=RED, lw=1, ls="--", label="threshold B")
        middle.set_ylim(-0.25, None)
        bottom.plot(*bars(np.flatnonzero(one["s"]), 1), color=BLUE, lw=0.8)
        bottom.plot(*bars(np.flatnonzero(other["s"]), 0), color=GREY, lw=0.8)
        bottom.set(ylim=(-0.6, 1.6), xlabel="step", yticks=[])
    axes[0, 0].set_ylabel("current I")
    axes[1, 0].set_ylabel("state")
    axes[1, 0].legend(fontsize=8, frameon=False, loc="lower left", ncols=2)
    axes[2, 0].set_yticks([0, 1], ["constant B", "adaptive"])


def draw_surrogates(axes: Any) -> None:
    """Show the step function, and the surrogates for its derivative."""
    left, right = axes
    x = torch.linspace(-2, 2, 401)
    left.plot(x, (x > 0).float(), color=BLACK)
    left.set(xlabel="x = v - B", ylabel="spike s", title="forward: the step")
    styles = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)))
    for (name, kind), colour, style in zip(SURROGATES.items(), COLOURS, styles, strict=True):
        right.plot(x, kind().derivative(x), color=colour, ls=style, lw=1.5, label=name)
    right.axhline(0, color=GREY, lw=0.5)
    right.set(xlabel="x = v - B", ylabel="ds/dx", title="backward: surrogates, with defaults")
    right.legend(fontsize=8, frameon=False)


def draw_time_constants(axes: Any) -> None:
    """Memory of three time constants against a signal, and three initial distributions."""
    memory, signal, drawn = axes
    taus, steps = (3.0, 20.0, 200.0), 400
    for tau, colour, style in zip(taus, (BLUE, RED, GREEN), ("-", "--", "-."), strict=True):
        label = f"tau {tau:g}"
        memory.plot(numbers.impulse_response(tau, 300), color=colour, ls=style, label=label)
        beat = numbers.heartbeat(steps, 200)
        filtered = numbers.run_neuron(
            LayerConfig(neuron="li", size=1, tau_mem=Init(mean=tau)), beat
        )["v"]
        signal.plot(filtered, color=colour, ls=style, lw=1.2)
    signal.plot(numbers.heartbeat(steps, 200), color=BLACK, lw=0.7, label="signal")
    memory.axhline(np.exp(-1), color=GREY, lw=0.5)
    memory.text(298, np.exp(-1) + 0.02, "37 %", ha="right", fontsize=8, color=GREY)
    memory.set(xlabel="steps after an input", ylabel="share left", title="what is remembered")
    memory.legend(fontsize=8, frameon=False)
    signal.set(xlabel="step", ylabel="membrane", title="what each membrane sees of a signal")
    signal.legend(fontsize=8, frameon=False, loc="upper right")
    torch.manual_seed(0)
    edges = np.geomspace(1, 400, 40)
    kinds = (
        ("constant 20", Init("constant", mean=20.0), BLUE),
        ("normal 20 ± 5", Init("normal", mean=20.0, std=5.0), ORANGE),
        ("log_uniform 3 to 200", Init("log_uniform", low=3.0, high=200.0), GREEN),
    )
    for name, init, colour in kinds:
        drawn.hist(
            draw_tau(init, 1000).numpy(), edges, histtype="step", color=colour, label=name, lw=1.5
        )
    drawn.set(
        xscale="log", yscale="log", xlabel="tau, steps", ylabel="neurons of 1000",
        title="initial time constants", ylim=(0.8, 50_000),
    )  # fmt: skip
    drawn.legend(fontsize=8, frameon=False, loc="upper left")


def draw_grid(axes: Any) -> None:
    """Which time constants 12 bits distinguish, and the weights of 8 and 3 bits."""
    spacing, rounded, error = axes
    codes = np.unique(np.geomspace(2, 2000, 200).astype(int))
    spacing.plot(numbers.tau_of_code(codes), 100 * numbers.decay_spacing(codes), color=BLUE)
    for code in (2, 3, 4, 5):
        tau = float(numbers.tau_of_code(code))
        spacing.plot(tau, 100 * float(numbers.decay_spacing(np.array(code))), "o", color=RED, ms=4)
    spacing.set(
        xscale="log", yscale="log", xlabel="tau, steps", ylabel="to the next longer tau, %",
        title="12-bit decays",
    )  # fmt: skip
    real = np.linspace(-1, 1, 801)[None]
    for bits, colour in ((8, GREY), (4, BLUE), (3, RED)):
        unit = np.array([[1 / weight_max(bits)]])
        whole = even_weights(real, unit, bits) * unit
        rounded.plot(real[0], whole[0], color=colour, lw=1.2, label=f"{bits} bits")
    rounded.set(xlabel="weight / largest of its neuron", ylabel="on the grid", title="weights")
    rounded.legend(fontsize=8, frameon=False)
    # What a 24-bit state of tau 200, large or small, loses to truncation without input.
    _draw_truncation(error)


def _draw_truncation(axis: Any) -> None:
    from srnn.export.network import LeakyIntegrator
    from srnn.neurons.neuron import take_step

    code = 20
    neuron = LeakyIntegrator(1, v_decay=np.array([code]))
    none = np.zeros((1, 1), np.int64)
    steps = np.arange(600)
    axis.plot(steps, (1 - code / 4096) ** steps, color=BLACK, lw=0.8, label="exact")
    for start, colour, style in ((2**16, GREEN, "--"), (2**10, BLUE, "-."), (2**7, RED, "-")):
        state, seen = {"v": np.full((1, 1), start)}, []
        for _ in steps:
            seen.append(int(state["v"][0, 0]) / start)
            state, _ = take_step(neuron, state, none, none)
        axis.plot(steps, seen, color=colour, ls=style, label=f"from v = {start:,}")
    axis.set(xlabel="step", ylabel="share left", title=f"truncation, code {code} (tau 204)")
    axis.legend(fontsize=8, frameon=False)


def draw_spikes(
    axes: Any, networks: numbers.Networks, exported: dict[str, numbers.Inference]
) -> None:
    """Float and integer spikes of one digit, rounded after training and trained on the grid."""
    examples = (
        ("rounded after training, 8 bits", networks.base, "after 8"),
        ("trained on the grid, 8 bits", networks.grid[8], "grid 8"),
    )
    for axis, (title, trained, key) in zip(axes[:2], examples, strict=True):
        found = numbers.example_digit(trained, exported[key].network)
        real, whole = found["float"], found["integer"]
        for which, colour, label in (
            (real & whole, GREY, "both"), (real & ~whole, ORANGE, "float only"),
            (whole & ~real, BLUE, "integer only"),
        ):  # fmt: skip
            step, neuron = np.nonzero(which)
            pairs = [bars(step[neuron == n], n) for n in range(real.shape[1])]
            x, y = (np.concatenate(part) for part in zip(*pairs, strict=True))
            axis.plot(x, y, color=colour, lw=1.3, label=label)
        axis.set(xlabel="step", title=title)
        axis.set_ylim(-1, real.shape[1])
    axes[0].set_ylabel("neuron")
    for bits, colour, style in zip(
        numbers.BITS, (GREEN, BLUE, PURPLE, RED), ("-", "--", "-.", ":"), strict=True
    ):
        equal = exported[f"after {bits}"].equal_by_step
        axes[2].plot(100 * equal, color=colour, ls=style, label=f"{bits} bits")
    axes[2].axhline(100, color=GREY, lw=1.2)
    axes[2].text(63, 101, "trained on the grid, any bits", ha="right", va="bottom", fontsize=8)
    axes[2].set(
        xlabel="step", ylabel="equal spikes, %", ylim=(0, 112), title="both, of either, by step"
    )
    for axis, place, columns in ((axes[0], 0.05, 3), (axes[2], 0.7, 4)):
        axis.figure.legend(
            *axis.get_legend_handles_labels(), fontsize=8, frameon=False, ncols=columns,
            loc="upper left", bbox_to_anchor=(place, 1.0),
        )  # fmt: skip


def draw_rates(axes: Any, exported: dict[str, numbers.Inference]) -> None:
    """Firing rates by neuron, with and without a penalty."""
    named = (("no penalty", "grid 8", BLUE), ("rates penalised", "sparse", ORANGE))
    for axis, (name, key, colour) in zip(axes, named, strict=True):
        rates = numbers.neuron_rates(exported[key])
        axis.bar(np.arange(len(rates)), np.sort(rates)[::-1], color=colour, width=0.9)
        axis.axhline(rates.mean(), color=BLACK, lw=0.8, ls="--")
        axis.text(
            len(rates), rates.mean(), f" mean {rates.mean():.3f}", va="bottom", ha="right",
            fontsize=8,
        )  # fmt: skip
        axis.set(title=name, xlabel="neurons, busiest first")
    axes[0].set_ylabel("spikes per step")


def draw_dense(axes: Any) -> None:
    """Arithmetic over firing rate, and the rate from which a dense layer costs less."""
    arithmetic, even = axes
    rates, batches, n = np.linspace(0, 1, 101), np.geomspace(1, 1024, 81), 64
    spiking = [numbers.spiking_energy(n, n, rate, rate) / 1000 for rate in rates]
    arithmetic.plot(rates, spiking, color=BLUE, lw=1.8, label="adaptive spikes")
    lines = (("rnn", GREEN, "--"), ("gru", ORANGE, "-."), ("lstm", RED, ":"))
    for kind, colour, style in lines:
        value = numbers.dense_energy(kind, n, n) / 1000
        arithmetic.axhline(value, color=colour, ls=style, label=kind.upper())
        for size, width in ((16, 0.8), (64, 1.5), (256, 2.2)):
            found = [numbers.break_even_rate(kind, size, float(b)) for b in batches]
            even.plot(batches, found, color=colour, ls=style, lw=width)
    arithmetic.set(
        xlabel="firing rate", ylabel="nJ per step", yscale="log",
        title=f"arithmetic alone, {n} inputs, {n} neurons",
    )  # fmt: skip
    arithmetic.legend(fontsize=8, frameon=False, loc="lower right")
    even.set(
        xscale="log", ylim=(0, 1), xlim=(1, 1024), xlabel="batch that shares each dense fetch",
        ylabel="break-even firing rate", title="memory counted: above a line, dense costs less",
    )  # fmt: skip
    handles = [even.plot([], [], color=GREY, lw=w, label=f"{s} neurons")[0]
               for s, w in ((16, 0.8), (64, 1.5), (256, 2.2))]  # fmt: skip
    even.legend(handles=handles, fontsize=8, frameon=False, loc="upper right")


def draw_all(
    folder: Path, networks: numbers.Networks, exported: dict[str, numbers.Inference]
) -> list[Path]:
    """Write every figure."""
    import matplotlib as mpl  # pyright: ignore[reportMissingImports]

    mpl.use("Agg")
    mpl.rcParams.update(
        {"svg.hashsalt": "srnn", "svg.fonttype": "none", "axes.titlesize": 10, "font.size": 9,
         "axes.spines.top": False, "axes.spines.right": False, "path.simplify_threshold": 0.3}
    )  # fmt: skip
    from matplotlib import pyplot  # pyright: ignore[reportMissingImports]

    folder.mkdir(parents=True, exist_ok=True)
    figures: Sequence[tuple[str, tuple[int, int], tuple[float, float], Callable[[Any], None]]] = (
        ("neuron", (3, 2), (8.6, 4.6), draw_neuron),
        ("surrogates", (1, 2), (8.6, 3.2), draw_surrogates),
        ("time-constants", (1, 3), (11.0, 3.2), draw_time_constants),
        ("grid", (1, 3), (11.0, 3.2), draw_grid),
        ("quantized-spikes", (1, 3), (11.0, 3.8), lambda a: draw_spikes(a, networks, exported)),
        ("rates", (1, 2), (8.6, 3.0), lambda a: draw_rates(a, exported)),
        ("dense", (1, 2), (9.4, 3.4), draw_dense),
    )
    written = []
    for name, grid, size, draw in figures:
        shared = {"sharex": "col", "height_ratios": [1, 2, 0.7]} if grid[0] > 1 else {}
        figure, axes = pyplot.subplots(
            *grid, figsize=size, layout="constrained", sharey=name == "rates", **shared
        )
        figure.patch.set_facecolor("white")
        draw(axes)
        if name == "quantized-spikes":
            figure.set_layout_engine("constrained", rect=(0, 0, 1, 0.93))
        written.append(folder / f"spikes-{name}.svg")
        figure.savefig(written[-1], metadata={"Date": None})
        pyplot.close(figure)
    return written


def fill(page: str, tables: dict[str, list[list[str]]]) -> str:
    """Return the page with its tables replaced.

    Raises
    ------
    ValueError
        A table that has no place in the page.
    """
    for name, (heading, *rows) in tables.items():
        lines = [heading, ["---"] * len(heading), *rows]
        text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
        page, found = re.subn(
            rf"(<!-- table {name} -->\n).*?(<!-- end -->)",
            lambda match, text=text: f"{match[1]}\n{text}\n\n{match[2]}",
            page,
            flags=re.DOTALL,
        )
        if found != 1:
            raise ValueError(f"table {name}: {found} places in the page, needs 1")
    return page


def print_again(page: str) -> str:
    """Return the page with what its Python prints, run from top to bottom in this folder."""
    names: dict[str, Any] = {}

    def block(match: re.Match[str]) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(match[1], "page", "exec"), names)
        return f"```python\n{match[1]}```\n\n```text\n{printed.getvalue()}```"

    return re.sub(r"```python\n(.+?)```\n\n```text\n.*?```", block, page, flags=re.DOTALL)


def main() -> None:
    """Train, draw, and fill the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--figures", type=Path, default=DOCS / "figures")
    parser.add_argument("--page", type=Path, default=DOCS / "SPIKES_FOR_PYTORCH_USERS.md")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--neurons", type=int, default=64)
    parser.add_argument("--images", type=int, help="train only on the first N images")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if importlib.util.find_spec("matplotlib") is None:
        parser.error("needs matplotlib: pip install -e '.[bench]'")
    networks = numbers.train_all(arguments.epochs, arguments.neurons, arguments.images)
    exported = numbers.export_all(networks)
    tables = numbers.tables(networks, exported)
    written = draw_all(arguments.figures, networks, exported)
    target = arguments.page.resolve()
    page = fill(target.read_text(encoding="utf-8"), tables)
    os.chdir(DOCS.parent)
    target.write_text(print_again(page), encoding="utf-8")
    if arguments.json:
        json.dump({"figures": [str(path) for path in written], "tables": tables}, sys.stdout)
        print()
        return
    for name, rows in tables.items():
        print(f"\n{name}", *("  ".join(row) for row in rows), sep="\n")
    print("\nwrote", *written, arguments.page)


if __name__ == "__main__":
    main()
