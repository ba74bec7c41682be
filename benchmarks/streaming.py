"""Latency of one streamed step of the zoo's networks, and memory over a million steps.

The samples in each file are streamed repeatedly; the state is never reset, as in operation.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from srnn.export.netx import read_net, read_samples
from srnn.simulate import StreamingSimulator

ZOO = Path(__file__).resolve().parent.parent / "zoo"
WARM = 2000


def rows_of(path: Path) -> tuple[StreamingSimulator, list[np.ndarray]]:
    """Return a simulator and the steps of a file's samples, in the type read without conversion."""
    network, samples = read_net(path), read_samples(path)
    if samples is None:
        raise SystemExit(f"{path}: holds no samples")
    dtype = np.uint8 if network.message_bits == 0 else np.int32
    parts = [x[:n] for x, n in zip(samples.inputs, samples.lengths, strict=True)]
    return StreamingSimulator(network), list(np.concatenate(parts).astype(dtype))


def latency(path: Path, steps: int, label: bool) -> dict[str, Any]:
    """Time single steps, with or without asking for the label after each."""
    stream, rows = rows_of(path)
    times = np.zeros(steps, np.int64)
    for index in range(-WARM, steps):
        row = rows[index % len(rows)]
        before = time.perf_counter_ns()
        stream.step(row)
        answer = stream.label if label else 0
        times[index] = time.perf_counter_ns() - before
        if answer is None:
            raise SystemExit(f"{path}: no answer")
    median, high = np.percentile(times, [50, 99]) / 1000
    return {"network": path.stem, "label": label, "steps": steps,
            "median_us": float(median), "p99_us": float(high)}  # fmt: skip


def memory(path: Path, steps: int) -> dict[str, Any]:
    """Return the growth of the process's largest resident memory over this many steps, in KiB."""
    stream, rows = rows_of(path)
    for index in range(10_000):
        stream.step(rows[index % len(rows)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    for index in range(steps):
        stream.step(rows[index % len(rows)])
    seconds = time.perf_counter() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"network": path.stem, "steps": steps, "grown_kib": grown, "seconds": seconds}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=50_000, help="number of steps to time")
    parser.add_argument(
        "--million", type=int, default=1_000_000, help="number of steps of the memory run"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    networks = sorted(ZOO.glob("*.net"))
    rows = [latency(p, arguments.steps, label) for p in networks for label in (False, True)]
    grown = [memory(path, arguments.million) for path in networks[:2]]
    about = machine()
    if arguments.json:
        json.dump({"machine": about, "latency": rows, "memory": grown}, sys.stdout, indent=2)
        print()
        return
    print("\n".join(f"{key:10} {value}" for key, value in about.items()))
    print("\n| network | step with | median, µs | 99th percentile, µs |\n|---|---|---|---|")
    for row in rows:
        what = "output and label" if row["label"] else "output"
        numbers = f"{row['median_us']:.1f} | {row['p99_us']:.1f}"
        print(f"| {row['network']} | {what} | {numbers} |")
    print("\n| network | steps | largest resident memory grew by, KiB | s |\n|---|---|---|---|")
    for row in grown:
        print(
            f"| {row['network']} | {row['steps']:,} | {row['grown_kib']} | {row['seconds']:.1f} |"
        )


if __name__ == "__main__":
    main()
