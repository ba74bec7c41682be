"""What a ``.net`` file holds and what can read it, for ``srnn-export --inspect``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InputError
from .filekind import NETWORK, check_kind
from .network import Connection, Convolution, Layer, Network
from .netx import read_net, read_samples
from .netx_hdf5 import read_attributes, read_contents
from .netx_stock import stock_lava_dl_obstacles, weights
from .netx_values import Contents
from .reading.files import located

SRNN, LAVA_DL = "srnn", "NetX of lava-dl"


@dataclass(frozen=True)
class ConnectionSummary:
    """A connection: ``kind`` with its geometry, number of synapses, how many are non-zero.

    ``delays``: smallest and largest delay in steps, None without delays.
    """

    kind: str
    synapses: int
    nonzero: int
    weights: tuple[int, int]
    weight_exp: int
    delays: tuple[int, int] | None


@dataclass(frozen=True)
class LayerSummary:
    """A layer; ``parameters``: smallest and largest value of each parameter of its neurons."""

    name: str
    neuron: str
    neurons: int
    synapses: ConnectionSummary
    recurrent: ConnectionSummary | None
    parameters: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class GroupSummary:
    """A group of ``/layer`` in a file that srnn does not read."""

    group: str
    kind: str
    shape: str
    neuron: str
    datasets: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """A file: its network or, if srnn does not read it, the groups and the reason.

    ``stock_lava_dl``: what prevents lava-dl 0.6.0 from running it exactly; empty if nothing does,
    None if that is unknown.
    """

    origin: str
    format_version: int | None
    layers: tuple[LayerSummary, ...]
    inputs: dict[str, Any]
    readout: dict[str, Any]
    samples: int
    task: dict[str, Any]
    provenance: dict[str, Any]
    stock_lava_dl: list[str] | None
    groups: tuple[GroupSummary, ...] = ()
    not_read: str | None = None


def inspect_file(path: str | os.PathLike[str]) -> Inspection:
    """Describe any ``.net`` file that HDF5 can read.

    Raises
    ------
    InputError
        The file is missing, damaged, no NetX file, or one of srnn's that is not valid.
    """
    check_kind(path, NETWORK)
    attributes = read_attributes(path, "srnn")
    if attributes is not None:
        network, samples = read_net(path), read_samples(path)
        count = 0 if samples is None else len(samples.inputs)
        version = int(np.asarray(attributes["format_version"]))
        return _of(network, SRNN, version, count, stock_lava_dl_obstacles(network))
    contents = read_contents(path, ("layer",))
    with located(path):
        groups = _groups(contents)
    try:
        network = read_net(path)
    except InputError as error:
        reason = str(error).removeprefix(f"{path}: ")
        empty: dict[str, Any] = {}
        return Inspection(LAVA_DL, None, (), empty, empty, 0, empty, empty, None, groups, reason)
    obstacles = stock_lava_dl_obstacles(network)
    averages = [group.group for group in groups if group.kind == "average"]
    obstacles += [
        f"{name}: netx does not know average layers and stops; give it num_layers"
        for name in averages
    ]
    return _of(network, LAVA_DL, None, 0, obstacles)


def _of(
    network: Network, origin: str, version: int | None, samples: int, obstacles: list[str]
) -> Inspection:
    readout = network.readout
    return Inspection(
        origin=origin,
        format_version=version,
        layers=tuple(_layer(layer) for layer in network.layers),
        inputs={
            "channels": network.input_size,
            "message_bits": network.message_bits,
            "scale": network.input_scale,
            "dt": network.dt,
        },
        readout={
            "kind": readout.kind,
            "skip_steps": readout.skip_steps,
            "populations": readout.populations,
            "class_count": network.class_count,
            "classes": list(readout.classes),
        },
        samples=samples,
        task=network.task,
        provenance=network.provenance,
        stock_lava_dl=obstacles,
    )


def _layer(layer: Layer) -> LayerSummary:
    neuron = layer.neuron
    return LayerSummary(
        layer.name,
        neuron.TYPE,
        layer.size,
        _connection(layer.synapses),
        None if layer.recurrent is None else _connection(layer.recurrent),
        {p.key: _span(getattr(neuron, p.name)) for p in neuron.PARAMETERS},
    )


def _span(values: Any) -> tuple[int, int]:
    return int(values.min()), int(values.max())


def _connection(connection: Connection) -> ConnectionSummary:
    return ConnectionSummary(
        _kind(connection),
        connection.count,
        int(connection.fan_out().sum()),
        _span(weights(connection)),
        connection.weight_exp,
        None if connection.delay is None else _span(connection.delay),
    )


def _kind(connection: Connection) -> str:
    if not isinstance(connection, Convolution):
        return f"dense {connection.n_in}-{connection.n_out}"
    rows, columns = connection.kernel.shape[2:]
    one, two = ("x".join(map(str, s)) for s in (connection.shape_in, connection.shape_out))
    text = f"conv {one} to {two}, kernel {rows}x{columns}"
    for name, pair, usual in (
        ("stride", connection.stride, 1),
        ("padding", connection.padding, 0),
        ("dilation", connection.dilation, 1),
    ):
        if pair != (usual, usual):
            text += f", {name} {pair[0] if pair[0] == pair[1] else f'{pair[0]}x{pair[1]}'}"
    return text + (f", groups {connection.groups}" if connection.groups > 1 else "")


def _groups(contents: Contents) -> tuple[GroupSummary, ...]:
    if "/layer" not in contents.groups:
        raise InputError("/layer: missing, or not a group; the file describes no network")
    found = []
    for name in sorted(contents.names("/layer"), key=lambda name: (len(name), name)):
        base = f"/layer/{name}"

        def shown(path: str, base: str = base) -> str:
            value = contents.values.get(f"{base}/{path}")
            if value is None or isinstance(value, str):
                return value or "-"
            return "x".join(map(str, value.reshape(-1)[:4].tolist()))

        under = sorted(path for path in contents.values if path.startswith(f"{base}/"))
        found.append(
            GroupSummary(
                base,
                shown("type"),
                shown("shape"),
                shown("neuron/type"),
                tuple(path.removeprefix(f"{base}/") for path in under),
            )
        )
    return tuple(found)
