"""What neurons need from the core that holds them, counted for any set of neurons of a layer.

Every need grows with the set, so that the largest set that fits can be found by bisection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..export.grid import IntArray
from ..export.network import Connection, Layer
from .boards import Board, SynapseFormat
from .connectivity import Connectivity, connectivity, largest_delay, stored_weight_bits
from .programs import requirements


@dataclass(frozen=True, eq=False)
class Group:
    """Synapses from one population of sources, with the bits that each takes in memory."""

    connectivity: Connectivity
    synapse_bits: int
    format: SynapseFormat

    def memory_bits(self, targets: IntArray, neurons: int) -> int:
        """Return the synapse memory of a core with so many neurons of the layer.

        ``targets`` int64 (n_in,) are the neurons that each source reaches there. The cheaper of two
        formats is taken: one entry per neuron, or one per synapse with the neuron's index.
        """
        reaching = targets[targets > 0]
        if reaching.size == 0:
            return 0
        dense = reaching.size * int(self._entries(np.array([neurons]), self.synapse_bits)[0])
        index = next((w for w in self.format.index_widths if 1 << w >= neurons), None)
        if index is None or (reaching == neurons).all():
            return dense
        sizes, counts = np.unique(reaching, return_counts=True)
        return min(dense, int((counts * self._entries(sizes, self.synapse_bits + index)).sum()))

    def _entries(self, synapses: IntArray, bits: int) -> IntArray:
        form = self.format

        def words(count: IntArray) -> IntArray:
            used = count * bits + form.entry_header_bits
            return -(-used // form.word_bits) * form.word_bits

        full, rest = np.divmod(synapses, form.entry_synapses)
        return full * words(np.array(form.entry_synapses)) + np.where(rest > 0, words(rest), 0)


@dataclass(frozen=True, eq=False)
class Needs:
    """A layer as placement sees it.

    ``below`` and ``recurrent`` are its synapses; ``decays`` and ``thresholds`` int64 (n,) number
    the distinct profiles; ``axons_up`` int64 (n,) are the cores above that each neuron reaches.
    """

    size: int
    below: Group
    recurrent: Group | None
    decays: IntArray
    thresholds: IntArray
    axons_up: IntArray

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups of synapses."""
        return (self.below,) if self.recurrent is None else (self.below, self.recurrent)

    def load(self, rows: IntArray, own_cores: int) -> dict[str, int]:
        """Return what these neurons need of one core, by the names of ``boards.PER_CORE``.

        ``own_cores`` bounds the cores of this layer that a neuron's recurrent synapses reach.
        """
        axons = int(self.axons_up[rows].sum())
        if self.recurrent is not None:
            fan_out = self.recurrent.connectivity.fan_out[rows]
            axons += int(np.minimum(fan_out, own_cores).sum())
        memory = inputs = 0
        for group in self.groups:
            targets = group.connectivity.targets(rows)
            memory += group.memory_bits(targets, rows.size)
            inputs += int(np.count_nonzero(targets))
        return {
            "neurons_per_core": rows.size,
            "synapse_bits_per_core": memory,
            "input_axons_per_core": inputs,
            "output_axons_per_core": axons,
            "decay_profiles_per_core": distinct(self.decays[rows]),
            "threshold_profiles_per_core": distinct(self.thresholds[rows]),
        }


def needs(layer: Layer, board: Board, axons_up: IntArray) -> Needs:
    """Count a layer's synapses and number its profiles."""
    form = board.chip.synapse_format
    needs = requirements(type(layer.neuron))

    def group(synapses: Connection) -> Group:
        # A matrix that no width holds is a violation of its own; the widest width replaces it here.
        weight = stored_weight_bits(synapses, form.weight_widths) or form.weight_widths[-1]
        bits = weight + largest_delay(synapses).bit_length()
        return Group(connectivity(synapses), bits, form)

    return Needs(
        layer.size,
        group(layer.synapses),
        None if layer.recurrent is None else group(layer.recurrent),
        profiles([getattr(layer.neuron, name) for name in needs.decays], layer.size),
        profiles([getattr(layer.neuron, name) for name in needs.thresholds], layer.size),
        axons_up,
    )


def profiles(parameters: list[IntArray], size: int) -> IntArray:
    """Number the distinct sets of parameters of neurons, int64 (n,), from 0 in ascending order."""
    if not parameters:
        return np.zeros(size, np.int64)
    _, numbers = np.unique(np.stack(parameters, axis=1), axis=0, return_inverse=True)
    return numbers.reshape(-1).astype(np.int64)


def distinct(values: IntArray) -> int:
    """Return the number of distinct values."""
    return int(np.unique(values).size)
