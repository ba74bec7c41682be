"""The executable specification: synapses and time of docs/FIXED_POINT.md in NumPy int64.

A neuron's step comes from its file in ``neurons/``. It is written to be read, not to be fast. The
kernels, the Lava processes and training on the grid are tested against it, state by state and bit
by bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..export.errors import InputError
from ..export.grid import IntArray
from ..export.network import Connection, Convolution, Network, Neuron, check_inputs
from ..export.trace import LayerTrace, Trace
from ..neurons.neuron import State, initial_state, take_step


def delivered(connection: Connection, history: IntArray, step: int) -> IntArray:
    """Return a(step), int64 (batch, n_out), from the messages sent so far.

    ``history`` int64 (batch, time, n_in): column t is what the sources sent at step t; nothing is
    sent before the first step. ``a = sum over d of shift(W[delay == d] @ history[step - d])``.
    """
    if isinstance(connection, Convolution):
        return _delivered_by_convolution(connection, history, step)
    weight = connection.weight.astype(np.int64)
    delay = np.zeros_like(weight) if connection.delay is None else connection.delay
    total = np.zeros((history.shape[0], connection.n_out), dtype=np.int64)
    for d in np.unique(delay):
        if step - d >= 0:
            summed = history[:, step - d] @ np.where(delay == d, weight, 0).T
            total += _shift(summed, connection.weight_exp)
    return total


def _delivered_by_convolution(convolution: Convolution, history: IntArray, step: int) -> IntArray:
    out = convolution.kernel.shape[0]
    delay = np.zeros(out, np.int64) if convolution.delay is None else convolution.delay
    total = np.zeros((history.shape[0], *convolution.shape_out), dtype=np.int64)
    for d in np.unique(delay):
        if step - d >= 0:
            late = delay == d
            total[:, late] = convolved(convolution, history[:, step - d])[:, late]
    return _shift(total, convolution.weight_exp).reshape(history.shape[0], -1)


def convolved(convolution: Convolution, messages: IntArray) -> IntArray:
    """Return the sums of one step, int64 (batch, channel, row, column), by the record's equation.

    ``messages`` int64 (batch, n_in).
    """
    _, rows, columns = convolution.shape_in
    out, share, taps_down, taps_along = convolution.kernel.shape
    groups, batch = convolution.groups, messages.shape[0]
    sources = messages.reshape(batch, groups, share, rows, columns)
    kernel = convolution.kernel.astype(np.int64)
    kernel = kernel.reshape(groups, out // groups, share, taps_down, taps_along)
    y, x = (np.arange(size) for size in convolution.shape_out[1:])
    total = np.zeros((batch, groups, out // groups, y.size, x.size), dtype=np.int64)
    for r, c in np.ndindex(taps_down, taps_along):
        row = y * convolution.stride[0] + r * convolution.dilation[0] - convolution.padding[0]
        column = x * convolution.stride[1] + c * convolution.dilation[1] - convolution.padding[1]
        down, along = (row >= 0) & (row < rows), (column >= 0) & (column < columns)
        window = sources[..., row[down, None], column[along]]
        reached = np.ix_(*map(np.arange, total.shape[:3]), y[down], x[along])
        total[reached] += np.einsum("goi,bgiyx->bgoyx", kernel[..., r, c], window)
    return total.reshape(batch, out, y.size, x.size)


def _shift(x: IntArray, exponent: int) -> IntArray:
    return x << exponent if exponent >= 0 else x >> -exponent


def run(network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None) -> Trace:
    """Run the network on every sample from its initial state and record everything.

    Parameters
    ----------
    network
        The network of integers.
    inputs
        Integers (batch, time, channel): 0 or 1, or graded where the network has message bits.
    lengths
        Integers (batch,): steps of each sample; all steps when None.

    Raises
    ------
    InputError
        Inputs of another shape or range; a state that leaves 32 bits.
    """
    messages = check_inputs(network, inputs).astype(np.int64)
    batch, steps, _ = messages.shape
    ran = check_lengths(lengths, batch, steps)
    running = np.arange(steps) < ran[:, None]
    layers = []
    for layer in network.layers:
        state = initial_state(layer.neuron, batch)
        spikes = np.zeros((batch, steps, layer.size), dtype=np.int64)
        states = {name: np.zeros_like(spikes) for name in layer.neuron.STATES}
        previous = np.zeros((batch, layer.size), dtype=np.int64)
        for t in range(steps):
            a = delivered(layer.synapses, messages, t)
            if layer.recurrent is not None and t > 0:
                a = a + delivered(layer.recurrent, spikes, t - 1)
            state, previous = take_step(layer.neuron, state, a, previous)
            spikes[:, t] = previous
            for name, values in state.items():
                states[name][:, t] = values
        layers.append(_layer_trace(layer.name, layer.neuron, spikes, states, running))
        messages = spikes
    return trace_of(network, layers, ran)


def check_lengths(lengths: npt.ArrayLike | None, batch: int, steps: int) -> npt.NDArray[np.int64]:
    """Return sample lengths as int64 (batch,), each from 0 to ``steps``, or raise InputError."""
    if lengths is None:
        return np.full(batch, steps, dtype=np.int64)
    checked = np.asarray(lengths)
    if checked.shape != (batch,) or not np.issubdtype(checked.dtype, np.integer):
        raise InputError(f"lengths: {checked.dtype} {checked.shape}, needs integers ({batch},)")
    if checked.size and (checked.min() < 0 or checked.max() > steps):
        raise InputError(f"lengths: {checked.min()}..{checked.max()} is outside 0..{steps}")
    return checked.astype(np.int64)


def trace_of(network: Network, layers: list[LayerTrace], lengths: npt.NDArray[np.int64]) -> Trace:
    """Make a trace, its output taken from the last layer as the readout says."""
    last = layers[-1]
    output = last.spikes if network.readout.reads_spikes else last.states["v"]
    assert output is not None
    return Trace(tuple(layers), output.astype(np.int32), lengths)


def _layer_trace(
    name: str,
    neuron: Neuron,
    spikes: IntArray,
    states: State,
    running: npt.NDArray[np.bool_],
) -> LayerTrace:
    kept = running[:, :, None]
    limit = np.iinfo(np.int32).max
    for state, values in states.items():
        if values.size and np.abs(values * kept).max() > limit:
            raise InputError(
                f"layer {name}: state {state} leaves 32 bits; lower its threshold step"
            )
    return LayerTrace(
        (spikes * kept).astype(np.uint8) if neuron.SPIKING else None,
        {state: (values * kept).astype(np.int32) for state, values in states.items()},
    )
