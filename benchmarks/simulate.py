"""How fast the simulator is: a recurrent layer on 700 inputs, as on Spiking Heidelberg Digits.

Every row is checked bit for bit against the NumPy reference before it is timed. Run:

    python benchmarks/simulate.py [--repeats 7] [--json]

Times are medians over interleaved repeats and include everything that ``run`` does, reading the
dense inputs too. A synaptic operation is a weight met by an event, zero weights included.
"""

# The records take scalars and lists, and keep arrays.
# pyright: reportArgumentType=false

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

import numpy as np
from machine import machine
from srnn.export.network import (
    AdaptiveLIF,
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Readout,
    Synapses,
)
from srnn.export.trace import compare
from srnn.simulate import reference
from srnn.simulate.simulator import run, run_with_activity

CHANNELS, OUTPUTS, STEPS, DENSITY = 700, 20, 250, 0.02
SIZES, BATCHES, THREADS = (128, 512), (1, 64), (1, 2)
REFERENCE_BATCH = {1: 1, 64: 8}
"""Samples that the reference runs in place of a batch; more change its time a sample little."""


def make_network(kind: str, size: int) -> Network:
    """Return a recurrent network whose hidden neurons fire at about 5 to 10 % of the steps."""
    rng = np.random.default_rng(size)
    neuron = (
        AdaptiveLIF(
            size,
            rng.integers(100, 300, size),
            rng.integers(10, 60, size),
            rng.integers(20000, 40000, size),
            rng.integers(100, 9000, size),
            rng.integers(0, 5, size),
        )
        if kind == "ALIF"
        else CubaLIF(size, 4096, rng.integers(100, 300, size), rng.integers(300, 600, size))
    )
    hidden = Layer(
        "hidden",
        Synapses(2 * rng.integers(-60, 61, (size, CHANNELS))),
        neuron,
        Synapses(2 * rng.integers(-30, 31, (size, size))),
    )
    readout = Synapses(2 * rng.integers(-60, 61, (OUTPUTS, size)))
    return Network(
        (hidden, Layer("readout", readout, LeakyIntegrator(OUTPUTS, 100))), Readout("mean_softmax")
    )


def seconds(call: Any) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(kind: str, size: int, batch: int, threads: int, repeats: int) -> dict[str, Any]:
    """Check one configuration against the reference, then time both in turns."""
    network = make_network(kind, size)
    rng = np.random.default_rng(1)
    inputs = (rng.random((batch, STEPS, CHANNELS)) < DENSITY).astype(np.uint8)
    fewer = inputs[: REFERENCE_BATCH[batch]]
    checked = run(network, fewer, threads=threads)
    expected = reference.run(network, fewer)
    if any(row.different for row in compare(checked, expected)):
        raise SystemExit(f"{kind} {size}: the simulator differs from the reference")
    _, activity = run_with_activity(network, inputs, record="output", threads=threads)
    operations = sum(
        layer.size * (layer.events_from_below + layer.events_recurrent) for layer in activity.layers
    )
    fast, slow = [], []
    for repeat in range(repeats):
        fast.append(seconds(lambda: run(network, inputs, record="output", threads=threads)))
        if repeat < 2:
            slow.append(seconds(lambda: reference.run(network, fewer)))
    each = statistics.median(fast) / (batch * STEPS)
    reference_each = min(slow) / (len(fewer) * STEPS)
    return {
        "neuron": kind,
        "size": size,
        "batch": batch,
        "threads": threads,
        "firing_rate": activity.layers[0].firing_rate,
        "us_per_sample_step": each * 1e6,
        "us_min": min(fast) / (batch * STEPS) * 1e6,
        "synaptic_operations_per_second": operations / (batch * STEPS) / each,
        "reference_us_per_sample_step": reference_each * 1e6,
        "times_the_reference": reference_each / each,
    }


def main() -> None:
    """Run all configurations and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    about = machine()
    rows = []
    if not arguments.json:
        print("\n".join(f"{key:10} {value}" for key, value in about.items()))
        print(f"{CHANNELS} inputs at {DENSITY:.0%}, N recurrent, {OUTPUTS} out, {STEPS} steps")
        print("neuron    N batch threads   rate  us/sample-step (min)   Gops/s   x reference")
    for kind in ("LIF", "ALIF"):
        for size in SIZES:
            for batch in BATCHES:
                for threads in THREADS:
                    row = measure(kind, size, batch, threads, arguments.repeats)
                    rows.append(row)
                    if not arguments.json:
                        print(
                            f"{kind:6}{size:5}{batch:6}{threads:8}{row['firing_rate']:7.3f}"
                            f"{row['us_per_sample_step']:12.3f} ({row['us_min']:.3f})"
                            f"{row['synaptic_operations_per_second'] / 1e9:11.1f}"
                            f"{row['times_the_reference']:13.0f}",
                            flush=True,
                        )
    if arguments.json:
        json.dump({"machine": about, "rows": rows}, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
