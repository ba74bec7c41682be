"""A network's states in the memory of the kernels, read and written between two steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.grid import STATE_SHIFT
from ..export.network import Connection, Layer, Network
from .plan import PreparedNetwork
from .rows import BLOCK
from .stream_state import LayerState, longest_delay
from .vectors import LANES

_ALIGN = 64


@dataclass(frozen=True, eq=False)
class _Ring:
    """Buffer of delayed messages, (slots, width).

    ``held``: drives by the step at which they were sent, else sums of weights by the step at which
    they arrive. ``delay`` (n,) of each neuron where held; ``exponent`` of the weights.
    """

    values: npt.NDArray[Any]
    held: bool
    delay: npt.NDArray[np.int64]
    exponent: int

    def pending(self, step: int) -> npt.NDArray[np.int64]:
        """Return what arrives at steps ``step``, ``step`` + 1, ..., int64 (D, n)."""
        slots, n = len(self.values), self.delay.size
        found = np.zeros((slots - 1, n), np.int64)
        for k in range(slots - 1):
            if self.held:
                late = np.flatnonzero(self.delay > k)
                found[k, late] = self.values[(step + k - self.delay[late]) % slots, late]
            else:
                found[k] = self._drive(self.values[(step + k) % slots, :n])
        return found

    def fill(self, step: int, pending: npt.NDArray[np.int64]) -> None:
        """Write what ``pending`` returned."""
        slots, n = len(self.values), self.delay.size
        self.values[:] = 0
        for k, row in enumerate(pending):
            if self.held:
                late = np.flatnonzero(self.delay > k)
                self.values[(step + k - self.delay[late]) % slots, late] = row[late]
            else:
                self.values[(step + k) % slots, :n] = self._sum(row)

    def _drive(self, sums: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        left, right = self._shifts()
        return (sums >> right) << left

    def _sum(self, drives: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        # What the shift rounded off is lost, and not needed: where a neuron has one delay, nothing
        # is added to the sum any more, and otherwise the shift divides it.
        left, right = self._shifts()
        return (drives >> left) << right

    def _shifts(self) -> tuple[int, int]:
        return STATE_SHIFT + max(self.exponent, 0), max(-self.exponent, 0)


@dataclass(frozen=True, eq=False)
class _LayerMemory:
    states: npt.NDArray[np.int32]
    fired: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    ring: _Ring | None
    recurrent_ring: _Ring | None


class StreamMemory:
    """Scratch memory of a prepared network and views of each layer's states in it.

    ``address``: of the scratch, aligned as the kernels require.
    """

    def __init__(self, network: Network, prepared: PreparedNetwork) -> None:
        self.prepared = prepared
        self._scratch = np.zeros(prepared.scratch_bytes, np.uint8)
        base = -self._scratch.ctypes.data % _ALIGN
        self.address = self._scratch.ctypes.data + base
        self._aligned = self._scratch[base:]
        self._layers = tuple(
            self._views(layer, record, wide)
            for layer, record, wide in zip(
                network.layers, prepared.layers, prepared.wide, strict=True
            )
        )

    def _part(self, offset: int, shape: tuple[int, ...], dtype: type[Any]) -> npt.NDArray[Any]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return self._aligned[offset : offset + size].view(dtype).reshape(shape)

    def _views(self, layer: Layer, record: Any, wide: bool) -> _LayerMemory:
        width = int(record["blocks"]) * BLOCK

        def ring(connection: Connection | None, prefix: str) -> _Ring | None:
            delay = longest_delay(connection)
            if connection is None or delay == 0:
                return None
            held = bool(record[f"{prefix}late"])
            shape = (int(record[f"{prefix}slots"]), width)
            place = int(record[f"{prefix}future"])
            values = self._part(place, shape, np.int64 if wide else np.int32)
            each = connection.neuron_delay if held else None
            late = np.zeros(layer.size, np.int64) if each is None else each.astype(np.int64)
            return _Ring(values, held, late, connection.weight_exp)

        states = (int(record["states"]), width)
        return _LayerMemory(
            self._part(int(record["state"]), states, np.int32)[:, : layer.size],
            self._part(int(record["fired"]), (width // LANES,), np.int64),
            self._part(int(record["sources"]), (layer.size,), np.int32),
            self._part(int(record["starts"]), (2,), np.int64),
            ring(layer.synapses, ""),
            ring(layer.recurrent, "recurrent_"),
        )

    def states(self, index: int) -> npt.NDArray[np.int32]:
        """Return a layer's states, int32 (S, n), a view."""
        return self._layers[index].states

    def spikes(self, index: int) -> npt.NDArray[np.uint8]:
        """Return the spikes of a layer's last step, uint8 (n,), a copy."""
        memory = self._layers[index]
        spikes = np.zeros(memory.states.shape[1], np.uint8)
        spikes[memory.sources[: memory.starts[1]]] = 1
        return spikes

    def read(self, index: int, step: int) -> LayerState:
        """Return a layer's state before step ``step``."""
        memory, size = self._layers[index], self._layers[index].states.shape[1]
        none = np.zeros((0, size), np.int64)
        return LayerState(
            memory.states.copy(),
            self.spikes(index),
            none if memory.ring is None else memory.ring.pending(step),
            none if memory.recurrent_ring is None else memory.recurrent_ring.pending(step),
        )

    def write(self, index: int, step: int, state: LayerState) -> None:
        """Set a layer's state before step ``step``; the rest is as before the first step."""
        memory = self._layers[index]
        memory.states[:] = state.states
        fired = np.flatnonzero(state.spikes)
        memory.sources[: fired.size] = fired
        memory.starts[:] = 0, fired.size
        memory.fired[:] = 0
        np.bitwise_or.at(memory.fired, fired // LANES, 1 << (fired % LANES))
        if memory.ring is not None:
            memory.ring.fill(step, state.pending)
        if memory.recurrent_ring is not None:
            memory.recurrent_ring.fill(step, state.pending_recurrent)
