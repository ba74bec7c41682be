"""From a network to the values of a ``.net`` file; docs/FORMAT.md specifies each of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..neurons.identity import origin, step_digest
from ..neurons.registry import BUILT_IN
from .errors import InputError
from .network import Connection, Convolution, Network
from .netx_standard import Tree, parameters, standard_part
from .netx_stock import stock_lava_dl_obstacles
from .netx_values import Value
from .samples import Samples, check_samples

FORMAT = "srnn-net"
FORMAT_VERSION = 2
"""Newest version; a file is written in the lowest that can hold it, for older readers."""


def file_values(network: Network, samples: Samples | None) -> Tree:
    """Return every dataset of a ``.net`` file by path.

    Raises
    ------
    InputError
        A value of the network that a file cannot carry; samples of another network.
    """
    tree = {**standard_part(network, not stock_lava_dl_obstacles(network)), **_own_part(network)}
    if samples is not None:
        check_samples(network, samples)
        tree.update(_samples_part(samples))
    return tree


def file_attributes(network: Network) -> dict[str, dict[str, Value]]:
    """Return the attributes that mark a file of srnn."""
    version = np.array(version_of(network), np.int64)
    return {"/srnn": {"format": FORMAT, "format_version": version}}


def version_of(network: Network) -> int:
    """Return the lowest format version that can hold a network.

    2 for convolutions, populations, delays with a right shift, and exponents that stock lava-dl
    reads as part of the weights; else 1.
    """
    connections = [c for layer in network.layers for c in (layer.synapses, layer.recurrent) if c]
    needs_two = (
        network.readout.populations > 0
        or any(isinstance(c, Convolution) for c in connections)
        or any(c.weight_exp < 0 and c.delay is not None for c in connections)
        or (any(c.weight_exp for c in connections) and not stock_lava_dl_obstacles(network))
    )
    return 2 if needs_two else 1


def _own_part(network: Network) -> Tree:
    readout = network.readout
    tree: Tree = {
        "/srnn/message_bits": np.array(network.message_bits, np.int32),
        "/srnn/input_scale": _positive("input_scale", network.input_scale),
        "/srnn/dt": np.array(0.0) if network.dt is None else _positive("dt", network.dt),
        "/srnn/readout": json_text(
            {
                "kind": readout.kind,
                "skip_steps": readout.skip_steps,
                "classes": readout.classes,
            }
            | ({"populations": readout.populations} if readout.populations else {}),
            "readout",
        ),
        "/srnn/task": json_text(network.task, "task"),
        "/srnn/provenance": json_text(network.provenance, "provenance"),
    }
    for index, layer in enumerate(network.layers, start=1):
        base = f"/srnn/layer/{index}"
        tree[f"{base}/name"] = json_text(layer.name, f"layer {index}, name")
        tree[f"{base}/state_scale"] = layer.state_scale
        if isinstance(layer.synapses, Convolution):
            tree[f"{base}/shape_in"] = np.array(layer.synapses.shape_in, np.int64)
        tree.update(_synapses(base, "", layer.synapses))
        if layer.recurrent is not None:
            tree.update(_synapses(base, "_rec", layer.recurrent))
        tree[f"{base}/neuron/type"] = layer.neuron.TYPE
        record = type(layer.neuron)
        if record not in BUILT_IN:
            tree[f"{base}/neuron_digest"] = step_digest(record)
            tree[f"{base}/neuron_origin"] = json_text(origin(record), f"layer {index}, neuron")
        tree.update(parameters(base, layer))
    return tree


def _synapses(base: str, suffix: str, synapses: Connection) -> Tree:
    delay = np.zeros((), np.int32) if synapses.delay is None else synapses.delay
    return {
        f"{base}/weight_exp{suffix}": np.array(synapses.weight_exp, np.int32),
        f"{base}/delay{suffix}": delay,
    }


def _samples_part(samples: Samples) -> Tree:
    tree: Tree = {
        "/srnn/samples/inputs": samples.inputs,
        "/srnn/samples/lengths": samples.lengths,
        "/srnn/samples/output": samples.output,
    }
    if samples.targets is not None:
        tree["/srnn/samples/targets"] = samples.targets
    if samples.valid is not None:
        tree["/srnn/samples/valid"] = samples.valid.astype(np.uint8)
    return tree


def _positive(name: str, value: float) -> Value:
    if not (np.isfinite(value) and value > 0):
        raise InputError(f"network: {name} {value} is not a positive number")
    return np.array(value, np.float64)


def json_text(value: Any, where: str) -> str:
    """Write plain values as ASCII JSON with sorted keys; tuples become lists.

    Raises
    ------
    InputError
        JSON would not return the same values: keys that are not text, NaN, arrays.
    """
    plain = _with_lists(value)
    try:
        text = json.dumps(plain, sort_keys=True, allow_nan=False)
        same = json.loads(text) == plain
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{where}: cannot be written as JSON ({error})") from None
    if not same:
        raise InputError(f"{where}: JSON would change it; keys must be text, values plain")
    return text


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_lists(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_lists(entry) for entry in value]
    return value
