"""From dense inputs to the event lists that the kernels read, checked on the way."""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from ..export.network import Network, check_inputs
from .kernels import Messages

# Compiled for three types; the others are widened first.
_COMPILED = {
    "b1": np.uint8,
    "u1": np.uint8,
    "i1": np.int32,
    "i2": np.int32,
    "u2": np.int32,
    "i4": np.int32,
    "u4": np.int64,
    "i8": np.int64,
}

_BLOCK = 16


def dense_inputs(network: Network, inputs: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return inputs (batch, time, channel) in a type that the kernels read, or refuse their form.

    Raises
    ------
    InputError
        Not three axes, another number of channels, or values that are not whole numbers.
    """
    array = np.asarray(inputs)
    if array.dtype.str[1:] not in _COMPILED or array.shape[2:] != (network.input_size,):
        array = check_inputs(network, array)
    return array.astype(_COMPILED[array.dtype.str[1:]], copy=False)


def input_messages(
    network: Network, inputs: npt.NDArray[np.generic], lengths: npt.NDArray[np.int64]
) -> tuple[Messages, int]:
    """Return the events of dense inputs, and the largest magnitude of a message.

    Parameters
    ----------
    network
        The network that takes them.
    inputs
        As ``dense_inputs`` gives them.
    lengths
        int64 (batch,): steps of each sample; what lies beyond is checked but not listed.

    Raises
    ------
    InputError
        A value out of the network's range.
    """
    # A read-only or strided array would be one more type to compile for.
    dense = np.require(inputs, requirements=("C", "W"))
    batch, steps, _ = dense.shape
    counts = np.zeros((batch, steps), np.int64)
    lowest, highest = np.zeros(batch, np.int64), np.zeros(batch, np.int64)
    _count_events(dense, lengths, counts, lowest, highest)
    low, high = int(lowest.min(initial=0)), int(highest.max(initial=0))
    limit = max((1 << network.message_bits) - 1, 1)
    if high > limit or low < (-limit if network.message_bits else 0):
        check_inputs(network, dense)
    total = np.concatenate([[0], np.cumsum(counts)])
    starts = total[np.arange(batch)[:, None] * steps + np.arange(steps + 1)]
    events = int(total[-1])
    graded = network.message_bits > 0
    messages = Messages(
        starts, np.empty(events + 1, np.int32), np.empty(events + 1 if graded else 0, np.int32)
    )
    _list_events(dense, lengths, messages)
    return messages, max(high, -low, 1)


@njit(cache=True, nogil=True)
def _count_events(inputs, lengths, counts, lowest, highest):
    """Count non-zero inputs (batch, time, channel) of each step; find the range of all values."""
    for b in range(inputs.shape[0]):
        low, high = np.int64(0), np.int64(0)
        for t in range(inputs.shape[1]):
            row = inputs[b, t]
            count = 0
            for c in range(row.shape[0]):
                value = np.int64(row[c])
                low, high = min(low, value), max(high, value)
                count += value != 0
            if t < lengths[b]:
                counts[b, t] = count
        lowest[b], highest[b] = low, high


@njit(cache=True, nogil=True)
def _list_events(inputs, lengths, messages):
    """Fill ``messages.sources`` and, unless empty, ``values`` from dense inputs.

    Both need room for one event more than there are.
    """
    graded = messages.values.shape[0] > 0
    channels = inputs.shape[2]
    whole = channels - channels % _BLOCK
    for b in range(inputs.shape[0]):
        for t in range(lengths[b]):
            at = messages.starts[b, t]
            for first in range(0, whole, _BLOCK):
                union = inputs[b, t, first]
                for c in range(_BLOCK):
                    union |= inputs[b, t, first + c]
                if union != 0:
                    at = _list_block(inputs, b, t, first, first + _BLOCK, messages, graded, at)
            _list_block(inputs, b, t, whole, channels, messages, graded, at)


@njit(forceinline=True)
def _list_block(inputs, b, t, first, last, messages, graded, at):
    # Written without a branch, as in _append_events; the next step writes over what is too much.
    for c in range(first, last):
        messages.sources[at] = c
        if graded:
            messages.values[at] = inputs[b, t, c]
        at += inputs[b, t, c] != 0
    return at
