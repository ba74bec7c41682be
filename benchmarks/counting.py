"""The cost of counting: the simulator compared with the same simulator without its counts.

The other simulator is made from the source of ``simulate/kernels.py``, with the functions that
count left empty, and compiled in a temporary folder. Both give the same trace; calls take turns.

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
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from integer_networks import SHAPES, make_network
from machine import machine
from peers.shapes import draw
from srnn.export.network import Network
from srnn.simulate import kernels, simulator

COUNTING = ("_tally", "_add_changes", "_add_totals")
"""Functions of the kernels that count and do nothing else."""
BATCHES = (1, 64)
LIMIT = 0.10
"""Largest share of the simulation time that counting may take."""


def without_counts(folder: Path) -> ModuleType:
    """Compile the kernels without their counts.

    Raises
    ------
    SystemExit
        A counting function was not found.
    """
    assert kernels.__file__ is not None
    tree = ast.parse(Path(kernels.__file__).read_text(encoding="utf-8"))
    emptied = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in COUNTING:
            node.body = [ast.Pass()]
            emptied.append(node.name)
    if sorted(emptied) != sorted(COUNTING):
        raise SystemExit(f"kernels.py: found {emptied} of {COUNTING}")
    file = folder / "kernels_without_counts.py"
    file.write_text(ast.unparse(tree), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("srnn.simulate.kernels_without_counts", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def call_with(module: ModuleType, network: Network, inputs: np.ndarray) -> tuple[float, Any, Any]:
    """Run once by these kernels; return seconds, trace and activity."""
    before = simulator.kernels
    simulator.kernels = module  # type: ignore[misc]
    try:
        start = time.perf_counter()
        trace, activity = simulator.run_with_activity(network, inputs, record="output", threads=1)
        return time.perf_counter() - start, trace, activity
    finally:
        simulator.kernels = before  # type: ignore[misc]


def measure(name: str, neuron: str, batch: int, other: ModuleType, repeats: int) -> dict[str, Any]:
    """Run both in turns on a network; return medians and the share of counting."""
    shape = SHAPES[name]._replace(batch=batch)
    network, inputs = make_network(neuron, shape), draw(shape)[0].astype(np.uint8)
    both = {"with": kernels, "without": other}
    times: dict[str, list[float]] = {key: [] for key in both}
    _, trace, activity = call_with(kernels, network, inputs)
    _, same, none = call_with(other, network, inputs)
    if not np.array_equal(trace.output, same.output) or activity.spikes == 0 or none.spikes != 0:
        raise SystemExit(f"{name}: the kernels without counts are not the same simulator")
    for _ in range(repeats):
        for key, module in both.items():
            times[key].append(call_with(module, network, inputs)[0])
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
        other = without_counts(Path(folder))
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
