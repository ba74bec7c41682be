"""Small boards, and a second, slow count of what a placement uses."""

from __future__ import annotations

from typing import Any

import numpy as np
from srnn.deploy.boards import Board, Chip, Limit, Limits, SynapseFormat
from srnn.deploy.connectivity import largest_delay, stored_weight_bits
from srnn.deploy.mapping import Placement
from srnn.deploy.programs import requirements
from srnn.export.network import NEURONS, Network, Synapses

FORMAT = SynapseFormat(
    word_bits=16, entry_synapses=4, entry_header_bits=3, index_widths=(1, 2, 3, 4, 5)
)


def board(chips: int = 1, microcode: bool = True, **limits: int | None) -> Board:
    """A board with 64 cores of 64 neurons unless told; other limits are not known."""
    values: dict[str, int | None] = {"cores_per_chip": 64, "neurons_per_core": 64, **limits}
    records = {name: Limit(value, "test", verified=True) for name, value in values.items()}
    chip = Chip("Test chip", Limits(**records), ("CUBA",), microcode, FORMAT)
    return Board("test", "Test board", chip, Limit(chips, "test", verified=True))


def every_neuron_native(made: Board) -> Board:
    chip = Chip(made.chip.title, made.chip.limits, tuple(NEURONS), False, made.chip.synapse_format)
    return Board(made.name, made.title, chip, made.chips)


def entry_bits(count: int, bits: int) -> int:
    total = 0
    while count > 0:
        part = min(count, FORMAT.entry_synapses)
        used = part * bits + FORMAT.entry_header_bits
        total += -(-used // FORMAT.word_bits) * FORMAT.word_bits
        count -= part
    return total


def memory(synapses: Synapses, rows: np.ndarray) -> int:
    width = stored_weight_bits(synapses, FORMAT.weight_widths) or FORMAT.weight_widths[-1]
    width += largest_delay(synapses).bit_length()
    fans = [int(np.count_nonzero(synapses.weight[rows, j])) for j in range(synapses.n_in)]
    fans = [fan for fan in fans if fan]
    dense = sum(entry_bits(len(rows), width) for _ in fans)
    indices = [w for w in FORMAT.index_widths if 2**w >= len(rows)]
    if not indices:
        return dense
    return min(dense, sum(entry_bits(fan, width + indices[0]) for fan in fans))


def recount(network: Network, placement: Placement) -> dict[str, np.ndarray]:
    """Count what each core uses, neuron by neuron."""
    cores = placement.cores
    used: dict[str, Any] = {name: np.zeros(cores, np.int64) for name in placement.used}
    for index, layer in enumerate(network.layers):
        homes = placement.core_of[index]
        groups = [(layer.synapses, None if index == 0 else placement.core_of[index - 1])]
        if layer.recurrent is not None:
            groups.append((layer.recurrent, homes))
        needs = requirements(type(layer.neuron))
        for core in sorted(set(homes.tolist())):
            rows = np.flatnonzero(homes == core)
            used["neurons_per_core"][core] += len(rows)
            for kind, names in (("decay", needs.decays), ("threshold", needs.thresholds)):
                sets = {tuple(int(getattr(layer.neuron, n)[row]) for n in names) for row in rows}
                used[f"{kind}_profiles_per_core"][core] += len(sets)
            for synapses, sources in groups:
                used["synapse_bits_per_core"][core] += memory(synapses, rows)
                for source in range(synapses.n_in):
                    if synapses.weight[rows, source].any():
                        used["input_axons_per_core"][core] += 1
                        if sources is not None:
                            used["output_axons_per_core"][sources[source]] += 1
    return used
