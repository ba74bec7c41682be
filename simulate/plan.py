"""From the records of a network to what the kernels read: packed weights, tables, scratch.

Records are immutable and hash by identity, so what is made from a layer or network is made once and
kept while it exists.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..export.grid import STATE_SHIFT
from ..export.kernel import Kernel, ready
from ..export.network import Layer, Network
from ..neurons.neuron import initial_state
from ..neurons.registry import check_registered
from . import programs
from .loops import LAYER, loop_of
from .matrices import matrix, padded
from .rows import BLOCK

CHUNK_STEPS, CHUNK_EVENTS = 256, 1 << 22
"""Most steps of a chunk; fewer where its longest list would exceed that many events."""

_ALIGN = 64


@dataclass(frozen=True, eq=False)
class PreparedLayer:
    """A layer as the kernels read it, narrow or wide.

    ``record``: its fields of ``loops.LAYER`` without the offsets; ``kept``: the arrays that
    addresses in the record point to.
    """

    record: dict[str, int]
    kept: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class PreparedNetwork:
    """A network as the kernels read it.

    ``layers``: records of ``loops.LAYER``; ``prepared``: what they point to; ``counts``: length
    of the kernel's counts; ``spikes``, ``last_spikes``: where each layer's spikes, and those of
    last steps, are in them; ``scratch_bytes``: scratch memory per thread; ``scratch``: buffers that
    no run is using.
    """

    layers: npt.NDArray[Any]
    prepared: tuple[PreparedLayer, ...]
    wide: tuple[bool, ...]
    chunk: int
    values_offset: int
    starts_offset: int
    counts: int
    spikes: tuple[slice, ...]
    last_spikes: tuple[slice, ...]
    scratch_bytes: int
    scratch: deque[npt.NDArray[np.uint8]] = field(default_factory=deque)


@dataclass(frozen=True, eq=False)
class _Bounds:
    """Largest sums of weight magnitudes of a neuron; ``wide``: narrow is ruled out anyway."""

    below: int
    recurrent: int
    wide: bool

    def fits(self, layer: Layer, largest: int) -> bool:
        """Whether all sums fit narrow arithmetic, for messages of at most ``largest``."""
        if self.wide:
            return False
        total = 0
        for synapses, sums in (
            (layer.synapses, self.below * largest),
            (layer.recurrent, self.recurrent),
        ):
            if sums > programs.NARROW_MAX:
                return False
            exponent = 0 if synapses is None else synapses.weight_exp
            total += sums << (STATE_SHIFT + max(exponent, 0))
        return total <= programs.NARROW_MAX


_layers: WeakKeyDictionary[Layer, dict[bool, PreparedLayer]] = WeakKeyDictionary()
_bounds: WeakKeyDictionary[Layer, _Bounds] = WeakKeyDictionary()
_networks: WeakKeyDictionary[Network, dict[tuple[bool, ...], PreparedNetwork]] = WeakKeyDictionary()
_chosen: WeakKeyDictionary[Network, dict[int, PreparedNetwork]] = WeakKeyDictionary()


def prepared_network(network: Network, largest: int) -> PreparedNetwork:
    """Return a network, prepared for inputs of at most ``largest`` in magnitude."""
    chosen = _chosen.get(network)
    if chosen is None:
        chosen = _chosen[network] = {}
    # By bits, so that few networks serve all inputs.
    bits = largest.bit_length()
    prepared = chosen.get(bits)
    if prepared is None:
        wide = tuple(
            not _bounds_of(layer).fits(layer, 1 if index else (1 << bits) - 1)
            for index, layer in enumerate(network.layers)
        )
        prepared = chosen[bits] = _prepared(network, wide)
    return prepared


def widened(network: Network, prepared: PreparedNetwork, index: int) -> PreparedNetwork:
    """Return the network with layer ``index`` wide, which replaces ``prepared`` from now on."""
    wide = tuple(w or i == index for i, w in enumerate(prepared.wide))
    better = _prepared(network, wide)
    chosen = _chosen[network]
    for bits, old in list(chosen.items()):
        if old is prepared:
            chosen[bits] = better
    return better


def prepare(layer: Layer, wide: bool) -> PreparedLayer:
    """Return a layer as the kernels read it."""
    known = _layers.get(layer)
    if known is None:
        known = _layers[layer] = {}
    if wide not in known:
        known[wide] = _prepare(layer, wide)
    return known[wide]


def _bounds_of(layer: Layer) -> _Bounds:
    bounds = _bounds.get(layer)
    if bounds is None:
        connections = (layer.synapses, layer.recurrent)
        sums = [0 if c is None else c.largest_sum for c in connections]
        delayed = any(
            c is not None and c.delay is not None and c.neuron_delay is None for c in connections
        )
        wide = delayed or programs.needs_wide(layer.neuron)
        bounds = _bounds[layer] = _Bounds(sums[0], sums[1], wide)
    return bounds


def _prepare(layer: Layer, wide: bool) -> PreparedLayer:
    parameters = padded(programs.packed(layer.neuron))
    states = initial_state(layer.neuron, 1)
    initial = padded(np.stack([states[name][0] for name in layer.neuron.STATES]))
    below = matrix(layer.synapses, wide)
    recurrent = None if layer.recurrent is None else matrix(layer.recurrent, wide)
    record = {
        "n": layer.size,
        "n_in": layer.synapses.n_in,
        "blocks": parameters.shape[1] // BLOCK,
        "states": len(layer.neuron.STATES),
        "parameters": parameters.ctypes.data,
        "initial": initial.ctypes.data,
        "wide": int(wide),
        "recurrent": int(recurrent is not None),
        **below.values,
    }
    if recurrent is not None:
        record |= {f"recurrent_{name}": value for name, value in recurrent.values.items()}
    return PreparedLayer(
        record,
        (parameters, initial, below.kept, () if recurrent is None else recurrent.kept),
    )


def _prepared(network: Network, wide: tuple[bool, ...]) -> PreparedNetwork:
    known = _networks.get(network)
    if known is None:
        known = _networks[network] = {}
    if wide not in known:
        known[wide] = _make_prepared(network, wide)
    return known[wide]


class _Offsets:
    """Places one after another in a buffer, each at the start of a cache line."""

    def __init__(self) -> None:
        self.total = 0

    def take(self, count: int, size: int) -> int:
        place = self.total
        self.total += -(-count * size // _ALIGN) * _ALIGN
        return place


def _loops(network: Network, wide: tuple[bool, ...]) -> tuple[Kernel, ...]:
    """Return the loops of a network's layers, ready to be called."""
    loops = []
    for index, layer in enumerate(network.layers):
        check_registered(type(layer.neuron))
        record = prepare(layer, wide[index]).record
        late = any(record.get(name) for name in ("geometry", "late", "recurrent_late"))
        graded = index == 0 and network.message_bits > 0
        form = "wide" if wide[index] else "late" if late else "graded" if graded else "narrow"
        loops.append(loop_of(type(layer.neuron), form))
    ready(*loops)
    return tuple(loops)


def _make_prepared(network: Network, wide: tuple[bool, ...]) -> PreparedNetwork:
    channels = network.input_size
    longest = max([channels, *(layer.size for layer in network.layers)])
    chunk = max(min(CHUNK_STEPS, CHUNK_EVENTS // longest), 1)
    offsets = _Offsets()
    room = chunk * channels + programs.LIST_SLACK
    offsets.take(room, 4)
    values_offset = offsets.take(room if network.message_bits else 0, 4)
    starts_offset = offsets.take(chunk + 2, 8)
    loops = _loops(network, wide)
    sent, counts = 0, channels
    prepared, spikes, last_spikes = [], [], []
    layers = np.zeros(len(network.layers), LAYER)
    for index, layer in enumerate(network.layers):
        prepared_layer = prepare(layer, wide[index])
        record = {"loop": loops[index].address, **prepared_layer.record}
        width, size = record["blocks"] * BLOCK, 8 if wide[index] else 4
        record["state"] = offsets.take(record["states"] * width, 4)
        record["drive"] = offsets.take(width, size)
        record["recurrent_drive"] = offsets.take(width, size)
        record["fired"] = offsets.take(width, 8)
        record["alarm"] = offsets.take(programs.STATES_MAX * BLOCK, 8)
        record["changed"] = offsets.take(1, 8)
        record["total"] = offsets.take(width if record.get("geometry") else 0, 8)
        record["future"] = offsets.take(record.get("slots", 0) * width, 8)
        record["recurrent_future"] = offsets.take(record.get("recurrent_slots", 0) * width, 8)
        # The list begins with the spikes of the step before the chunk.
        record["sources"] = offsets.take((chunk + 1) * layer.size + programs.LIST_SLACK, 4)
        record["starts"] = offsets.take(chunk + 2, 8)
        record["sent"], record["counts"] = sent, counts
        record["last_counts"] = counts + layer.size
        spikes.append(slice(counts, counts + layer.size))
        last_spikes.append(slice(counts + layer.size, counts + 2 * layer.size))
        sent, counts = counts, counts + 2 * layer.size
        for name, value in record.items():
            layers[index][name] = value
        prepared.append(prepared_layer)
    return PreparedNetwork(
        layers,
        tuple(prepared),
        wide,
        chunk,
        values_offset,
        starts_offset,
        counts,
        tuple(spikes),
        tuple(last_spikes),
        offsets.total + _ALIGN,
    )
