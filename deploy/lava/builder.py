"""From a network of integers and one sample to connected Lava processes.

``RingBuffer -> Dense -> neurons -> Dense -> ...``, with a second Dense from a recurrent layer to
itself. Stock processes where choice.py finds that they compute the same bits, our own elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...export.network import (
    Connection,
    Convolution,
    Layer,
    Network,
    Neuron,
    Synapses,
    check_inputs,
)
from ...neurons.lava import Stock
from . import compat
from .choice import Choice, check_convolutions, check_sums, choices

compat.prepare()

from lava.proc.atrlif.process import ATRLIF  # noqa: E402
from lava.proc.conv import utils as conv_utils  # noqa: E402
from lava.proc.conv.process import Conv  # noqa: E402
from lava.proc.dense.process import DelayDense, Dense  # noqa: E402
from lava.proc.io.source import RingBuffer  # noqa: E402
from lava.proc.lif.process import LIF, LIFReset  # noqa: E402

from .processes.process import process_of  # noqa: E402


@dataclass(frozen=True, eq=False)
class Stage:
    """One layer's processes. ``states`` maps a state's name in a trace to its Var's name."""

    layer: Layer
    lag: int
    neuron: Any
    synapses: Any
    recurrent: Any | None
    states: dict[str, str]


@dataclass(frozen=True, eq=False)
class Graph:
    """Connected processes; ``steps`` Lava steps run the whole sample through every layer."""

    source: Any
    stages: tuple[Stage, ...]
    steps: int

    @property
    def processes(self) -> list[Any]:
        """Every process of the graph, the source first."""
        found = [self.source]
        for stage in self.stages:
            found += [p for p in (stage.synapses, stage.recurrent, stage.neuron) if p is not None]
        return found


def build(network: Network, sample: npt.ArrayLike) -> Graph:
    """Make and connect the processes for one sample, in their initial state.

    Parameters
    ----------
    network
        The network of integers.
    sample
        Integers (time, channel), as ``network`` takes them.

    Raises
    ------
    InputError
        Inputs of another shape or range, sums beyond the 32 bits of Lava's synapses, or a
        convolution that Lava's ``Conv`` does not compute.
    """
    inputs = check_inputs(network, np.asarray(sample)[None])
    check_sums(network, inputs)
    check_convolutions(network, inputs)
    steps = inputs.shape[1] + len(network.layers)
    # Time comes last in a RingBuffer, which starts again at its end: silence fills the lag.
    data = np.zeros((network.input_size, steps), dtype=np.int32)
    data[:, : inputs.shape[1]] = inputs[0].T
    source = RingBuffer(data=data)
    below = source
    stages = []
    for index, (layer, choice) in enumerate(zip(network.layers, choices(network), strict=True)):
        bits = network.message_bits if index == 0 else 0
        lag = index + 1
        neuron, states = _neurons(layer.neuron, choice, lag + 1, steps)
        synapses = connect(below.s_out, layer.synapses, neuron, bits)
        recurrent = None
        if layer.recurrent is not None:
            recurrent = connect(neuron.s_out, layer.recurrent, neuron, 0)
        stages.append(Stage(layer, lag, neuron, synapses, recurrent, states))
        below = neuron
    return Graph(source, tuple(stages), steps)


def connect(port: Any, connection: Connection, neuron: Any, message_bits: int) -> Any:
    """Connect an output port to a neuron process by synapses, and return their process."""
    if not isinstance(connection, Convolution):
        synapses = _synapses(connection, message_bits)
        port.connect(synapses.s_in)
        synapses.a_out.connect(neuron.a_in)
        return synapses
    made = _convolution(connection, message_bits)
    # Lava's blocks are (column, row, channel), ours lie in a row in the opposite order.
    port.reshape(connection.shape_in).transpose([2, 1, 0]).connect(made.s_in)
    made.a_out.transpose([2, 1, 0]).flatten().connect(neuron.a_in)
    return made


def _convolution(convolution: Convolution, message_bits: int) -> Conv:
    # Torch, which Lava would take where it is there, computes in float32, and may hang in a
    # process that was forked.
    conv_utils.TORCH_IS_AVAILABLE = False
    exponent, kernel = convolution.weight_exp, convolution.kernel.astype(np.int64)
    kernel = kernel << exponent if exponent >= 0 else kernel >> -exponent
    channels, rows, columns = convolution.shape_in
    return Conv(
        # A true convolution flips what a correlation does not: (out, column, row, in).
        weight=kernel[:, :, ::-1, ::-1].transpose(0, 3, 2, 1).astype(np.int32),
        input_shape=(columns, rows, channels),
        stride=(convolution.stride[1], convolution.stride[0]),
        padding=(convolution.padding[1], convolution.padding[0]),
        dilation=(convolution.dilation[1], convolution.dilation[0]),
        groups=convolution.groups,
        num_message_bits=message_bits,
    )


def _synapses(synapses: Synapses, message_bits: int) -> Dense:
    if synapses.delay is None:
        return Dense(
            weights=synapses.weight.copy(),
            weight_exp=synapses.weight_exp,
            num_message_bits=message_bits,
        )
    return DelayDense(
        weights=synapses.weight.copy(),
        delays=synapses.delay.astype(int),
        weight_exp=synapses.weight_exp,
        num_message_bits=message_bits,
    )


def _neurons(neuron: Neuron, choice: Choice, start: int, steps: int) -> tuple[Any, dict[str, str]]:
    """Return the process of neurons that wake at step ``start``, and the Var of each state."""
    if choice.stock is not None:
        # An interval beyond the run makes a reset happen once, at the first real input.
        made = stock_process(choice.stock, neuron.size, steps + start + 1, start)
        return made, dict(choice.stock.states)
    process = process_of(type(neuron))
    given = {keyword: getattr(neuron, name) for keyword, name in process.KEYWORDS.items()}
    return process(shape=(neuron.size,), start=start, **given), process.STATES


def stock_process(stock: Stock, size: int, interval: int, start: int) -> Any:
    """Return a process of Lava's own; one that resets does so each ``interval`` from ``start``."""
    process = STOCK[stock.process]
    given: dict[str, Any] = {}
    if process is LIFReset:
        given = {"reset_interval": interval, "reset_offset": start}
    return process(shape=(size,), **stock.arguments, **given)


STOCK: dict[str, Any] = {process.__name__: process for process in (LIF, LIFReset, ATRLIF)}
"""Lava's neurons by name."""
