"""Which Lava process each layer runs on, and why: stock ones where they compute the same bits.

Only integers are read here; Lava is not imported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...export.errors import InputError
from ...export.grid import STATE_MAX
from ...export.network import Connection, Convolution, Network, Neuron
from ...export.synapses import largest_sum
from ...neurons.lava import INT32_MAX, Stock
from ..plan import LayerDescription

CONV_NUMBER_MAX = 127


@dataclass(frozen=True)
class Choice:
    """A neuron process by name, and why; ``stock``: how it is made where it is Lava's own."""

    process: str
    stock: Stock | None
    reason: str


@dataclass(frozen=True)
class Position:
    """A neuron's position: its lag, and the largest sum that its synapses can deliver."""

    lag: int
    largest_sum: int


def choices(network: Network) -> list[Choice]:
    """Return for each layer the process of its neurons."""
    largest = (1 << network.message_bits) - 1 if network.message_bits else 1
    return [
        choose(layer.neuron, Position(index + 1, layer.largest_sum(1 if index else largest)))
        for index, layer in enumerate(network.layers)
    ]


def describe(network: Network) -> list[LayerDescription]:
    """Return for each layer the processes that ``builder.build`` makes, with the reason."""
    rows = []
    for index, (layer, choice) in enumerate(zip(network.layers, choices(network), strict=True)):
        kinds = [_synapse_kind(layer.synapses, graded=index == 0 and network.message_bits > 0)]
        if layer.recurrent is not None:
            kinds.append(f"recurrent {_synapse_kind(layer.recurrent, graded=False)}")
        rows.append(
            LayerDescription(
                layer=layer.name,
                neuron=layer.neuron.TYPE,
                process=choice.process,
                stock=choice.stock is not None,
                lag=index + 1,
                synapses=", ".join(kinds),
                reason=choice.reason,
            )
        )
    return rows


def _synapse_kind(connection: Connection, *, graded: bool) -> str:
    if isinstance(connection, Convolution):
        rows, columns = connection.kernel.shape[2:]
        text = f"Conv {rows}x{columns}, {connection.n_in}x{connection.n_out}"
    else:
        name = "Dense" if connection.delay is None else "DelayDense"
        text = f"{name} {connection.n_in}x{connection.n_out}"
    return f"{'graded ' if graded else ''}{text}"


def check_convolutions(network: Network, inputs: npt.NDArray[np.int32]) -> None:
    """Refuse convolutions that Lava's ``Conv`` does not compute: it has no delay and no exponent.

    Raises
    ------
    InputError
        Names the layer, what it has and how to fix it.
    """
    largest = int(np.abs(inputs.astype(np.int64)).max(initial=0))
    for index, layer in enumerate(network.layers):
        connection = layer.synapses
        if not isinstance(connection, Convolution):
            continue
        where, exponent = f"layer {layer.name}: a convolution", connection.weight_exp
        if connection.delay is not None:
            raise InputError(f"{where} with delays, which Lava's Conv lacks; run the simulator")
        if exponent < 0 and (connection.kernel % (1 << -exponent)).any():
            raise InputError(
                f"{where} with weight_exp {exponent}, which its weights cannot absorb, and Lava's "
                "Conv has none; run the simulator"
            )
        bound = largest_sum(connection, largest if index == 0 else 1)
        if bound > STATE_MAX:
            raise InputError(
                f"{where} whose sums may reach {bound}; Lava's Conv wraps beyond {STATE_MAX}; use "
                "smaller weights or inputs"
            )
        numbers = (*connection.stride, *connection.padding, *connection.dilation)
        if max(*numbers, *connection.kernel.shape[2:], connection.groups) > CONV_NUMBER_MAX:
            raise InputError(
                f"{where} with a stride, padding, dilation, kernel or groups above "
                f"{CONV_NUMBER_MAX}, which Lava's Conv keeps in 8 bits"
            )


def check_sums(network: Network, inputs: npt.NDArray[np.int32]) -> None:
    """Refuse inputs whose sums may leave the 32 bits in which Lava's synapses add.

    Raises
    ------
    InputError
        A layer and the bound of its sums.
    """
    largest = int(np.abs(inputs.astype(np.int64)).max(initial=0))
    for index, layer in enumerate(network.layers):
        bound = layer.largest_sum(largest if index == 0 else 1)
        if bound > INT32_MAX:
            raise InputError(
                f"layer {layer.name}: its synapses may deliver {bound}, Lava adds in 32 bits "
                f"(up to {INT32_MAX}); use smaller weight exponents or smaller graded inputs"
            )


def choose(neuron: Neuron, position: Position) -> Choice:
    """Return the process of a neuron: a stock one that computes the same bits, or its own."""
    found = neuron.stock(position.lag, position.largest_sum)
    if isinstance(found, Stock):
        return Choice(found.process, found, found.reason)
    return Choice(type(neuron).__name__, None, found)
