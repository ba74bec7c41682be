"""Neurons and synaptic sums over their whole ranges."""

from __future__ import annotations

import numpy as np
from srnn.neurons.neuron import Neuron


def random_record(rng: np.random.Generator, kind: type[Neuron], n: int) -> Neuron:
    """A record over the whole range of every parameter, its ends and small values often."""
    values = {}
    for entry in kind.PARAMETERS:
        ends = rng.choice([entry.low, entry.high], n)
        inside = rng.integers(entry.low, entry.high + 1, n)
        small = np.clip(rng.integers(-3000, 3000, n), entry.low, entry.high)
        values[entry.name] = rng.choice(np.stack([ends, inside, inside, small]), axis=0)
    return kind(n, **values)


def sums(rng: np.random.Generator, n: int) -> np.ndarray:
    """Synaptic sums of every size: few bits often, beyond 24 seldom."""
    bits = rng.integers(0, 26, (1, n))
    return rng.integers(-(1 << bits), (1 << bits) + 1)
