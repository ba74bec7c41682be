"""Speed of the simulator, and of Lava's runtime, nengo-loihi's emulator, lava-dl and snnTorch.

A recurrent layer and a readout: 700 inputs as on Spiking Heidelberg Digits with 128 and 512
neurons, and the network of ECG-QTDB. Ours is checked bit for bit against the NumPy reference
before it is timed. The others run in processes of their own, in the environments that they need
(``make peers`` builds them), and all take turns. Run:

    python benchmarks/simulate.py [--shapes N128,N512,ecg] [--only lif,alif,lava] [--repeats 5]
        [--environments DIR] [--compile] [--json]

Times are medians over turns and include everything that ``run_with_activity`` does: reading and
checking dense inputs, counting activity, the trace's output. A synaptic operation is a weight
reached by an event, zero weights included. Networks of other implementations have the same sizes
but other neurons and weights, at the firing rates that the table shows: read their ratios as orders
of magnitude. Lava runs a process for each part and nengo-loihi has no batch: both run one sample.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from integer_networks import SHAPES, make_network
from machine import machine
from peers.client import ROOT, Implementation, Worker
from peers.shapes import Shape, draw
from srnn.export.trace import compare
from srnn.simulate import reference
from srnn.simulate.simulator import run, run_with_activity

BATCHES, THREADS = (1, 64), (1, 2)
OURS = {"lif": "LIF", "alif": "ALIF"}
TORCH, NENGO = ".venv-peers-torch", ".venv-peers-nengo"
PEERS = (
    Implementation("lava", "Lava CPU runtime", "runtime_lava"),
    Implementation("nengo", "nengo-loihi emulator", "emulator_nengo_loihi", environment=NENGO),
    Implementation("slayer-cuba", "lava-dl CUBA", "forward_lava_dl", "cuba", TORCH),
    Implementation("slayer-alif", "lava-dl ALIF", "forward_lava_dl", "alif", TORCH),
    Implementation("snntorch", "snnTorch RLeaky", "forward_snntorch", environment=TORCH),
)
ONE_SAMPLE = {"lava", "nengo"}
"""These have no batch; they run once, and may use all processors."""
CHECKED = {1: 1, 64: 3}
"""Samples per batch that the reference also runs."""
TURN_SECONDS = 0.02
"""Seconds per turn of calls to our simulator, of which the median counts."""
PAUSE = 0.02
"""Seconds between turns, so that the threads of the last turn go to sleep."""
SLOW, FEW_TURNS = 2.0, 2
"""Number of turns of an implementation, by the seconds that its step takes."""


def median_call(call: Callable[[], object]) -> float:
    """Call for a turn; return the median seconds of a call."""
    times = []
    while sum(times) < TURN_SECONDS:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def prepare_ours(key: str, shape: Shape, threads: int) -> dict[str, Any]:
    """Check a network of ours against the reference; return its row with a ``call`` to time."""
    network = make_network(OURS[key], shape)
    inputs = draw(shape)[0].astype(np.uint8)
    some = inputs[: CHECKED[shape.batch]]
    found = compare(run(network, some, threads=threads), reference.run(network, some))
    if any(row.different for row in found):
        raise SystemExit(f"{key} {shape.name}: the simulator differs from the reference")
    _, activity = run_with_activity(network, inputs, record="output", threads=threads)
    layers = activity.layers
    return {
        "rate": layers[0].firing_rate,
        "operations": sum(x.size * (x.events_from_below + x.events_recurrent) for x in layers),
        "compared": sum(row.compared for row in found),
        "neuron": "bit-equal to the reference",
        "call": lambda: run_with_activity(network, inputs, record="output", threads=threads),
    }


def prepare_peer(worker: Worker, shape: Shape) -> dict[str, Any]:
    """Build a peer's network; return its row."""
    answer = worker.make(shape)
    if "failed" in answer:
        return {"failed": answer["failed"]}
    (rate,), (size,) = answer["rates"], shape.hidden
    assert shape.density is not None
    events, spikes = shape.density * shape.inputs, rate * size
    a_step = events * size + spikes * (size + shape.classes)
    return {
        "rate": rate,
        "operations": a_step * shape.batch * shape.steps,
        "neuron": answer["neuron"],
        "versions": answer["versions"],
        "slow": answer["seconds"][1] > SLOW,
        "call": worker.step,
    }


def measure(
    shape: Shape, threads: int, keys: list[str], workers: dict[str, Worker], repeats: int
) -> list[dict[str, Any]]:
    """Prepare all implementations on a shape, let them take turns, and return their rows."""
    rows = []
    for key in keys:
        row = (
            prepare_ours(key, shape, threads) if key in OURS else prepare_peer(workers[key], shape)
        )
        title = OURS.get(key) or workers[key].implementation.title
        rows.append({"key": key, "title": title, "shape": shape.name, **row})
        rows[-1] |= {"batch": shape.batch, "threads": threads, "times": []}
    for turn in range(repeats):
        for row in rows:
            if "failed" in row or (row.get("slow") and turn >= FEW_TURNS):
                continue
            time.sleep(PAUSE)
            took = median_call(row["call"]) if row["key"] in OURS else row["call"]()
            row["times"].append(took)
    for row in rows:
        row.pop("call", None)
        if row["times"]:
            steps = shape.batch * shape.steps
            row["us_per_sample_step"] = statistics.median(row["times"]) / steps * 1e6
            row["us_min"] = min(row["times"]) / steps * 1e6
            row["operations_per_second"] = row["operations"] / statistics.median(row["times"])
    return rows


def compare_with_lava(rows: list[dict[str, Any]]) -> None:
    """Add to every row its throughput as a multiple of Lava's on the same shape."""
    lava = {r["shape"]: r["us_per_sample_step"] for r in rows if r["key"] == "lava" and r["times"]}
    for row in rows:
        if row["times"] and row["shape"] in lava:
            row["times_lava"] = lava[row["shape"]] / row["us_per_sample_step"]


def show(shape: Shape, rows: list[dict[str, Any]]) -> None:
    """Print a shape's table."""
    (size,) = shape.hidden
    print(
        f"\n{shape.name}: {shape.inputs} inputs at {shape.density:.0%}, {size} recurrent, "
        f"{shape.classes} out, {shape.steps} steps"
    )
    print(
        "implementation        batch threads   rate  us/sample-step      (min)   Gops/s   x Lava"
        "  neuron"
    )
    for row in rows:
        head = f"{row['title']:21}{row['batch']:6}{row['threads']:8}"
        if not row["times"]:
            print(f"{head}  -- {row['failed']}")
            continue
        ratio = f"{row['times_lava']:9.1f}" if "times_lava" in row else f"{'':9}"
        print(
            f"{head}{row['rate']:7.3f}{row['us_per_sample_step']:16.3f}{row['us_min']:11.3f}"
            f"{row['operations_per_second'] / 1e9:9.3f}{ratio}  {row['neuron']}"
        )


def command_seconds(**environment: str) -> float:
    """Time ``srnn-simulate`` on the zoo's digits in a new process."""
    command = [Path(sys.executable).with_name("srnn-simulate"), ROOT / "zoo" / "digits.net"]
    start = time.perf_counter()
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | environment
    )
    seconds = time.perf_counter() - start
    if " 0 differ" not in done.stdout:
        raise SystemExit(f"srnn-simulate did not check its samples: {done.stdout}")
    return seconds


def cold_start(repeats: int) -> dict[str, float]:
    """Time it with the compiled code in the cache."""
    times = [command_seconds() for _ in range(repeats + 1)][1:]
    return {"median": statistics.median(times), "min": min(times)}


def first_use() -> float:
    """Time it with an empty cache: what the first run after installation takes."""
    with tempfile.TemporaryDirectory() as empty:
        return command_seconds(NUMBA_CACHE_DIR=empty)


def main() -> None:
    """Run all configurations and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    known = [*(peer.key for peer in PEERS), *OURS]
    parser.add_argument("--shapes", default=",".join(SHAPES), metavar="LIST")
    parser.add_argument("--only", default=",".join(known), metavar="LIST", help=", ".join(known))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--environments", type=Path, default=ROOT, metavar="DIR")
    parser.add_argument("--compile", action="store_true", help="time the first use too")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    keys = [key for key in known if key in arguments.only.split(",")]
    rows: list[dict[str, Any]] = []
    for threads in THREADS:
        workers = {
            peer.key: Worker(peer, threads, "cpu", arguments.environments)
            for peer in PEERS
            if peer.key in keys and (peer.key not in ONE_SAMPLE or threads == max(THREADS))
        }
        for name in arguments.shapes.split(","):
            for batch in BATCHES:
                running = [
                    key
                    for key in keys
                    if key in OURS or (key in workers and (batch == 1 or key not in ONE_SAMPLE))
                ]
                shape = SHAPES[name]._replace(batch=batch)
                rows += measure(shape, threads, running, workers, arguments.repeats)
                print(f"{name}, batch {batch}, {threads} threads: done", file=sys.stderr)
        for worker in workers.values():
            worker.close()
    compare_with_lava(rows)
    rows.sort(key=lambda row: (known.index(row["key"]), row["batch"], row["threads"]))
    cold = cold_start(arguments.repeats)
    compiling = first_use() if arguments.compile else None
    about = machine()
    if arguments.json:
        result = {"machine": about, "rows": rows, "cold_start": cold, "first_use": compiling}
        json.dump(result, sys.stdout, indent=2)
        print()
        return
    print("\n".join(f"{key:10} {value}" for key, value in about.items()))
    for name in arguments.shapes.split(","):
        show(SHAPES[name], [row for row in rows if row["shape"] == name])
    print(
        f"\nsrnn-simulate zoo/digits.net from a cold process: {cold['median']:.2f} s "
        f"({cold['min']:.2f}), compiled code in the cache"
    )
    if compiling is not None:
        print(f"the same with an empty cache: {compiling:.1f} s")


if __name__ == "__main__":
    main()
