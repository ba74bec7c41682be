"""Time and memory of placing large networks on a board.

The network is a stack of pairs of layers, one wide and one narrow, so that dense matrices have the
wanted number of synapses per neuron; a share of the weights can be zero. The network itself takes
4 bytes per synapse; "for placing" is the growth of the process's peak beyond it. Run:

    python benchmarks/placement.py [--neurons 1000000] [--synapses 100000000] [--density 1.0]
        [--board hala-point] [--profiles 4] [--json]
"""

# The records take scalars, and store arrays.
# pyright: reportArgumentType=false

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from typing import Any

import numpy as np
from machine import machine
from memory import peak_bytes
from srnn.deploy.boards import read_boards
from srnn.deploy.connectivity import connectivity
from srnn.deploy.mapping import place
from srnn.deploy.violations import violations
from srnn.export.network import CubaLIF, Layer, Network, Readout, Synapses

PAIR = 10_000
"""Neurons of a pair."""


def stack(neurons: int, synapses: int, density: float, profiles: int) -> Network:
    """Return a network of that many neurons and, before zeros, synapses, within a few per cent."""
    rng = np.random.default_rng(0)
    # A pair of n and m neurons has 2 n m synapses.
    narrow = max(1, math.ceil(synapses / neurons / 2 * 1.01))
    wide = max(1, min(PAIR - narrow, neurons - narrow))
    pairs = max(1, round(neurons / (wide + narrow)))
    layers: list[Layer] = []
    below = narrow
    for pair in range(pairs):
        for size in (wide, narrow):
            weight = (2 * rng.integers(1, 120, (size, below), dtype=np.int16)).astype(np.int32)
            weight[:, ::2] *= -1
            if density < 1:
                weight[rng.random(weight.shape, dtype=np.float32) >= density] = 0
            codes = rng.integers(0, profiles, size) % 3900
            neuron = CubaLIF(size, 1024, 100 + codes, 300 + codes)
            layers.append(Layer(f"{pair}-{size}", Synapses(weight), neuron))
            below = size
    return Network(tuple(layers), Readout("spike_count"))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Build a network, place it and check it."""
    board = read_boards().find(arguments.board)
    network = stack(arguments.neurons, arguments.synapses, arguments.density, arguments.profiles)
    before = peak_bytes()
    start = time.perf_counter()
    placement = place(network, board)
    middle = time.perf_counter()
    found = violations(network, placement)
    end = time.perf_counter()
    return {
        "board": board.name,
        "neurons": sum(layer.size for layer in network.layers),
        "synapses": sum(connectivity(layer.synapses).count for layer in network.layers),
        "layers": len(network.layers),
        "cores": placement.cores,
        "fits": not found,
        "place_s": middle - start,
        "check_s": end - middle,
        "peak_bytes": peak_bytes(),
        "placing_bytes": peak_bytes() - before,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--neurons", type=int, default=1_000_000)
    parser.add_argument("--synapses", type=int, default=100_000_000)
    parser.add_argument("--density", type=float, default=1.0)
    parser.add_argument("--board", default="hala-point")
    parser.add_argument("--profiles", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    about, row = machine(), measure(arguments)
    if arguments.json:
        json.dump({"machine": about, **row}, sys.stdout, indent=2)
        print()
        return
    print("\n".join(f"{key:10} {value}" for key, value in about.items()))
    print(
        f"{row['neurons']:,} neurons, {row['synapses']:,} synapses, {row['layers']} layers on "
        f"{row['board']}: {row['cores']:,} cores, fits: {row['fits']}"
    )
    print(
        f"placed in {row['place_s']:.2f} s, checked in {row['check_s']:.2f} s; peak "
        f"{row['peak_bytes'] / 1e9:.2f} GB, for placing {row['placing_bytes'] / 1e9:.2f} GB"
    )


if __name__ == "__main__":
    main()
