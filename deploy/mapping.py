"""Placing a network on the cores of a board.

A core holds neurons of one layer, as in nengo-loihi and in Lava. A layer is split where a core is
too small; neurons with equal parameters are grouped where a core holds few profiles. Layers
are placed from the last to the first, since a neuron needs an output axon for every core that it
reaches. Equal networks and boards give equal placements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.grid import FloatArray, IntArray
from ..export.network import Network
from .boards import PER_CORE, Board
from .connectivity import Connectivity
from .loads import Needs, distinct, needs

HOST = -1
"""Where the inputs of the network come from, as a source core."""

_EXACT_ROUNDS = 8
"""Rounds after which the bound on a recurrent layer's cores grows faster than it must."""


@dataclass(frozen=True, eq=False)
class Links:
    """Connections between cores, one entry per pair: int64 (links,), ``spikes`` float64.

    ``source`` (``HOST`` for inputs), ``target``, ``axons``: neurons of the source with synapses on
    the target; ``spikes``: their spikes, where a trace was given, else 0.
    """

    source: IntArray
    target: IntArray
    axons: IntArray
    spikes: FloatArray


@dataclass(frozen=True, eq=False)
class Placement:
    """Which core holds each neuron, and what the cores need.

    ``core_of``: for each layer int64 (n,); ``layer_of`` int64 (cores,); ``used``: for every name of
    ``boards.PER_CORE`` int64 (cores,). ``bound_by``: for each layer, what kept its cores from
    holding more, or None where it fits on one; ``without_profiles``: for each layer, its cores if
    all its neurons had equal parameters.
    """

    board: Board
    layers: tuple[str, ...]
    core_of: tuple[IntArray, ...]
    layer_of: IntArray
    used: dict[str, IntArray]
    bound_by: tuple[str | None, ...]
    without_profiles: tuple[int, ...]
    links: Links

    @property
    def cores(self) -> int:
        """Number of cores that hold neurons; more than the board has where it does not fit."""
        return int(self.layer_of.size)

    def layer_cores(self, layer: int) -> int:
        """Return the number of cores of a layer."""
        return int(np.count_nonzero(self.layer_of == layer))

    def chip_of(self, core: IntArray) -> IntArray:
        """Return the chips of cores; the host stays the host."""
        return np.where(core == HOST, HOST, core // self.board.cores_per_chip)


def place(
    network: Network, board: Board, spikes: Sequence[IntArray | FloatArray] | None = None
) -> Placement:
    """Place a network; limits of a core are kept unless a single neuron exceeds them.

    Parameters
    ----------
    network
        The network of integers.
    board
        The board; its number of cores is not checked here.
    spikes
        Messages of the inputs and of each layer, (n_in,), (n_0,), …, of any run; for ``links``.
    """
    found = []
    axons_up = np.zeros(network.layers[-1].size, np.int64)
    for layer in reversed(network.layers):
        wanted = needs(layer, board, axons_up)
        split = _split(wanted, board)
        found.append((wanted, split))
        axons_up = _reached(wanted.below.connectivity, split.parts)
    found.reverse()
    return _account(network, board, found, spikes)


@dataclass(frozen=True, eq=False)
class _Split:
    """The neurons of each core, ascending; what bound them; cores if profiles are ignored."""

    parts: list[IntArray]
    bound_by: str | None
    without_profiles: int


def _reached(connectivity: Connectivity, parts: list[IntArray]) -> IntArray:
    cores = np.zeros(connectivity.fan_out.size, np.int64)
    for rows in parts:
        cores += connectivity.targets(rows) > 0
    return cores


def _split(wanted: Needs, board: Board) -> _Split:
    limits = {name: board.limit(name).value for name in PER_CORE}
    natural = np.arange(wanted.size)
    profiled = {"decay_profiles_per_core", "threshold_profiles_per_core"}
    free = {name: None if name in profiled else value for name, value in limits.items()}
    parts, stops = _fill(wanted, natural, free)
    without_profiles = len(parts)
    if _binding(wanted, limits, parts):
        orders = (
            np.lexsort((natural, wanted.decays, wanted.thresholds)),
            np.lexsort((natural, wanted.thresholds, wanted.decays)),
        )
        tried = [_fill(wanted, order, limits) for order in orders]
        parts, stops = min(tried, key=lambda one: len(one[0]))
    bound_by = max(PER_CORE, key=lambda name: stops[name]) if len(parts) > 1 else None
    return _Split([np.sort(rows) for rows in parts], bound_by, without_profiles)


def _binding(wanted: Needs, limits: dict[str, int | None], parts: list[IntArray]) -> bool:
    """Whether a split that ignored profiles has more of them on a core than there may be."""
    for name, numbers in (
        ("decay_profiles_per_core", wanted.decays),
        ("threshold_profiles_per_core", wanted.thresholds),
    ):
        limit = limits[name]
        if limit is None or distinct(numbers) <= limit:
            continue
        if any(distinct(numbers[rows]) > limit for rows in parts):
            return True
    return False


def _fill(
    wanted: Needs, order: IntArray, limits: dict[str, int | None]
) -> tuple[list[IntArray], dict[str, int]]:
    """Split neurons in that order over as few cores as it allows, evenly where that fits."""
    limits = dict(limits)
    own_cores = rounds = 1
    while True:
        parts, stops = _greedy(wanted, order, limits, own_cores)
        one_way = wanted.recurrent is None or limits["output_axons_per_core"] is None
        if one_way or len(parts) <= own_cores:
            break
        # More cores need more recurrent output axons, which may need more cores.
        rounds += 1
        own_cores = max(len(parts), own_cores if rounds <= _EXACT_ROUNDS else own_cores * 5 // 4)
    even = np.array_split(order, len(parts))
    if all(not _exceeded(wanted.load(rows, own_cores), limits) for rows in even):
        parts = even
    return parts, stops


def _greedy(
    wanted: Needs, order: IntArray, limits: dict[str, int | None], own_cores: int
) -> tuple[list[IntArray], dict[str, int]]:
    """Fill one core after another. A limit that a single neuron exceeds is raised in ``limits``.

    Returns the neurons of each core, and for every limit how often it closed a core.
    """
    parts: list[IntArray] = []
    stops = dict.fromkeys(PER_CORE, 0)
    start, guess = 0, limits["neurons_per_core"] or 1
    while start < order.size:
        left = order[start:]
        for name in _exceeded(wanted.load(left[:1], own_cores), limits):
            limits[name] = None

        def over(size: int, left: IntArray = left) -> list[str]:
            return _exceeded(wanted.load(left[:size], own_cores), limits)

        guess, why = _largest(over, left.size, guess)
        for name in why:
            stops[name] += 1
        parts.append(left[:guess])
        start += guess
    return parts, stops


def _largest(over: Callable[[int], list[str]], most: int, guess: int) -> tuple[int, list[str]]:
    """Return the largest size up to ``most`` that exceeds nothing, and what one more exceeds.

    ``over`` names what a size exceeds; larger sizes exceed at least as much, size 1 nothing.
    """
    fits, fails, step, size = 1, most + 1, 1, guess
    grew = shrank = False
    why: list[str] = []
    while fails - fits > 1:
        # Most cores resemble the one before, so the search begins with steps around that guess.
        size = min(max(size, fits + 1), fails - 1)
        exceeded = over(size)
        if exceeded:
            fails, why, shrank = size, exceeded, True
            size -= step
        else:
            fits, grew = size, True
            size += step
        if grew and shrank:
            size = (fits + fails) // 2
        step *= 2
    return fits, why


def _exceeded(load: dict[str, int], limits: dict[str, int | None]) -> list[str]:
    return [
        name for name, used in load.items() if (limit := limits[name]) is not None and used > limit
    ]


def _account(
    network: Network,
    board: Board,
    found: list[tuple[Needs, _Split]],
    spikes: Sequence[IntArray | FloatArray] | None,
) -> Placement:
    core_of, firsts, total = [], [], 0
    for wanted, split in found:
        cores = np.empty(wanted.size, np.int64)
        for index, rows in enumerate(split.parts):
            cores[rows] = total + index
        core_of.append(cores)
        firsts.append(total)
        total += len(split.parts)
    used = {name: np.zeros(total, np.int64) for name in PER_CORE}
    links: list[tuple[npt.NDArray[Any], ...]] = []
    for layer, (wanted, split) in enumerate(found):
        inputs = np.full(network.input_size, HOST) if layer == 0 else core_of[layer - 1]
        sent = (None, None) if spikes is None else (spikes[layer], spikes[layer + 1])
        groups = list(zip(wanted.groups, (inputs, core_of[layer]), sent, strict=False))
        for index, rows in enumerate(split.parts):
            core = firsts[layer] + index
            used["neurons_per_core"][core] = rows.size
            used["decay_profiles_per_core"][core] = distinct(wanted.decays[rows])
            used["threshold_profiles_per_core"][core] = distinct(wanted.thresholds[rows])
            for group, origin, messages in groups:
                targets = group.connectivity.targets(rows)
                used["synapse_bits_per_core"][core] += group.memory_bits(targets, rows.size)
                used["input_axons_per_core"][core] += np.count_nonzero(targets)
                links.append(_link(core, origin, targets > 0, messages))
    joined = Links(*(np.concatenate(part) for part in zip(*links, strict=True)))
    inside = joined.source != HOST
    np.add.at(used["output_axons_per_core"], joined.source[inside], joined.axons[inside])
    return Placement(
        board=board,
        layers=tuple(layer.name for layer in network.layers),
        core_of=tuple(core_of),
        layer_of=np.repeat(np.arange(len(found)), [len(split.parts) for _, split in found]),
        used=used,
        bound_by=tuple(split.bound_by for _, split in found),
        without_profiles=tuple(split.without_profiles for _, split in found),
        links=joined,
    )


def _link(
    core: int,
    origin: IntArray,
    reaching: npt.NDArray[np.bool_],
    messages: IntArray | FloatArray | None,
) -> tuple[npt.NDArray[Any], ...]:
    """Return source cores, target core, axons and spikes of the sources that reach a core."""
    cores, where = np.unique(origin[reaching], return_inverse=True)
    axons = np.bincount(where, minlength=cores.size)
    sent = (
        np.zeros(cores.size)
        if messages is None
        else np.bincount(where, weights=messages[reaching], minlength=cores.size)
    )
    return cores, np.full(cores.size, core), axons, sent
