"""One time step of a whole network, compiled: what ``StreamingSimulator`` calls.

A step is a chunk of one step of ``kernels.py``, whose states stay in the scratch between calls.
A narrow layer's step is exact from any state of the narrow range, so where one leaves that range
the step still counts, and the caller widens the layer before the next.
"""

# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int64, njit, typeof

from ..export.kernel import Kernel
from .events import list_inputs
from .kernels import begin
from .loops import (
    AT_STATE,
    ENDED,
    FAILED,
    LAYER,
    LEFT_NARROW,
    NOT_BINARY,
    STATES_MAX,
    run_layer,
)
from .rows import BLOCK
from .sources import source_digest
from .vectors import get_int32, get_int64, put_int32, put_int64

(
    INPUT, ELEMENT, CHANNELS, LIMIT, VALUES_OFFSET, STARTS_OFFSET, SCRATCH, STEP, ROW, COUNTS,
    PEAKS, ENDED_LAYER, ENDED_STATE, DIGEST, LEFT,
) = range(15)  # fmt: skip
"""Places in the control words, int64; from ``LEFT`` on, one per layer.

``INPUT``: address of a step's channels, of ``ELEMENT`` bytes each (1: uint8, 4: int32); ``LIMIT``:
their largest magnitude where they are graded, else 0; ``SCRATCH``: address, aligned to 64 bytes;
``STEP``: steps before this one; ``ROW``: row of what ``traces`` records; ``COUNTS``: address of
int64 (layers,), to which spikes are added; ``PEAKS``: of int64 (layers, ``STATES_MAX``), largest
magnitudes of states, or 0. Written by the kernel: where a step failed, and for each layer whether
it must be wide from now on.
"""


@njit
def _beyond(inputs, channels, limit):
    """Return whether any of ``count`` int32 exceeds the limit in magnitude."""
    wrong = False
    for i in range(channels):
        value = get_int32(inputs, i)
        wrong |= (value > limit) | (value < -limit)
    return wrong


@njit
def _note_peaks(layer, scratch, peaks):
    width, state = layer.blocks * BLOCK, scratch + layer.state
    for k in range(layer.states):
        top = get_int64(peaks, k)
        for i in range(layer.n):
            top = max(top, abs(get_int32(state, k * width + i)))
        put_int64(peaks, k, top)


@njit
def _end_step(layer, scratch):
    """Move the step's spikes to the front of their list; return how many there are."""
    sources, starts = scratch + layer.sources, scratch + layer.starts
    last, stop = get_int64(starts, 1), get_int64(starts, 2)
    for e in range(stop - last):
        put_int32(sources, e, get_int32(sources, last + e))
    put_int64(starts, 0, 0)
    put_int64(starts, 1, stop - last)
    return stop - last


@njit
def _step(layers, traces, control):
    scratch, channels = control[SCRATCH], control[CHANNELS]
    inputs, limit = control[INPUT], control[LIMIT]
    values = scratch + control[VALUES_OFFSET] if limit != 0 else np.int64(0)
    lists, starts = (scratch, values), scratch + control[STARTS_OFFSET]
    if limit != 0 and _beyond(inputs, channels, limit):
        return NOT_BINARY
    put_int64(starts, 1, 0)
    wrong = list_inputs(
        inputs, control[ELEMENT], 0, 1, channels, channels, scratch, values, starts
    )  # fmt: skip
    if wrong:
        return NOT_BINARY
    how = 0
    for index in range(len(layers)):
        layer = layers[index]
        found = run_layer(
            layer, traces, index, scratch, lists, starts, 1, control[ROW], control[STEP]
        )  # fmt: skip
        ended, state = found & ENDED, (found >> AT_STATE) & ENDED
        if ended == FAILED:
            control[ENDED_LAYER], control[ENDED_STATE] = index, state
            return FAILED
        if ended == LEFT_NARROW:
            control[LEFT + index], how = 1, LEFT_NARROW
        lists = (scratch + layer.sources, np.int64(0))
        starts = scratch + layer.starts
    for index in range(len(layers)):
        layer = layers[index]
        spikes = _end_step(layer, scratch)
        counts = control[COUNTS]
        put_int64(counts, index, get_int64(counts, index) + spikes)
        if control[PEAKS] != 0:
            _note_peaks(layer, scratch, control[PEAKS] + 8 * STATES_MAX * index)
    control[STEP] += 1
    return how


def _compile(digest: int) -> Any:
    def run_step(layers, traces, control):
        """Run one step; the digest is in the cache's key, as that of ``kernels.run_samples``."""
        control[DIGEST] = digest
        if control[INPUT] == 0:
            for index in range(len(layers)):
                begin(layers[index], control[SCRATCH])
            return 0
        return _step(layers, traces, control)

    return run_step


run_step = Kernel(
    _compile(source_digest()),
    "streaming simulator",
    (typeof(np.empty(0, LAYER)), int64[:, ::1], int64[::1]),
)
"""Run one step, or, without an input, set all states to those before the first step.

Parameters
----------
layers, traces
    As ``kernels.run_samples`` takes them; of the traces, the states' addresses are used.
control
    int64, the control words above.

Returns
-------
int
    0; ``LEFT_NARROW``: the step is done, and the layers marked in the control words must be wide
    from now on; ``NOT_BINARY``: the input is out of range, nothing was changed; ``FAILED``: a state
    left 32 bits, and the states are lost.
"""
