"""A small layer of the engine and its inputs, in a module that spawned processes can import."""

from __future__ import annotations

import torch
from srnn.export.config import LayerConfig
from srnn.train.engine import SpikingSequence
from srnn.train.engine.threads import run_shares


def layer(**settings) -> SpikingSequence:
    torch.manual_seed(0)
    config = LayerConfig("alif", 24, recurrent=True, weight_gain=3.0, **settings)
    return SpikingSequence(config, inputs=30)


def rasters(seed: int = 0, batch: int = 4, steps: int = 12) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return (torch.rand(batch, steps, 30, generator=g) < 0.2).float()


def spike_sum(threads: int) -> tuple[float, list[int]]:
    """Return how many spikes the layer sends, and where the shares of three blocks began."""
    torch.set_num_threads(threads)
    ran: list[int] = []
    run_shares(lambda _number, low, _high: ran.append(low), [(0, 1), (1, 2), (2, 3)])
    with torch.no_grad():
        return float(layer()(rasters(3)).spikes.sum()), sorted(ran)
