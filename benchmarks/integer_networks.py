"""Recurrent networks of random integers, hidden neurons firing at about 5 to 10 % of the steps."""

# The records take scalars and lists, and store arrays.
# pyright: reportArgumentType=false

from __future__ import annotations

import numpy as np
from peers.shapes import Shape
from srnn.export.network import (
    AdaptiveLIF,
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Readout,
    Synapses,
)

SHAPES = {
    "N128": Shape("N128", 64, 250, 700, 0.02, (128,), 20),
    "N512": Shape("N512", 64, 250, 700, 0.02, (512,), 20),
    "ecg": Shape("ecg", 64, 1300, 4, 0.08, (36,), 6),
}
KINDS = ("LIF", "ALIF")
"""CUBA LIF with a current of one step and hard reset; adaptive LIF with soft reset."""

THRESHOLD_SHARE = {"N128": (1.0, 1.0), "N512": (1.0, 1.0), "ecg": (0.32, 0.08)}
"""Thresholds for 700 inputs, by shape, for LIF and ALIF."""


def make_network(kind: str, shape: Shape) -> Network:
    """Return a network of one recurrent layer and a leaky-integrator readout."""
    (size,) = shape.hidden
    rng = np.random.default_rng(size)
    share = THRESHOLD_SHARE[shape.name][KINDS.index(kind)]
    if kind == "ALIF":
        neuron = AdaptiveLIF(
            size,
            rng.integers(100, 300, size),
            rng.integers(10, 60, size),
            (share * rng.integers(20000, 40000, size)).astype(int),
            rng.integers(100, 9000, size),
            rng.integers(0, 5, size),
        )
    else:
        thresholds = (share * rng.integers(300, 600, size)).astype(int)
        neuron = CubaLIF(size, 4096, rng.integers(100, 300, size), thresholds)
    hidden = Layer(
        "hidden",
        Synapses(2 * rng.integers(-60, 61, (size, shape.inputs))),
        neuron,
        Synapses(2 * rng.integers(-30, 31, (size, size))),
    )
    readout = Synapses(2 * rng.integers(-60, 61, (shape.classes, size)))
    last = Layer("readout", readout, LeakyIntegrator(shape.classes, 100))
    return Network((hidden, last), Readout("mean_softmax"))
