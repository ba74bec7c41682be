"""How long a training step takes: forward, loss and backward of one batch, ours and others'.

The networks are those of the paper's tasks; all parameters' gradients, no optimizer. Every
implementation runs in a process of its own, in the Python environment it needs (``make peers``
builds those of the other frameworks), and all take turns, one step each. Run:

    python benchmarks/train_step.py [--shapes shd,ecg,smnist] [--only loop,engine] [--repeats 7]
        [--threads 2] [--device cuda] [--json]

"published" has the input product and the decays inside the time step, as the paper's code; "loop"
is ``SRNN(config, engine="loop")``; "compile" that loop with its step under ``torch.compile``, and
"unrolled" with up to 10 steps in one function. "engine" is ``SRNN(config, engine="events")`` on
dense inputs, "events" the same on event lists made beforehand. The other frameworks compute what
they offer that is nearest: the table says which neurons, and what their gradients leave out. Their
weights are scaled so that hidden layers fire at 5 to 10 % of the steps, since activity decides the
work.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from peers.client import ROOT, Implementation, Worker
from peers.shapes import SHAPES, Shape

TORCH, JAX = ".venv-peers-torch", ".venv-peers-jax"
IMPLEMENTATIONS = (
    Implementation("published", "published style", "ours", "published"),
    Implementation("loop", "loop", "ours", "loop"),
    Implementation("compile", "loop, compiled step", "ours", "compile"),
    Implementation("unrolled", "loop, compiled steps", "ours", "unrolled"),
    Implementation("snntorch", "snnTorch RLeaky", "snntorch_rleaky", environment=TORCH),
    Implementation("norse", "Norse LSNN", "norse_lsnn", environment=TORCH),
    Implementation("spikingjelly", "SpikingJelly PLIF", "spikingjelly_plif", environment=TORCH),
    Implementation("slayer", "lava-dl SLAYER ALIF", "lava_dl_alif", environment=TORCH),
    Implementation("spyx-rlif", "Spyx RLIF", "spyx_scan", "rlif", JAX),
    Implementation("spyx-alif", "Spyx ALIF", "spyx_scan", "alif", JAX),
    Implementation("engine", "engine", "ours", "engine"),
    Implementation("events", "engine, event lists", "ours", "events"),
)
ENGINE = {"engine", "events"}
RATES = (0.045, 0.105)
"""Hidden firing rates from 5 to 10 %, in whole percent; others are marked in the table."""
SLOW, FEW_TURNS = 5.0, 3
"""An implementation whose step takes so many seconds takes so many turns, or ``--repeats``."""
PAUSE = 0.02
"""Seconds between turns, in which the threads of the last one go to sleep."""


def measure(shape: Shape, workers: Sequence[Worker], repeats: int, ask: bool) -> dict[str, Any]:
    """Build the shape's network in every worker, then let them take turns."""
    rows, running = [], []
    for worker in workers:
        which = worker.implementation
        answer = worker.make(shape)
        row: dict[str, Any] = {"key": which.key, "title": which.title, **answer}
        rows.append(row)
        if "failed" not in answer:
            print(f"{shape.name}: {which.title} is ready", file=sys.stderr)
            running.append((worker, row))
            row["times"] = []
    if ask:
        processes = " ".join(str(worker.pid) for worker, _ in running)
        print(f"{shape.name}: Enter starts the clock; processes {processes}", file=sys.stderr)
        sys.stdin.readline()
    for turn in range(repeats):
        for worker, row in running:
            if turn >= FEW_TURNS and min(row["times"]) > SLOW * 1e3:
                continue
            time.sleep(PAUSE)
            row["times"].append(worker.step() * 1e3)
    compare(rows)
    return {"shape": shape._asdict(), "rows": rows}


def compare(rows: list[dict[str, Any]]) -> None:
    """Add medians, ratios, and the difference of gradients from the loop's, to the rows."""
    by_key = {row["key"]: row for row in rows}
    gradients = {
        row["key"]: np.frombuffer(base64.b64decode(row.pop("gradient")), np.float32)
        for row in rows
        if "gradient" in row
    }
    for row in rows:
        if "times" in row:
            row["median_ms"], row["min_ms"] = statistics.median(row["times"]), min(row["times"])
    published = by_key.get("published", {}).get("median_ms")
    for row in rows:
        if published is not None and "median_ms" in row:
            row["times_published"] = published / row["median_ms"]
        if row["key"] in gradients and "loop" in gradients:
            reference = gradients["loop"]
            difference = np.linalg.norm(gradients[row["key"]] - reference)
            row["gradient_difference"] = float(difference / np.linalg.norm(reference))


def show(result: dict[str, Any]) -> None:
    """Print a shape's table."""
    shape = Shape(**result["shape"])
    inputs = "analog" if shape.density is None else f"{shape.density:.0%} binary"
    sizes = " and ".join(str(n) for n in shape.hidden)
    print(
        f"\n{shape.name}: batch {shape.batch}, {shape.steps} steps, {shape.inputs} {inputs} "
        f"inputs, {sizes} recurrent, {shape.classes} out"
    )
    print("  implementation            ms  (min)     x published  firing rates       neuron")
    most = max(len(row.get("times", ())) for row in result["rows"])
    for row in result["rows"]:
        if "failed" in row:
            print(f"  {row['title']:21} -- {row['failed']}")
            continue
        rates = ", ".join(f"{rate:.3f}" for rate in row["rates"])
        if not all(RATES[0] <= rate <= RATES[1] for rate in row["rates"]):
            rates += " (!)"
        ratio = f"{row['times_published']:.1f}" if "times_published" in row else ""
        turns = len(row["times"])
        few = f"; {turns} turns" if turns < most else ""
        print(
            f"  {row['title']:21}{row['median_ms']:9.1f}  ({row['min_ms']:.1f}){'':2}"
            f"{ratio:>10}   {rates:19}{row['neuron']}{few}"
        )
    timed = [row for row in result["rows"] if "median_ms" in row]
    others = [row for row in timed if row["key"] not in ENGINE and row["key"] != "published"]
    for row in timed:
        if row["key"] in ENGINE and others:
            best = min(others, key=lambda other: other["median_ms"])
            ratio = best["median_ms"] / row["median_ms"]
            print(f"  {row['title']}: {ratio:.1f} times as fast as the best other, {best['title']}")
    differences = ", ".join(
        f"{row['title']} {row['gradient_difference']:.1e}"
        for row in timed
        if row["key"] != "loop" and "gradient_difference" in row
    )
    if differences:
        print(f"  gradients differ from the loop's, in float32, by: {differences}")


def main() -> None:
    """Measure all shapes and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--only", default=",".join(x.key for x in IMPLEMENTATIONS))
    parser.add_argument("--repeats", type=int, default=7, help="turns; slow ones take fewer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, help="in place of the shapes' own")
    parser.add_argument("--steps", type=int, help="in place of the shapes' own")
    parser.add_argument("--environments", type=Path, default=ROOT, help="where make peers built")
    parser.add_argument("--ask", action="store_true", help="wait for Enter before the clock starts")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    unknown = set(wanted) - {x.key for x in IMPLEMENTATIONS}
    if unknown or not set(arguments.shapes.split(",")) <= set(SHAPES):
        parser.error(
            f"--only takes {', '.join(x.key for x in IMPLEMENTATIONS)}; "
            f"--shapes takes {', '.join(SHAPES)}"
        )
    about = machine() | {"threads": str(arguments.threads), "device": arguments.device}
    workers = [
        Worker(x, arguments.threads, arguments.device, arguments.environments)
        for x in IMPLEMENTATIONS
        if x.key in wanted
    ]
    if not arguments.json:
        print("\n".join(f"{key:10} {value}" for key, value in about.items()))
        print("ms per step, median of the turns; rates outside 5 to 10 % are marked (!)")
    found = []
    for name in arguments.shapes.split(","):
        shape = SHAPES[name]
        shape = shape._replace(
            batch=arguments.batch or shape.batch, steps=arguments.steps or shape.steps
        )
        found.append(measure(shape, workers, arguments.repeats, arguments.ask))
        if not arguments.json:
            show(found[-1])
            sys.stdout.flush()
    for worker in workers:
        worker.close()
    versions = {
        name: version
        for result in found
        for row in result["rows"]
        for name, version in row.get("versions", {}).items()
    }
    if arguments.json:
        json.dump({"machine": about, "versions": versions, "shapes": found}, sys.stdout, indent=2)
        print()
    else:
        print("\nversions: " + ", ".join(f"{name} {version}" for name, version in versions.items()))


if __name__ == "__main__":
    main()
