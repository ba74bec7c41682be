"""From a network to the values of a ``.net`` file; docs/FORMAT.md specifies each of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .errors import InputError
from .network import CubaLIF, Layer, Network, Synapses
from .netx_stock import BIAS_UNIT, as_cuba, stock_lava_dl_obstacles
from .netx_values import Value
from .samples import Samples, check_samples

FORMAT = "srnn-net"
FORMAT_VERSION = 1

NOT_FOR_STOCK = {CubaLIF.TYPE: "SRNN_CUBA"}
"""Neuron type in the standard part where stock lava-dl must refuse the file."""

Tree = dict[str, Value]


def file_values(network: Network, samples: Samples | None) -> Tree:
    """Return every dataset of a ``.net`` file by path.

    Raises
    ------
    InputError
        A value of the network that a file cannot carry; samples of another network.
    """
    tree = {**standard_part(network), **_own_part(network)}
    if samples is not None:
        check_samples(network, samples)
        tree.update(_samples_part(samples))
    return tree


def file_attributes() -> dict[str, dict[str, Value]]:
    """Return the attributes that make a file ours."""
    return {"/srnn": {"format": FORMAT, "format_version": np.array(FORMAT_VERSION, np.int64)}}


def standard_part(network: Network) -> Tree:
    """Return the NetX part, ``/layer``: stock lava-dl loads it where it can run it."""
    stock = not stock_lava_dl_obstacles(network)
    tree: Tree = {
        "/layer/0/type": _layer_type("input"),
        "/layer/0/shape": np.array([network.input_size], np.int64),
    }
    for index, layer in enumerate(network.layers, start=1):
        base = f"/layer/{index}"
        kind = "dense" if layer.recurrent is None else "dense_rec"
        tree[f"{base}/type"] = _layer_type(kind)
        tree[f"{base}/shape"] = np.array([layer.size], np.int64)
        tree[f"{base}/inFeatures"] = np.array(layer.synapses.n_in, np.int64)
        tree[f"{base}/outFeatures"] = np.array(layer.size, np.int64)
        tree[f"{base}/weight"] = layer.synapses.weight.astype(np.float32)
        if layer.recurrent is not None:
            tree[f"{base}/weight_rec"] = layer.recurrent.weight.astype(np.float32)
        tree.update(_stock_neuron(base, layer) if stock else _named_neuron(base, layer))
    return tree


def _layer_type(name: str) -> Value:
    return np.array([name.encode("ascii")], dtype="S10")


def _stock_neuron(base: str, layer: Layer) -> Tree:
    neuron = as_cuba(layer.neuron)
    assert isinstance(neuron, CubaLIF)
    tree: Tree = {
        f"{base}/neuron/type": neuron.TYPE,
        f"{base}/neuron/refDelay": np.array(1, np.int64),
        f"{base}/neuron/gradedSpike": np.array(False),
    }
    for key, values in (
        ("iDecay", neuron.i_decay),
        ("vDecay", neuron.v_decay),
        ("vThMant", neuron.v_threshold),
    ):
        shared = (values == values[0]).all()
        tree[f"{base}/neuron/{key}"] = np.array(values[0] if shared else values, np.int64)
    if neuron.bias.any():
        tree[f"{base}/bias"] = (neuron.bias // BIAS_UNIT).astype(np.float32)
    if layer.synapses.delay is not None:
        tree[f"{base}/delay"] = layer.synapses.delay[:, 0].astype(np.float32)
    return tree


def _named_neuron(base: str, layer: Layer) -> Tree:
    kind = layer.neuron.TYPE
    return {f"{base}/neuron/type": NOT_FOR_STOCK.get(kind, kind), **_parameters(base, layer)}


def _parameters(base: str, layer: Layer) -> Tree:
    return {
        f"{base}/neuron/{parameter.key}": getattr(layer.neuron, parameter.name).astype(np.int32)
        for parameter in layer.neuron.PARAMETERS
    }


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
            },
            "readout",
        ),
        "/srnn/task": json_text(network.task, "task"),
        "/srnn/provenance": json_text(network.provenance, "provenance"),
    }
    for index, layer in enumerate(network.layers, start=1):
        base = f"/srnn/layer/{index}"
        tree[f"{base}/name"] = json_text(layer.name, f"layer {index}, name")
        tree[f"{base}/state_scale"] = layer.state_scale
        tree.update(_synapses(base, "", layer.synapses))
        if layer.recurrent is not None:
            tree.update(_synapses(base, "_rec", layer.recurrent))
        tree[f"{base}/neuron/type"] = layer.neuron.TYPE
        tree.update(_parameters(base, layer))
    return tree


def _synapses(base: str, suffix: str, synapses: Synapses) -> Tree:
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
        JSON would not give the same values back: keys that are not text, NaN, arrays.
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
