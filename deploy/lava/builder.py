"""From a network of integers and one sample to connected Lava processes.

``RingBuffer -> Dense -> neurons -> Dense -> ...``, with a second Dense from a recurrent layer to
itself. Stock processes where choice.py finds that they compute the same bits, our own elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...export.grid import DECAY_ONE, STATE_ONE, IntArray
from ...export.network import (
    Connection,
    Convolution,
    CubaLIF,
    Layer,
    Network,
    Neuron,
    Synapses,
    ThresholdRefractoryLIF,
    check_inputs,
)
from . import compat
from .choice import bias_parts, check_convolutions, check_sums, describe

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
    for index, (layer, plan) in enumerate(zip(network.layers, describe(network), strict=True)):
        bits = network.message_bits if index == 0 else 0
        make = STOCK[plan.process] if plan.stock else _own
        neuron, states = make(layer.neuron, plan.lag + 1, steps)
        synapses = connect(below.s_out, layer.synapses, neuron, bits)
        recurrent = None
        if layer.recurrent is not None:
            recurrent = connect(neuron.s_out, layer.recurrent, neuron, 0)
        stages.append(Stage(layer, plan.lag, neuron, synapses, recurrent, states))
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


def _scalar_or_array(values: IntArray) -> int | IntArray:
    # Lava declares these parameters as scalars; arrays work but cannot be read back by Var.get.
    return int(values[0]) if np.all(values == values[0]) else values.copy()


def _own(neuron: Neuron, start: int, _steps: int) -> tuple[Any, dict[str, str]]:
    process = process_of(type(neuron))
    given = {keyword: getattr(neuron, name) for keyword, name in process.KEYWORDS.items()}
    return process(shape=(neuron.size,), start=start, **given), process.STATES


def lif_parameters(neuron: CubaLIF) -> dict[str, Any]:
    """Return the arguments of Lava's LIF for a record that it computes."""
    parts = bias_parts(neuron.bias)
    assert parts is not None
    return {
        "shape": (neuron.size,),
        "du": _scalar_or_array(neuron.i_decay - 1),
        "dv": _scalar_or_array(neuron.v_decay),
        "vth": _scalar_or_array(neuron.v_threshold),
        "bias_mant": parts[0],
        "bias_exp": parts[1],
    }


def _lif(neuron: CubaLIF, _start: int, _steps: int) -> tuple[LIF, dict[str, str]]:
    return LIF(**lif_parameters(neuron)), {"u": "u", "v": "v"}


def _lif_reset(neuron: CubaLIF, start: int, steps: int) -> tuple[LIFReset, dict[str, str]]:
    # An interval beyond the run makes the reset happen once, at the first real input.
    interval = steps + start + 1
    process = LIFReset(**lif_parameters(neuron), reset_interval=interval, reset_offset=start)
    return process, {"u": "u", "v": "v"}


def _atrlif(
    neuron: ThresholdRefractoryLIF, _start: int, _steps: int
) -> tuple[ATRLIF, dict[str, str]]:
    def fraction(codes: IntArray, unit: int = DECAY_ONE) -> Any:
        values = codes / unit
        return float(values[0]) if np.all(values == values[0]) else values

    process = ATRLIF(
        shape=(neuron.size,),
        # Lava adds 1 to the code of this decay.
        delta_i=fraction(neuron.i_decay - 1),
        delta_v=fraction(neuron.v_decay),
        delta_theta=fraction(neuron.th_decay),
        delta_r=fraction(neuron.r_decay),
        theta_0=fraction(neuron.th_init, STATE_ONE),
        theta_step=fraction(neuron.th_step, STATE_ONE),
    )
    return process, {"i": "i", "v": "v", "th": "theta", "r": "r"}


STOCK: dict[str, Callable[[Any, int, int], tuple[Any, dict[str, str]]]] = {
    "LIF": _lif,
    "LIFReset": _lif_reset,
    "ATRLIF": _atrlif,
}
"""Name of a stock neuron to what makes it from (record, start step, steps of the run).

With the process comes the Var of each state.
"""
