"""What stock lava-dl 0.6.0 does with a network: whether its ``netx`` refuses or changes it.

``netx`` shifts a weight matrix to the top of 8 bits; Lava's ``Dense`` then clips and truncates it
for the signs that it finds. Some matrices lose weights there; the same steps are run here to check.
Lava's ``Conv`` takes any kernel unchanged. An exponent that all weights absorb is folded into them.
Sources: ``lava.lib.dl.netx.hdf5`` and ``optimize_weight_bits`` in its ``utils`` of lava-dl 0.6.0,
``lava.utils.weightutils`` and ``lava.proc.conv`` of lava-nc 0.10.0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..neurons.cuba_lif import spikes_before
from . import grid
from .errors import index_list
from .grid import IntArray
from .network import Connection, Convolution, CubaLIF, Layer, LeakyIntegrator, Network, Neuron

BIAS_UNIT = grid.STATE_ONE
"""One unit of a file's bias in state units: lava-dl sets ``bias_exp`` 6."""
BIAS_MIN, BIAS_MAX = -(1 << 15), (1 << 15) - 1
"""Range of a file's bias: Lava keeps it as int16."""
NEVER_SPIKES = 1 << 17
"""Smallest threshold mantissa above every 24-bit membrane."""
_CONV_SUM_MAX = (1 << 23) - 1
_CONV_GEOMETRY_MAX = 127


def stock_lava_dl_obstacles(network: Network) -> list[str]:
    """Return what prevents ``lava.lib.dl.netx.hdf5.Network`` from running the network exactly.

    Returns
    -------
    list of str
        One line per obstacle, naming the layer; empty if stock lava-dl 0.6.0 computes the same
        integers.
    """
    return form_obstacles(network) + early_spikes(network)


def early_spikes(network: Network) -> list[str]:
    """Say which recurrent layers have spikes on their way when their first input arrives.

    Lava's layer l begins l steps late, and a bias acts from Lava's first step on. netx can reset
    the states at that moment (``reset_interval``, ``reset_offset=1``), but not the spikes that a
    layer sent itself in the step before. An input with neurons is driven by its bias and does not
    wait.
    """
    first = 0 if is_input_block(network) else 1
    found, source = [], ""
    for lag, layer in enumerate(network.layers, start=first):
        early = spikes_before(layer.neuron, lag) if isinstance(layer.neuron, CubaLIF) else []
        if early:
            source = f"the bias alone makes neurons {index_list(early)} of layer {layer.name} spike"
        if source and layer.recurrent is not None:
            found.append(
                f"layer {layer.name}: {source} before its first input arrives, and recurrent "
                "spikes of that time reach into the sample"
            )
    return found


def form_obstacles(network: Network) -> list[str]:
    """Say what a file for lava-dl cannot express, or lava-dl changes; see above."""
    found = []
    if is_input_block(network):
        largest = _input_bias(network)
        if largest > BIAS_MAX:
            found.append(
                f"input: weight times {network.message_bits} bits plus bias reaches {largest}; "
                f"Lava keeps a bias in 16 bits, up to {BIAS_MAX}"
            )
    elif network.message_bits:
        found.append(f"input: graded, {network.message_bits} bits; lava-dl files carry spikes only")
    for layer in network.layers:
        given = layer is network.layers[0] and is_input_block(network)
        found.extend(f"layer {layer.name}: {text}" for text in _layer_obstacles(layer, given))
    return found


def is_input_block(network: Network) -> bool:
    """Whether the first layer is what lava-dl calls an input with neurons.

    Each graded channel drives one neuron, by one weight and one bias; the current lasts one step.
    """
    layer = network.layers[0]
    connection, neuron = layer.synapses, layer.neuron
    return (
        network.message_bits > 0
        and layer.recurrent is None
        and isinstance(connection, Convolution)
        and connection.kernel.shape[1:] == (1, 1, 1)
        and connection.shape_in == connection.shape_out
        and connection.groups == connection.shape_in[0]
        and connection.delay is None
        and connection.weight_exp == 0
        and bool((connection.kernel == connection.kernel[0]).all())
        and isinstance(neuron, CubaLIF)
        and bool((neuron.i_decay == grid.DECAY_ONE).all() and (neuron.bias == neuron.bias[0]).all())
    )


def _input_bias(network: Network) -> int:
    layer = network.layers[0]
    bias = abs(int(getattr(layer.neuron, "bias")[0])) // BIAS_UNIT  # noqa: B009
    return layer.synapses.largest_sum * ((1 << network.message_bits) - 1) + bias


def weights(connection: Connection) -> IntArray:
    """Return the weights of a connection as int64, (n_out, n_in) or a kernel."""
    raw = connection.kernel if isinstance(connection, Convolution) else connection.weight
    return raw.astype(np.int64)


def folded(connection: Connection) -> IntArray | None:
    """Return the weights times ``2^weight_exp``; None if a file cannot hold those."""
    raw, exponent = weights(connection), connection.weight_exp
    if exponent < 0:
        if (raw % (1 << -exponent)).any():
            return None
        return raw >> -exponent
    product = raw << exponent
    if product.min() < grid.WEIGHT_MIN or product.max() > grid.WEIGHT_MAX_ONE_SIGN:
        return None
    return product


def as_cuba(neuron: Neuron) -> Neuron:
    """Return the CUBA neuron for a leaky integrator in a lava-dl file; others unchanged."""
    if not isinstance(neuron, LeakyIntegrator):
        return neuron
    return CubaLIF(
        neuron.size,
        i_decay=np.array(grid.DECAY_ONE, np.int64),
        v_decay=neuron.v_decay,
        v_threshold=np.array(grid.THRESHOLD_MANTISSA_NEVER, np.int64),
        bias=neuron.bias,
        v_init=neuron.v_init,
    )


def _layer_obstacles(layer: Layer, given: bool) -> list[str]:
    neuron = as_cuba(layer.neuron)
    if not isinstance(neuron, CubaLIF):
        return [f"{neuron.TYPE} neurons are unknown to lava-dl"]
    found = []
    if neuron.u_init.any() or neuron.v_init.any():
        found.append("the initial state is not zero, which a lava-dl file cannot say")
    found.extend(_bias_obstacles(neuron.bias))
    found.extend(_delay_obstacles(layer, bool(neuron.bias.any())))
    groups: list[tuple[str, Connection]] = [("weight", layer.synapses)]
    if layer.recurrent is not None:
        groups.append(("weight_rec", layer.recurrent))
    parts = []
    for name, connection in groups:
        weight = folded(connection)
        if weight is None:
            found.append(
                f"{name}_exp is {connection.weight_exp}, lava-dl files have none and the weights "
                "do not absorb it"
            )
        else:
            parts.append((name, weight))
    if isinstance(layer.neuron, LeakyIntegrator) and parts and _current_wraps(parts[0][1]):
        found.append("the synaptic sum can leave 24 bits, where a CUBA current wraps")
    if isinstance(layer.synapses, Convolution):
        found += _channel_obstacles(layer, layer.synapses, neuron)
        # An input with neurons has no Conv: its user puts the sums on the bias.
        return found if given else found + _convolution_obstacles(layer.synapses)
    return found + (_weight_obstacles(parts) if len(parts) == len(groups) else [])


def _channel_obstacles(layer: Layer, convolution: Convolution, neuron: Neuron) -> list[str]:
    found = []
    if layer.recurrent is not None:
        found.append("recurrent synapses over a convolution, which lava-dl files cannot say")
    channels = convolution.kernel.shape[0]
    for parameter in neuron.PARAMETERS:
        values = getattr(neuron, parameter.name).reshape(channels, -1)
        if (values != values[:, :1]).any():
            found.append(f"{parameter.key} differs within a channel; lava-dl files have one for it")
    return found


def _convolution_obstacles(convolution: Convolution) -> list[str]:
    found = []
    if convolution.largest_sum << max(convolution.weight_exp, 0) > _CONV_SUM_MAX:
        found.append("the sum of a kernel can leave the 24 bits in which Lava's Conv wraps")
    numbers = (*convolution.stride, *convolution.padding, *convolution.dilation)
    largest = max(*numbers, *convolution.kernel.shape[2:], convolution.groups)
    if largest > _CONV_GEOMETRY_MAX:
        found.append(f"a stride, padding, dilation, kernel or groups of {largest}, Lava keeps int8")
    return found


def _bias_obstacles(bias: IntArray) -> list[str]:
    odd = np.flatnonzero(bias % (2 * BIAS_UNIT))
    if odd.size:
        return [
            f"bias {bias[odd[0]]} of neuron {odd[0]} is not a multiple of {2 * BIAS_UNIT} states "
            "(an even mantissa)"
        ]
    mantissa = bias // BIAS_UNIT
    beyond = np.flatnonzero((mantissa < BIAS_MIN) | (mantissa > BIAS_MAX))
    if beyond.size:
        return [
            f"bias {bias[beyond[0]]} of neuron {beyond[0]} has mantissa {mantissa[beyond[0]]}, "
            f"outside {BIAS_MIN}..{BIAS_MAX}"
        ]
    return []


def _delay_obstacles(layer: Layer, biased: bool) -> list[str]:
    if layer.recurrent is not None:
        delayed = layer.synapses.delay is not None or layer.recurrent.delay is not None
        return ["delays in a recurrent layer, which lava-dl gets wrong"] if delayed else []
    if layer.synapses.delay is None:
        return []
    if isinstance(layer.synapses, Convolution):
        return ["delays in a convolution, which netx ignores"]
    if layer.synapses.neuron_delay is None:
        return ["delays per synapse; lava-dl files have one per neuron"]
    if biased:
        return ["delays and a bias in one layer, which SLAYER and netx order differently"]
    return []


def _current_wraps(weight: IntArray) -> bool:
    weight = weight.reshape(weight.shape[0], -1)
    limit = 1 << (grid.STATE_BITS - 1 - grid.STATE_SHIFT)
    highest = np.maximum(weight, 0).sum(axis=1).max()
    lowest = np.minimum(weight, 0).sum(axis=1).min()
    return bool(highest > limit or lowest <= -limit)


def _weight_obstacles(parts: list[tuple[str, npt.NDArray[Any]]]) -> list[str]:
    together = np.hstack([weight for _, weight in parts]).astype(np.int64)
    if not together.any():
        return ["all weights are zero, on which lava-dl stops"]
    low, high = int(together.min()), int(together.max())
    if low < 0 and high > grid.WEIGHT_MAX:
        together = np.minimum(together, grid.WEIGHT_MAX)
        high = grid.WEIGHT_MAX
    signed = low < 0 <= high
    if signed:
        scale = min(127 / high if high else np.inf, -128 / low)
    else:
        scale = 255 / high if low >= 0 else -256 / low
    shift = int(np.floor(np.log2(scale))) + signed
    spare = next((n for n in range(8, 0, -1) if not (together % (1 << n)).any()), 0) - signed
    bits = 8 - shift - spare
    found = []
    for name, weight in parts:
        # Lava determines the signs of each matrix again; a matrix of one sign needs no sign bit.
        mixed = weight.min() < 0 < weight.max()
        kept = False
        if shift >= 0 and 8 - bits + mixed >= 0:
            clipped = np.minimum(weight, high).astype(np.int64)
            used = grid.hardware_weights(clipped << shift, bits)
            kept = np.array_equal(used, weight.astype(np.int64) << shift)
        if not kept:
            found.append(
                f"{name} ({weight.min()}..{weight.max()}) loses weights when lava-dl shifts and "
                "truncates it"
            )
    return found
