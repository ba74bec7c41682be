"""How close a training step comes to the machine's peak: measured peaks, required work, the share.

Small kernels measure the peak of the operations that the engine is made of, on rows of 128 floats
in a matrix of a given size, which decides the cache that holds it: rows added into registers (the
forward pass), additions to rows (weight gradients), multiply-adds of a register-blocked product,
multiply-adds in registers alone, and the copying of large arrays. The ideal time of a step is the
sum of its operations over their peaks; what it moves through memory is a second limit. Run:

    python benchmarks/peak.py [--shapes shd,ecg,smnist] [--threads 2] [--repeats 7] [--json]
"""

# All kernels take the same arguments, whether they need them or not.
# ruff: noqa: ARG001

# Vector types overload operators at compile time.
# pyright: reportOperatorIssue=false, reportCallIssue=false

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from machine import machine
from numba import njit
from peers import ours
from peers.shapes import SHAPES, Shape, draw
from srnn.train.engine.simd import LANES, fma, get_float, load, splat, store
from work import LayerSizes, Work, count, total

ROW = 128
"""Floats in a row of the peak kernels' matrices."""
EVENTS = 16
"""Rows that are added into the same registers, as the events of a step are."""


class Peaks(NamedTuple):
    """Operations and bytes per second, of all threads together."""

    gathered: float
    scattered: float
    multiplied: float
    updates: float
    moved: float


@njit(nogil=True, cache=True)
def gather_rows(matrix, indices, out, rounds):
    """Add rows of ``matrix`` into registers, ``EVENTS`` at a time; additions of rows of ROW."""
    for _ in range(rounds):
        for start in range(0, len(indices), EVENTS):
            for c in range(0, ROW, 8 * LANES):
                a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = splat(0.0)
                for k in range(start, start + EVENTS):
                    row = indices[k] * ROW + c
                    a0 = a0 + load(matrix, row)
                    a1 = a1 + load(matrix, row + LANES)
                    a2 = a2 + load(matrix, row + 2 * LANES)
                    a3 = a3 + load(matrix, row + 3 * LANES)
                    a4 = a4 + load(matrix, row + 4 * LANES)
                    a5 = a5 + load(matrix, row + 5 * LANES)
                    a6 = a6 + load(matrix, row + 6 * LANES)
                    a7 = a7 + load(matrix, row + 7 * LANES)
                store(out, c, a0)
                store(out, c + LANES, a1)
                store(out, c + 2 * LANES, a2)
                store(out, c + 3 * LANES, a3)
                store(out, c + 4 * LANES, a4)
                store(out, c + 5 * LANES, a5)
                store(out, c + 6 * LANES, a6)
                store(out, c + 7 * LANES, a7)


@njit(nogil=True, cache=True)
def scatter_rows(matrix, indices, out, rounds):
    """Add registers to rows of ``matrix``: ROW additions per row, read, changed and written."""
    for _ in range(rounds):
        for c in range(0, ROW, 8 * LANES):
            a0, a1 = load(out, c), load(out, c + LANES)
            a2, a3 = load(out, c + 2 * LANES), load(out, c + 3 * LANES)
            a4, a5 = load(out, c + 4 * LANES), load(out, c + 5 * LANES)
            a6, a7 = load(out, c + 6 * LANES), load(out, c + 7 * LANES)
            for k in range(len(indices)):
                row = indices[k] * ROW + c
                store(matrix, row, load(matrix, row) + a0)
                store(matrix, row + LANES, load(matrix, row + LANES) + a1)
                store(matrix, row + 2 * LANES, load(matrix, row + 2 * LANES) + a2)
                store(matrix, row + 3 * LANES, load(matrix, row + 3 * LANES) + a3)
                store(matrix, row + 4 * LANES, load(matrix, row + 4 * LANES) + a4)
                store(matrix, row + 5 * LANES, load(matrix, row + 5 * LANES) + a5)
                store(matrix, row + 6 * LANES, load(matrix, row + 6 * LANES) + a6)
                store(matrix, row + 7 * LANES, load(matrix, row + 7 * LANES) + a7)


@njit(nogil=True, cache=True)
def multiply_rows(matrix, indices, out, rounds):
    """Multiply 8 rows of factors, the start of ``out``, with all rows of ``matrix``."""
    rows = len(matrix) // ROW
    for _ in range(rounds):
        for c in range(0, ROW, 2 * LANES):
            a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = splat(0.0)
            b0 = b1 = b2 = b3 = b4 = b5 = b6 = b7 = splat(0.0)
            for k in range(rows):
                x, y = load(matrix, k * ROW + c), load(matrix, k * ROW + c + LANES)
                f = splat(get_float(out, k % ROW))
                a0, b0 = fma(f, x, a0), fma(f, y, b0)
                f = splat(get_float(out, k % ROW + ROW))
                a1, b1 = fma(f, x, a1), fma(f, y, b1)
                f = splat(get_float(out, k % ROW + 2 * ROW))
                a2, b2 = fma(f, x, a2), fma(f, y, b2)
                f = splat(get_float(out, k % ROW + 3 * ROW))
                a3, b3 = fma(f, x, a3), fma(f, y, b3)
                f = splat(get_float(out, k % ROW + 4 * ROW))
                a4, b4 = fma(f, x, a4), fma(f, y, b4)
                f = splat(get_float(out, k % ROW + 5 * ROW))
                a5, b5 = fma(f, x, a5), fma(f, y, b5)
                f = splat(get_float(out, k % ROW + 6 * ROW))
                a6, b6 = fma(f, x, a6), fma(f, y, b6)
                f = splat(get_float(out, k % ROW + 7 * ROW))
                a7, b7 = fma(f, x, a7), fma(f, y, b7)
            # Each sum is stored, so that none can be optimised away.
            first = 8 * ROW + c
            store(out, first, a0 + b0)
            store(out, first + ROW, a1 + b1)
            store(out, first + 2 * ROW, a2 + b2)
            store(out, first + 3 * ROW, a3 + b3)
            store(out, first + 4 * ROW, a4 + b4)
            store(out, first + 5 * ROW, a5 + b5)
            store(out, first + 6 * ROW, a6 + b6)
            store(out, first + 7 * ROW, a7 + b7)


@njit(nogil=True, cache=True)
def update_registers(matrix, indices, out, rounds):
    """Multiply and add in registers alone: 8 chains, ROW * 8 / LANES operations per round."""
    x, y = load(matrix, 0), load(matrix, LANES)
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = load(out, 0)
    for _ in range(rounds * len(indices)):
        a0, a1, a2, a3 = fma(a0, x, y), fma(a1, x, y), fma(a2, x, y), fma(a3, x, y)
        a4, a5, a6, a7 = fma(a4, x, y), fma(a5, x, y), fma(a6, x, y), fma(a7, x, y)
    store(out, 8 * ROW, a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7)


@njit(nogil=True, cache=True)
def copy_rows(matrix, indices, out, rounds):
    """Copy the first half of ``matrix`` to the second."""
    half = len(matrix) // 2
    for _ in range(rounds):
        for c in range(0, half, LANES):
            store(matrix, half + c, load(matrix, c))


def operations(kernel: Any, rows: int, indices: int) -> int:
    """Return operations, or bytes of a copy, per round."""
    if kernel is multiply_rows:
        return rows * ROW * 8
    if kernel is update_registers:
        return indices * 8 * LANES
    if kernel is copy_rows:
        return rows * ROW * 4
    return indices * ROW


def rate(kernel: Any, matrix_bytes: int, threads: int, repeats: int = 5) -> float:
    """Return the best rate of a kernel, per second, with a matrix of that size for every thread."""
    rows = max(EVENTS, matrix_bytes // (4 * ROW))
    rng = np.random.default_rng(0)
    rooms = []
    for _ in range(threads):
        # On a page of its own, so that every row has its own cache lines.
        room = np.zeros(rows * ROW + 1024, np.float32)
        first = (-room.ctypes.data // 4) % 1024
        matrix = room[first : first + rows * ROW]
        # As many as there are rows, so that the whole matrix is used.
        indices = rng.integers(0, rows, max(16, rows // EVENTS) * EVENTS)
        rooms.append((matrix, indices, np.zeros(16 * ROW, np.float32)))
    each = operations(kernel, rows, len(rooms[0][1]))
    kernel(*rooms[0], 1)
    rounds = max(1, int(4e8 / each) if kernel is not copy_rows else 4)
    best = float("inf")
    for _ in range(repeats):
        others = [threading.Thread(target=kernel, args=(*room, rounds)) for room in rooms[1:]]
        start = time.perf_counter()
        for other in others:
            other.start()
        kernel(*rooms[0], rounds)
        for other in others:
            other.join()
        best = min(best, time.perf_counter() - start)
    return threads * rounds * each / best


def peaks(weight_bytes: int, threads: int) -> Peaks:
    """Measure the peaks for a layer whose weights take that many bytes."""
    return Peaks(
        rate(gather_rows, weight_bytes, threads),
        rate(scatter_rows, weight_bytes, threads),
        rate(multiply_rows, weight_bytes, threads),
        rate(update_registers, 4 * ROW * EVENTS, threads),
        rate(copy_rows, 1 << 27, threads),
    )


def ideal(work: Work, peak: Peaks) -> tuple[float, float]:
    """Return the seconds that the operations take at their peaks, and the bytes at theirs."""
    arithmetic = zip(work[:4], peak[:4], strict=True)
    return sum(amount / most for amount, most in arithmetic), work.moved / peak.moved


def layers(shape: Shape) -> list[LayerSizes]:
    """Run the shape's network once and return the work of each layer."""
    model = ours.network(shape, "events")
    inputs, _ = draw(shape)
    with torch.no_grad():
        spikes = model(torch.from_numpy(inputs)).spikes
    found, events, below = [], int(np.count_nonzero(inputs)), shape.inputs
    for index, layer in enumerate(ours.directions(model)):
        recurrent = layer.recurrent_weight is not None
        found.append(
            LayerSizes(
                shape.batch,
                shape.steps,
                below,
                layer.neuron.size,
                events,
                int(spikes[index][:, :-1].count_nonzero()) if recurrent else 0,
                graded=index == 0 and shape.density is None,
                recurrent=recurrent,
                spiking=layer.neuron.spiking,
                inputs_need_gradient=index > 0,
            )
        )
        events, below = int(spikes[index].count_nonzero()), layer.neuron.size
    return found


def engine_seconds(shape: Shape, threads: int, repeats: int) -> float:
    """Return the median time of the engine's step, on event lists where inputs are binary."""
    way = "engine" if shape.density is None else "events"
    step = ours.make(way, shape, threads, "cpu").step
    step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(shape: Shape, threads: int, repeats: int) -> dict[str, Any]:
    """Count a shape's work, and return its ideal next to the measured time."""
    works, arithmetic, memory, measured_peaks = [], 0.0, 0.0, []
    for layer in layers(shape):
        weights = 4 * layer.neurons * (layer.below + layer.recurrent * layer.neurons)
        peak = peaks(weights, threads)
        work = count(layer)
        seconds = ideal(work, peak)
        arithmetic, memory = arithmetic + seconds[0], memory + seconds[1]
        works.append(work)
        measured_peaks.append({"weights_bytes": weights, **peak._asdict()})
    spent = engine_seconds(shape, threads, repeats)
    return {
        "shape": shape.name,
        "threads": threads,
        "work": total(works)._asdict(),
        "peaks": measured_peaks,
        "ideal_ms": arithmetic * 1e3,
        "memory_ms": memory * 1e3,
        "measured_ms": spent * 1e3,
        "share_of_peak": arithmetic / spent,
        "share_of_bandwidth": memory / spent,
    }


def show_peaks(threads: int) -> None:
    """Print the peaks of small and larger matrices."""
    columns: list[tuple[str, Callable[..., Any]]] = [
        ("rows added", gather_rows),
        ("added to rows", scatter_rows),
        ("product", multiply_rows),
    ]
    print(f"G operations/s of {threads} thread{'s' if threads > 1 else ''}, by matrix size")
    print(f"{'':12}" + "".join(f"{name:>15}" for name, _ in columns))
    for size in (1 << 14, 1 << 16, 1 << 18, 1 << 19, 1 << 22):
        rates = [rate(kernel, size, threads) / 1e9 for _, kernel in columns]
        print(f"{size >> 10:7} KiB " + "".join(f"{value:15.1f}" for value in rates), flush=True)
    alone = rate(update_registers, 4 * ROW * EVENTS, threads) / 1e9
    copied = rate(copy_rows, 1 << 27, threads) / 1e9
    print(f"multiply-adds in registers {alone:.1f} G/s; copies {copied:.1f} GB/s, read and written")


def main() -> None:
    """Measure peaks and shapes and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--batch", type=int, help="in place of the shapes' own")
    parser.add_argument("--steps", type=int, help="in place of the shapes' own")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    about, found = machine() | {"threads": str(arguments.threads)}, []
    if not arguments.json:
        print("\n".join(f"{key:10} {value}" for key, value in about.items()))
        for threads in sorted({1, arguments.threads}):
            show_peaks(threads)
        print(
            "\nshape   G added  G added to   G multi-       G in  GB moved  ideal,  moving,"
            "  measured,  share\n        forward        rows      plied    updates"
            "                ms       ms         ms   of peak"
        )
    for name in arguments.shapes.split(","):
        shape = SHAPES[name]
        shape = shape._replace(
            batch=arguments.batch or shape.batch, steps=arguments.steps or shape.steps
        )
        row = measure(shape, arguments.threads, arguments.repeats)
        found.append(row)
        if not arguments.json:
            work = Work(**row["work"])
            print(
                f"{name:7}{work.gathered / 1e9:8.3f}{work.scattered / 1e9:12.3f}"
                f"{work.multiplied / 1e9:11.3f}{work.updates / 1e9:11.3f}{work.moved / 1e9:10.2f}"
                f"{row['ideal_ms']:8.2f}{row['memory_ms']:9.2f}{row['measured_ms']:11.1f}"
                f"{row['share_of_peak']:10.0%}",
                flush=True,
            )
    if arguments.json:
        json.dump({"machine": about, "shapes": found}, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
