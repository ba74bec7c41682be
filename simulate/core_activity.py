"""What the cores of a chip do in a run: synaptic operations by source, axon messages between cores.

The core of each neuron is an argument, so that any placement can be given; for those of
``srnn-deploy --dry-run`` it is ``Placement.core_of``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.errors import InputError
from ..export.grid import IntArray
from ..export.network import Connection, Network, Synapses
from .activity import Activity
from .reference import convolved

_ENTRIES = 1 << 22
"""Weights of a convolution that are expanded at a time."""


@dataclass(frozen=True, eq=False)
class CoreActivity:
    """Counts of each core, of a whole run, int64 (cores,).

    ``layer``: the layer whose neurons the core holds, by index; ``neurons`` of it;
    ``operations_below``, ``operations_recurrent``: synaptic operations by their source;
    ``neuron_updates``, ``adaptation_updates``; ``messages_in``: messages that reach the core, each
    counted once; ``messages_out``: messages that its neurons send, once for each core that they
    reach. ``between`` int64 (cores + 1, cores): messages from core to core, row 0 from the host.
    """

    layer: IntArray
    neurons: IntArray
    operations_below: IntArray
    operations_recurrent: IntArray
    neuron_updates: IntArray
    adaptation_updates: IntArray
    between: IntArray

    @property
    def cores(self) -> int:
        """Number of cores."""
        return len(self.layer)

    @property
    def messages_in(self) -> IntArray:
        """Messages that reach each core."""
        return self.between.sum(axis=0)

    @property
    def messages_out(self) -> IntArray:
        """Messages that each core sends."""
        return self.between[1:].sum(axis=1)

    @property
    def messages(self) -> int:
        """All messages, those within a core too."""
        return int(self.between.sum())

    @property
    def messages_between_cores(self) -> int:
        """Messages that leave their core, without those of the host."""
        return int(self.between[1:].sum() - np.trace(self.between[1:]))

    def as_dict(self) -> dict[str, Any]:
        """Return the counts, one row per core."""
        return {
            "messages": self.messages,
            "messages_between_cores": self.messages_between_cores,
            "messages_from_host": int(self.between[0].sum()),
            "cores": [
                {
                    "core": core,
                    "layer": int(self.layer[core]),
                    "neurons": int(self.neurons[core]),
                    "operations_from_below": int(self.operations_below[core]),
                    "operations_recurrent": int(self.operations_recurrent[core]),
                    "neuron_updates": int(self.neuron_updates[core]),
                    "adaptation_updates": int(self.adaptation_updates[core]),
                    "messages_in": int(self.messages_in[core]),
                    "messages_out": int(self.messages_out[core]),
                }
                for core in range(self.cores)
            ],
        }


def core_activity(
    network: Network, activity: Activity, core_of: Sequence[npt.ArrayLike]
) -> CoreActivity:
    """Distribute a run's counts over cores.

    Parameters
    ----------
    network, activity
        The network, and what a run of it counted.
    core_of
        For each layer int (n,): the core of each neuron, numbered from 0 without gaps. A core
        holds neurons of one layer.

    Raises
    ------
    InputError
        Another number of layers or neurons, gaps in the numbers, a core of two layers.
    """
    places = _checked(network, core_of)
    cores = max(int(where.max()) for where in places) + 1
    layer_of = np.full(cores, -1, np.int64)
    for index, where in enumerate(places):
        held = np.unique(where)
        if (layer_of[held] >= 0).any():
            core = int(held[layer_of[held] >= 0][0])
            raise InputError(f"core_of: core {core} holds neurons of two layers")
        layer_of[held] = index
    if (layer_of < 0).any():
        raise InputError(f"core_of: core {int(np.argmin(layer_of))} holds no neuron")
    neurons, updates, adapting = (np.zeros(cores, np.int64) for _ in range(3))
    below, recurrent = np.zeros(cores, np.int64), np.zeros(cores, np.int64)
    between = np.zeros((cores + 1, cores), np.int64)
    source_core, messages = np.full(network.input_size, -1), activity.input_events
    for layer, where, counted in zip(network.layers, places, activity.layers, strict=True):
        held = np.bincount(where, minlength=cores)
        neurons += held
        updates += held * counted.steps
        adapting += np.bincount(where[counted.adaptive], minlength=cores) * counted.steps
        reach = _reach(layer.synapses, where, cores)
        below += messages @ reach
        np.add.at(between, source_core + 1, (reach > 0) * messages[:, None])
        if layer.recurrent is not None:
            reach = _reach(layer.recurrent, where, cores)
            sent = counted.spikes - counted.last_spikes
            recurrent += sent @ reach
            np.add.at(between, where + 1, (reach > 0) * sent[:, None])
        source_core, messages = where, counted.spikes
    return CoreActivity(layer_of, neurons, below, recurrent, updates, adapting, between)


def _checked(network: Network, core_of: Sequence[npt.ArrayLike]) -> list[IntArray]:
    if len(core_of) != len(network.layers):
        raise InputError(f"core_of: {len(core_of)} layers, the network has {len(network.layers)}")
    places = []
    for layer, given in zip(network.layers, core_of, strict=True):
        where = np.asarray(given)
        if where.shape != (layer.size,) or where.dtype.kind not in "iu" or where.min() < 0:
            raise InputError(
                f"core_of: layer {layer.name}: {where.dtype} {where.shape}, needs cores from 0 on, "
                f"({layer.size},)"
            )
        places.append(where.astype(np.int64))
    return places


def _reach(connection: Connection, core_of: IntArray, cores: int) -> IntArray:
    """Return how many non-zero weights each source has on each core, int64 (n_in, cores)."""
    found = np.zeros((connection.n_in, cores), np.int64)
    if isinstance(connection, Synapses):
        for core in np.unique(core_of):
            found[:, core] = np.count_nonzero(connection.weight[core_of == core], axis=0)
        return found
    # A tap without a source has no synapse, so unit messages show what each source reaches.
    share = max(_ENTRIES // connection.n_out, 1)
    for start in range(0, connection.n_in, share):
        stop = min(start + share, connection.n_in)
        unit = np.zeros((stop - start, connection.n_in), np.int64)
        unit[np.arange(stop - start), np.arange(start, stop)] = 1
        weights = convolved(connection, unit).reshape(stop - start, -1)
        for core in np.unique(core_of):
            found[start:stop, core] = np.count_nonzero(weights[:, core_of == core], axis=1)
    return found
