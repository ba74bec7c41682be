"""The standard part of a ``.net`` file, ``/layer``, in the NetX layout that lava-dl reads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .network import Connection, Convolution, CubaLIF, Layer, Network
from .netx_stock import (
    BIAS_UNIT,
    as_cuba,
    folded,
    is_input_block,
    weights,
)
from .netx_values import Value

NOT_FOR_STOCK = {CubaLIF.TYPE: "SRNN_CUBA"} | dict.fromkeys(("LOIHI", "SDNN"), "SRNN_NEURON")
"""Neuron type in the standard part of files that stock lava-dl must refuse."""

Tree = dict[str, Value]


def standard_part(network: Network, stock: bool) -> Tree:
    """Return the NetX part, ``/layer``, in the form that stock lava-dl loads or in srnn's own."""
    tree: Tree = {}
    for number, (kind, layer) in enumerate(_groups(network)):
        base = f"/layer/{number}"
        tree[f"{base}/type"] = _layer_type(kind)
        if isinstance(layer, Layer):
            tree.update(_LAYERS[kind](base, layer, stock))
            tree.update(_stock_neuron(base, layer, kind) if stock else _named_neuron(base, layer))
        if kind == "input" and isinstance(layer, Layer) and layer is not network.layers[-1]:
            above = network.layers[1].synapses
            tree[f"{base}/shape"] = np.array(_input_shape(layer.synapses, above), np.int64)
        elif not isinstance(layer, Layer):
            tree[f"{base}/shape"] = np.array(layer, np.int64)
    return tree


def _groups(network: Network) -> list[tuple[str, Layer | list[int]]]:
    """Return type and content of each group of ``/layer``: a layer, or a shape alone."""
    first = network.layers[0].synapses
    groups: list[tuple[str, Layer | list[int]]] = []
    layers = list(network.layers)
    shape = _input_shape(first, first)
    if is_input_block(network):
        groups.append(("input", layers.pop(0)))
        shape = _input_shape(first, layers[0].synapses) if layers else shape
    else:
        groups.append(("input", shape))
    for layer in layers:
        if isinstance(layer.synapses, Convolution):
            groups.append(("conv", layer))
            shape = list(layer.synapses.shape_out)
            continue
        if len(shape) > 1:
            groups.append(("flatten", [layer.synapses.n_in, 1, 1]))
        groups.append(("dense" if layer.recurrent is None else "dense_rec", layer))
        shape = [layer.size]
    return groups


def _input_shape(first: Connection, reader: Connection) -> list[int]:
    """Return the shape of the inputs: channels, rows and columns if a convolution needs them."""
    if not isinstance(first, Convolution):
        return [first.n_in]
    flat = first.shape_in[1:] == (1, 1) and not isinstance(reader, Convolution)
    return [first.n_in] if flat else list(first.shape_in)


def _dense_group(base: str, layer: Layer, stock: bool) -> Tree:
    tree: Tree = {
        f"{base}/shape": np.array([layer.size], np.int64),
        f"{base}/inFeatures": np.array(layer.synapses.n_in, np.int64),
        f"{base}/outFeatures": np.array(layer.size, np.int64),
        f"{base}/weight": _stored_weights(layer.synapses, stock),
    }
    if layer.recurrent is not None:
        tree[f"{base}/weight_rec"] = _stored_weights(layer.recurrent, stock)
    return tree


def _conv_group(base: str, layer: Layer, stock: bool) -> Tree:
    convolution = layer.synapses
    assert isinstance(convolution, Convolution)
    tree: Tree = {
        f"{base}/shape": np.array(convolution.shape_out, np.int64),
        f"{base}/inChannels": np.array(convolution.shape_in[0], np.int64),
        f"{base}/outChannels": np.array(convolution.shape_out[0], np.int64),
        f"{base}/kernelSize": np.array(convolution.kernel.shape[2:], np.int64),
        f"{base}/stride": np.array(convolution.stride, np.int64),
        f"{base}/padding": np.array(convolution.padding, np.int64),
        f"{base}/dilation": np.array(convolution.dilation, np.int64),
        f"{base}/groups": np.array(convolution.groups, np.int64),
        f"{base}/weight": _stored_weights(convolution, stock),
    }
    if layer.recurrent is not None:
        tree[f"{base}/weight_rec"] = _stored_weights(layer.recurrent, stock)
    return tree


def _input_group(base: str, layer: Layer, _stock: bool) -> Tree:
    convolution = layer.synapses
    assert isinstance(convolution, Convolution)
    return {
        f"{base}/shape": np.array(convolution.shape_in, np.int64),
        f"{base}/weight": convolution.kernel.reshape(-1)[:1].astype(np.float32),
    }


_LAYERS: dict[str, Callable[[str, Layer, bool], Tree]] = {
    "input": _input_group,
    "dense": _dense_group,
    "dense_rec": _dense_group,
    "conv": _conv_group,
}


def _stored_weights(connection: Connection, stock: bool) -> Value:
    values = folded(connection) if stock else weights(connection)
    assert values is not None
    return values.astype(np.float32)


def _layer_type(name: str) -> Value:
    return np.array([name.encode("ascii")], dtype="S10")


def _stock_neuron(base: str, layer: Layer, kind: str) -> Tree:
    neuron = as_cuba(layer.neuron)
    assert isinstance(neuron, CubaLIF)
    channels = layer.size
    if isinstance(layer.synapses, Convolution):
        channels = layer.synapses.shape_out[0]
    tree: Tree = {
        f"{base}/neuron/type": neuron.TYPE,
        f"{base}/neuron/refDelay": np.array(1, np.int64),
        f"{base}/neuron/gradedSpike": np.array(False),
    }
    for key, by_neuron in (
        ("iDecay", neuron.i_decay),
        ("vDecay", neuron.v_decay),
        ("vThMant", neuron.v_threshold),
    ):
        values = by_neuron.reshape(channels, -1)[:, 0]
        shared = (values == values[0]).all()
        tree[f"{base}/neuron/{key}"] = np.array(values[0] if shared else values, np.int64)
    if neuron.bias.any():
        bias = (neuron.bias // BIAS_UNIT).reshape(channels, -1)[:, 0].astype(np.float32)
        tree[f"{base}/bias"] = bias[:1] if kind == "input" else bias
    if layer.synapses.delay is not None:
        assert layer.synapses.neuron_delay is not None
        tree[f"{base}/delay"] = layer.synapses.neuron_delay.astype(np.float32)
    return tree


def _named_neuron(base: str, layer: Layer) -> Tree:
    kind = NOT_FOR_STOCK.get(layer.neuron.TYPE, layer.neuron.TYPE)
    # What has RF in its name, netx would load as resonate-and-fire.
    return {
        f"{base}/neuron/type": "SRNN_NEURON" if "RF" in kind else kind,
        **parameters(base, layer),
    }


def parameters(base: str, layer: Layer) -> Tree:
    """Return the parameters of a layer's neurons, int32 (n,) each, below ``base``."""
    return {
        f"{base}/neuron/{parameter.key}": getattr(layer.neuron, parameter.name).astype(np.int32)
        for parameter in layer.neuron.PARAMETERS
    }
