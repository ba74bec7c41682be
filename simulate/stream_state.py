"""The state of a network between two steps, as a record and as a file.

It does not depend on how the kernels lay out memory, so that it can move between machines.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.errors import InputError
from ..export.files import replace_file
from ..export.grid import STATE_MAX, STATE_SHIFT
from ..export.network import Connection, Network
from ..export.reading.files import existing
from ..export.reading.text import json_value
from ..export.synapses import largest_sum
from ..neurons.ranges import limited_states

FORMAT, FORMAT_VERSION = "srnn-state", 1
_HEADER_MAX, _STEPS_MAX = 4096, 1 << 62


@dataclass(frozen=True, eq=False)
class LayerState:
    """One layer between two steps.

    ``states`` int32 (S, n) in the order of the record's ``STATES``; ``spikes`` uint8 (n,) of the
    last step; ``pending`` and ``pending_recurrent`` int64 (D, n): what delayed messages in
    transit will deliver in the next D steps, in state units, D the largest delay.
    """

    states: npt.NDArray[np.int32]
    spikes: npt.NDArray[np.uint8]
    pending: npt.NDArray[np.int64]
    pending_recurrent: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class StreamState:
    """All that the next step depends on.

    ``network``: digest of the network that it belongs to (``export/digest.py``); ``steps`` taken;
    ``total`` float64 (classes,) and ``counted``: sum and number of steps that a readout over time
    has accumulated.
    """

    network: str
    steps: int
    layers: tuple[LayerState, ...]
    total: npt.NDArray[np.float64]
    counted: int


def longest_delay(connection: Connection | None) -> int:
    """Return a connection's largest delay in steps, 0 without any."""
    if connection is None or connection.delay is None:
        return 0
    return int(connection.delay.max())


def check_state(network: Network, digest: str, state: StreamState) -> None:
    """Refuse a state that does not belong to this network.

    Raises
    ------
    InputError
        Another network's digest; shapes, ranges or counts that no run can produce.
    """
    if state.network != digest:
        raise InputError(
            f"state: of network {state.network[:12]}, this one is {digest[:12]}; load the network "
            "that it was saved with, or start again"
        )
    if not 0 <= state.counted <= state.steps <= _STEPS_MAX:
        raise InputError(f"state: {state.counted} counted of {state.steps} steps; it is damaged")
    if state.total.shape != (network.class_count,) or not np.isfinite(state.total).all():
        raise InputError(
            f"state: total {state.total.shape}, needs ({network.class_count},) numbers"
        )
    if len(state.layers) != len(network.layers):
        raise InputError(f"state: {len(state.layers)} layers, needs {len(network.layers)}")
    for index, (layer, held) in enumerate(zip(network.layers, state.layers, strict=True)):
        where = f"state: layer {layer.name}"
        bits = network.message_bits if index == 0 else 0
        largest = [
            0 if c is None else _largest_drive(c, bits if below else 0)
            for below, c in ((True, layer.synapses), (False, layer.recurrent))
        ]
        wanted = layer_shapes(network, index)
        for array, (name, shape, _), limit in zip(
            (held.states, held.spikes, held.pending, held.pending_recurrent),
            wanted,
            ((1 << 31) - 1, 1, *largest),
            strict=True,
        ):
            if array.shape != shape:
                raise InputError(f"{where}: {name} {array.shape}, needs {shape}")
            if array.size and np.abs(array.astype(np.int64)).max() > limit:
                raise InputError(f"{where}: {name} beyond {limit} in magnitude; it is damaged")
        if not layer.neuron.SPIKING and held.spikes.any():
            raise InputError(f"{where}: spikes of neurons that have none; it is damaged")
        for name, values in zip(layer.neuron.STATES, held.states, strict=True):
            limited = name in limited_states(type(layer.neuron))
            if limited and np.abs(values.astype(np.int64)).max() > STATE_MAX:
                raise InputError(f"{where}: {name} beyond 24 bits; it is damaged")
            if name == "d" and values.min() < 0:
                raise InputError(f"{where}: adaptation {values.min()} below 0; it is damaged")


def _largest_drive(connection: Connection, bits: int) -> int:
    return largest_sum(connection, max((1 << bits) - 1, 1)) << STATE_SHIFT


def layer_shapes(
    network: Network, index: int
) -> tuple[tuple[str, tuple[int, ...], type[np.generic]], ...]:
    """Return name, shape and type of each array of a layer's state, in the order of the file."""
    layer = network.layers[index]
    n = layer.size
    return (
        ("states", (len(layer.neuron.STATES), n), np.int32),
        ("spikes", (n,), np.uint8),
        ("pending", (longest_delay(layer.synapses), n), np.int64),
        ("pending_recurrent", (longest_delay(layer.recurrent), n), np.int64),
    )


def write_state(path: str | os.PathLike[str], state: StreamState) -> None:
    """Write a state, atomically: a line of JSON, then the arrays, little-endian, in order."""
    arrays: list[npt.NDArray[Any]] = [state.total]
    for layer in state.layers:
        arrays += [layer.states, layer.spikes, layer.pending, layer.pending_recurrent]
    payload = b"".join(a.astype(a.dtype.newbyteorder("<")).tobytes() for a in arrays)
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "network": state.network,
        "steps": state.steps,
        "counted": state.counted,
        "sha256": _checksum(state.network, state.steps, state.counted, payload),
    }
    replace_file(path, json.dumps(header).encode("ascii") + b"\n" + payload)


def read_state(path: str | os.PathLike[str], network: Network, digest: str) -> StreamState:
    """Read a state of this network.

    Raises
    ------
    InputError
        Not such a file, damaged, of a newer format version, or the state of another network.
    """
    try:
        with existing(path).open("rb") as file:
            header = _header(file.readline(_HEADER_MAX))
            # Checked first: the sizes of what follows are those of this network.
            if header["network"] != digest:
                raise InputError(
                    f"state of network {header['network'][:12]}, this one is {digest[:12]}; load "
                    "the network that it was saved with, or start again"
                )
            size = 8 * network.class_count + sum(
                np.dtype(kind).itemsize * int(np.prod(shape))
                for index in range(len(network.layers))
                for _, shape, kind in layer_shapes(network, index)
            )
            payload = file.read(size + 1)
        numbers = header["network"], header["steps"], header["counted"]
        if len(payload) != size or _checksum(*numbers, payload) != header["sha256"]:
            raise InputError("truncated or damaged; start again, or from an older copy")
        state = _state(network, header, payload)
        check_state(network, digest, state)
    except InputError as error:
        raise InputError(f"{os.fspath(path)}: {error}") from None
    return state


def _checksum(network: str, steps: int, counted: int, payload: bytes) -> str:
    return hashlib.sha256(f"{network} {steps} {counted}\n".encode() + payload).hexdigest()


def _state(network: Network, header: dict[str, Any], payload: bytes) -> StreamState:
    def taken() -> Iterator[npt.NDArray[Any]]:
        at = 0
        shapes = [((network.class_count,), np.float64)]
        for index in range(len(network.layers)):
            shapes += [(shape, kind) for _, shape, kind in layer_shapes(network, index)]
        for shape, kind in shapes:
            dtype = np.dtype(kind).newbyteorder("<")
            count = int(np.prod(shape))
            flat = np.frombuffer(payload, dtype, count, at)
            at += count * dtype.itemsize
            yield flat.astype(kind).reshape(shape)

    arrays = taken()
    total = next(arrays)
    layers = tuple(
        LayerState(next(arrays), next(arrays), next(arrays), next(arrays)) for _ in network.layers
    )
    return StreamState(header["network"], header["steps"], layers, total, header["counted"])


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = json_value(line.decode("ascii"), "header", dict)
    except ValueError:
        raise InputError("not a state file of srnn") from None
    if header.get("format") != FORMAT:
        raise InputError("not a state file of srnn")
    version = header.get("format_version")
    if version != FORMAT_VERSION:
        raise InputError(f"format version {version!r}, this srnn reads {FORMAT_VERSION}")
    kinds = {"network": str, "steps": int, "counted": int, "sha256": str}
    for key, kind in kinds.items():
        if type(header.get(key)) is not kind:
            raise InputError(f"{key} {header.get(key)!r} is not what a state holds; it is damaged")
    return header
