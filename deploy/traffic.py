"""The spikes that a placed network sends between cores, from a simulated run.

A spike is one message to every core that the neuron reaches; graded inputs count like spikes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..export.grid import FloatArray, IntArray
from ..simulate.activity import Activity
from .inputs import Inputs
from .mapping import HOST, Placement


@dataclass(frozen=True, eq=False)
class Traffic:
    """Messages per step. ``sent`` and ``received`` float64 (cores,) count other cores only.

    ``within``: to the core that sent them; ``between_cores``: to another core, those to another
    chip included; ``between_chips``; ``from_host``: inputs, one for every core that they reach;
    ``busiest``: the pair of cores with the most, and how many, or None without any.
    """

    sent: FloatArray
    received: FloatArray
    within: float
    between_cores: float
    between_chips: float
    from_host: float
    busiest: tuple[int, int, float] | None
    steps: int


def messages(activity: Activity, inputs: Inputs) -> tuple[IntArray, ...]:
    """Return the messages of every input channel and of every neuron, by layer, in a run."""
    channels = np.zeros(inputs.inputs.shape[2], np.int64)
    steps = np.arange(inputs.inputs.shape[1])
    for sample, length in zip(inputs.inputs, inputs.lengths, strict=True):
        channels += np.count_nonzero(sample[steps < length], axis=0)
    return (channels, *(layer.spikes for layer in activity.layers))


def traffic(placement: Placement, steps: int) -> Traffic:
    """Sum up the links of a placement that was made with the spikes of so many steps."""
    links = placement.links
    each = links.spikes / max(steps, 1)
    host = links.source == HOST
    other = ~host & (links.source != links.target)
    chips = placement.chip_of(links.source) != placement.chip_of(links.target)
    sent = np.bincount(links.source[other], each[other], minlength=placement.cores)
    received = np.bincount(links.target[other], each[other], minlength=placement.cores)
    busiest = None
    if each[other].any():
        # Two groups of synapses may link the same two cores.
        pair = links.source[other] * placement.cores + links.target[other]
        pairs, where = np.unique(pair, return_inverse=True)
        totals = np.bincount(where, each[other])
        best = int(np.argmax(totals))
        source, target = divmod(int(pairs[best]), placement.cores)
        busiest = (source, target, float(totals[best]))
    return Traffic(
        sent=sent.astype(np.float64),
        received=received.astype(np.float64),
        within=float(each[~host & ~other].sum()),
        between_cores=float(each[other].sum()),
        between_chips=float(each[other & chips].sum()),
        from_host=float(each[host].sum()),
        busiest=busiest,
        steps=steps,
    )
