"""The cost of counting: the simulator compared with the same simulator without its counts.

The other simulator is made from the sources of ``simulate/kernels.py`` and ``loops.py``, with the
functions that count left empty, and compiled in a temporary folder. Both give the same trace; calls
take turns.

    python benchmarks/counting.py [--shapes N128,N512,ecg] [--repeats 15] [--json]
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from integer_networks import SHAPES, make_network
from machine import machine
from peers.shapes import draw
from srnn.export.network import Network
from srnn.simulate import kernels, loops, plan, simulator

COUNTING = {kernels: ("_tally", "_add_totals"), loops: ("_add_changes",)}
"""Functions of the kernels that count and do nothing else, by module."""
BATCHES = (1, 64)
LIMIT = 0.10
"""Largest share of the simulation time that counting may take."""


class Kernels(NamedTuple):
    """One of the two simulators: how samples run, and where a layer's loop comes from."""

    kernels: ModuleType
    loop_of: Callable[..., Any]


def without_counts(module: ModuleType, folder: Path) -> ModuleType:
    """Return a module of the simulator whose functions of ``COUNTING`` do nothing.

    Raises
    ------
    SystemExit
        A counting function was not found.
    """
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    emptied = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in COUNTING[module]:
            node.body = [ast.Pass()]
            emptied.append(node.name)
    if sorted(emptied) != sorted(COUNTING[module]):
        raise SystemExit(f"{module.__file__}: found {emptied} of {COUNTING[module]}")
    name = f"{module.__name__}_without_counts"
    file = folder / f"{name}.py"
    file.write_text(ast.unparse(tree), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


def call_with(used: Kernels, network: Network, inputs: np.ndarray) -> tuple[float, Any, Any]:
    """Run once by these kernels; return seconds, trace and activity."""
    before = simulator.kernels, plan.loop_of
    simulator.kernels, plan.loop_of = used  # type: ignore[misc]
    try:
        start = time.perf_counter()
        trace, activity = simulator.run_with_activity(network, inputs, record="output", threads=1)
        return time.perf_counter() - start, trace, activity
    finally:
        simulator.kernels, plan.loop_of = before  # type: ignore[misc]


def measure(name: str, neuron: str, batch: int, other: Kernels, repeats: int) -> dict[str, Any]:
    """Run both in turns on a network; return medians and the share of counting."""
    shape = SHAPES[name]._replace(batch=batch)
    inputs = draw(shape)[0].astype(np.uint8)
    # What is prepared from a network holds its loops: each simulator has a network of its own.
    both = {
        "with": (Kernels(kernels, loops.loop_of), make_network(neuron, shape)),
        "without": (other, make_network(neuron, shape)),
    }
    times: dict[str, list[float]] = {key: [] for key in both}
    _, trace, activity = call_with(*both["with"], inputs)
    _, same, none = call_with(*both["without"], inputs)
    if not np.array_equal(trace.output, same.output) or activity.spikes == 0 or none.spikes != 0:
        raise SystemExit(f"{name}: the kernels without counts are not the same simulator")
    for _ in range(repeats):
        for key, (used, network) in both.items():
            times[key].append(call_with(used, network, inputs)[0])
    median = {key: statistics.median(found) for key, found in times.items()}
    least = {key: min(found) for key, found in times.items()}
    return {
        "shape": name,
        "neuron": neuron,
        "batch": batch,
        "us_per_sample_step": median["with"] / (batch * shape.steps) * 1e6,
        "share": median["with"] / median["without"] - 1.0,
        "share_of_least": least["with"] / least["without"] - 1.0,
    }


def main() -> int:
    """Measure and print; 1 where counting takes more than its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--shapes", default=",".join(SHAPES), metavar="LIST")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        other = Kernels(
            without_counts(kernels, Path(folder)), without_counts(loops, Path(folder)).loop_of
        )
        rows = [
            measure(name, neuron, batch, other, arguments.repeats)
            for name in arguments.shapes.split(",")
            for neuron in ("ALIF", "LIF")
            for batch in BATCHES
        ]
    about = machine()
    if arguments.json:
        print(json.dumps({"machine": about, "rows": rows}, indent=2))
    else:
        print("\n".join(f"{key:10} {value}" for key, value in about.items()))
        print("\nnetwork  neuron  batch  us/sample-step  counting costs  (of the fastest calls)")
        for row in rows:
            print(
                f"{row['shape']:8} {row['neuron']:6} {row['batch']:6} "
                f"{row['us_per_sample_step']:15.3f} {row['share']:15.1%} "
                f"{row['share_of_least']:15.1%}"
            )
    return int(max(row["share_of_least"] for row in rows) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
