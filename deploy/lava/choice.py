"""Which Lava process each layer runs on, and why: stock ones where they compute the same bits.

Only integers are read here; Lava is not imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...export.errors import InputError, index_list
from ...export.grid import STATE_MAX, STATE_SHIFT, IntArray
from ...export.network import (
    Connection,
    Convolution,
    CubaLIF,
    Network,
    Neuron,
    ThresholdRefractoryLIF,
)
from ...export.netx_stock import spikes_before
from ...export.synapses import largest_sum
from ..plan import LayerDescription

INT32_MAX = int(np.iinfo(np.int32).max)
BIAS_MANTISSA_MIN, BIAS_MANTISSA_MAX = -(1 << 12), (1 << 12) - 1
BIAS_EXP_MAX = 7
CONV_NUMBER_MAX = 127


@dataclass(frozen=True)
class Choice:
    """A neuron process by name; ``stock`` where it is Lava's own."""

    process: str
    stock: bool
    reason: str


@dataclass(frozen=True)
class Position:
    """A neuron's position: its lag, and the largest sum that its synapses can deliver."""

    lag: int
    largest_sum: int


def describe(network: Network) -> list[LayerDescription]:
    """Return for each layer the processes that ``builder.build`` makes, with the reason."""
    largest = (1 << network.message_bits) - 1 if network.message_bits else 1
    rows = []
    for index, layer in enumerate(network.layers):
        kinds = [_synapse_kind(layer.synapses, graded=index == 0 and network.message_bits > 0)]
        if layer.recurrent is not None:
            kinds.append(f"recurrent {_synapse_kind(layer.recurrent, graded=False)}")
        position = Position(index + 1, layer.largest_sum(largest if index == 0 else 1))
        choice = choose(layer.neuron, position)
        rows.append(
            LayerDescription(
                layer=layer.name,
                neuron=layer.neuron.TYPE,
                process=choice.process,
                stock=choice.stock,
                lag=position.lag,
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
    kind = type(neuron)
    reason = "stock Lava has no such neuron"
    if not kind.SPIKING:
        reason = "Lava has no neuron without a threshold and with a wide bias"
    stock = None
    if kind in STOCK:
        stock, reason = STOCK[kind](neuron, position)
    return Choice(stock or kind.__name__, stock is not None, reason)


def _overflow(position: Position, process: str) -> str | None:
    if (position.largest_sum << STATE_SHIFT) + STATE_MAX + 1 > INT32_MAX:
        return (
            f"sums up to {position.largest_sum}, shifted by 6, do not fit the 32 bits of {process}"
        )
    return None


def _cuba(neuron: CubaLIF, position: Position) -> tuple[str | None, str]:
    overflow = _overflow(position, "LIF")
    if overflow:
        return None, overflow
    if neuron.u_init.any() or neuron.v_init.any():
        return None, "initial states that must hold until the layer's first input"
    if not neuron.bias.any():
        return "LIF", "no bias, no initial state"
    if bias_parts(neuron.bias) is None:
        return None, "a bias beyond 13 bits of mantissa and 3 of exponent"
    early = spikes_before(neuron, position.lag)
    if early:
        return None, (
            f"the bias alone makes neuron {index_list(early)} spike before the first input"
        )
    return "LIFReset", "bias; reset once, at the layer's first input"


def _atrlif(neuron: ThresholdRefractoryLIF, position: Position) -> tuple[str | None, str]:
    overflow = _overflow(position, "ATRLIF")
    if overflow:
        return None, overflow
    if neuron.bias.any():
        return None, "ATRLIF's bias would act before the layer's first input"
    if np.unique(neuron.th_step).size > 1:
        return None, "ATRLIF takes one threshold step for all neurons"
    silent = np.flatnonzero(neuron.th_init == 0).tolist()
    if silent:
        return None, f"ATRLIF spikes without input at threshold 0 (neuron {index_list(silent)})"
    return "ATRLIF", "no bias, one threshold step"


STOCK: dict[type[Neuron], Callable[[Any, Position], tuple[str | None, str]]] = {
    CubaLIF: _cuba,
    ThresholdRefractoryLIF: _atrlif,
}
"""Records for which Lava has a neuron: the stock process that computes the same, or None; and why.

All others run on a process made from their record.
"""


def bias_parts(bias: IntArray) -> tuple[IntArray, IntArray] | None:
    """Split a bias into mantissas (13 bits) and exponents (0 to 7); None if impossible."""
    exponent = np.zeros_like(bias)
    mantissa = bias.astype(np.int64)
    for _ in range(BIAS_EXP_MAX):
        halve = ((mantissa > BIAS_MANTISSA_MAX) | (mantissa < BIAS_MANTISSA_MIN)) & (
            mantissa % 2 == 0
        )
        mantissa = np.where(halve, mantissa >> 1, mantissa)
        exponent = exponent + halve
    if mantissa.max() > BIAS_MANTISSA_MAX or mantissa.min() < BIAS_MANTISSA_MIN:
        return None
    return mantissa, exponent
