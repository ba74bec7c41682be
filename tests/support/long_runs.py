"""A run on Lava that takes long enough to be disturbed."""

from __future__ import annotations

import numpy as np
from deploy_networks import adaptive, integrator, spikes, stack
from srnn.export.network import Network


def network(seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    return stack(rng, 4, [adaptive(rng, 6), integrator(rng, 2)])


def long_inputs(steps: int = 30_000) -> np.ndarray:
    return spikes(np.random.default_rng(1), 1, steps, 4)
