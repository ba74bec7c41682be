"""The fast simulator's loops: event-driven, integer, compiled by numba.

``run_samples`` runs a whole network on samples, each independent of the others. It computes
docs/FIXED_POINT.md bit for bit as ``reference.py`` does. It releases the GIL, so that Python
threads run it in parallel, each taking the next sample until none is left; numba's own threads
would remain in a process that Lava forks, and OpenMP does not survive a fork.

A sample is cut into chunks of steps. Each layer runs through a whole chunk before the next, since
layer l needs layer l - 1's spikes of the same step and nothing later: a layer's weights, states and
lists stay in the nearest cache, and memory does not grow with the sequence's length.

Each layer has a loop of its own (``loops.py``), compiled for its neuron, and called by its address:
a process compiles what its networks use, each loop once.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917
# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, int64, njit, typeof, types, uint8

from ..export.kernel import Kernel
from .deliver import clear
from .events import check_binary, list_inputs
from .loops import (
    AT_STATE,
    AT_STEP,
    ENDED,
    LAYER,
    NO_STEP,
    NOT_BINARY,
    SPIKES,
    STATES_MAX,
    run_layer,
)
from .rows import BLOCK
from .sources import source_digest
from .vectors import LANES, fetch_add, get_int32, get_int64, put_int32, put_int64, put_uint8

TOTALS = 6
"""Counts of a layer and sample: events from below, recurrent events, synaptic operations of each,
spikes, membrane updates."""


@njit
def _tally(sources, start, stop, counts):
    for e in range(start, stop):
        source = get_int32(sources, e)
        put_int64(counts, source, get_int64(counts, source) + 1)


@njit(inline="always")
def _add_totals(layer, scratch, counts, totals):
    sent, spikes = counts + 8 * layer.sent, counts + 8 * layer.counts
    last = counts + 8 * layer.last_counts
    for i in range(layer.n_in):
        count = get_int64(sent, i)
        totals[0] += count
        totals[2] += count * get_int64(layer.fan_out, i)
    if layer.recurrent != 0:
        # Spikes of a sample's last step reach no synapse.
        for i in range(layer.n):
            count = get_int64(spikes, i) - get_int64(last, i)
            totals[1] += count
            totals[3] += count * get_int64(layer.recurrent_fan_out, i)
    for i in range(layer.n):
        totals[4] += get_int64(spikes, i)
    totals[5] += max(get_int64(scratch, layer.changed // 8), 0)


@njit
def begin(layer, scratch):
    """Set a layer's states to those before the first step."""
    width = layer.blocks * BLOCK
    for i in range(layer.states * width):
        put_int32(scratch + layer.state, i, get_int32(layer.initial, i))
    clear(scratch + layer.fired, width // LANES)
    clear(scratch + layer.alarm, STATES_MAX * LANES)
    clear(scratch + layer.future, layer.slots * width)
    clear(scratch + layer.recurrent_future, layer.recurrent_slots * width)
    if layer.geometry != 0:
        # The padding of the drives stays zero.
        clear(scratch + layer.drive, width if layer.wide else width // 2)
        clear(scratch + layer.total, width)
    put_int64(scratch, layer.changed // 8, NO_STEP)
    put_int64(scratch + layer.starts, 0, 0)
    put_int64(scratch + layer.starts, 1, 0)


@njit(inline="always")
def _end_chunk(layer, trace, scratch, steps, row, counts):
    """Count and record a chunk's spikes; move the last step's to the front of the list."""
    sources, starts = scratch + layer.sources, scratch + layer.starts
    _tally(sources, get_int64(starts, 1), get_int64(starts, steps + 1), counts + 8 * layer.counts)
    if trace[SPIKES] != 0:
        for t in range(steps):
            for e in range(get_int64(starts, t + 1), get_int64(starts, t + 2)):
                put_uint8(trace[SPIKES], (row + t) * layer.n + get_int32(sources, e), 1)
    last, stop = get_int64(starts, steps), get_int64(starts, steps + 1)
    for e in range(stop - last):
        put_int32(sources, e, get_int32(sources, last + e))
    put_int64(starts, 0, 0)
    put_int64(starts, 1, stop - last)


@njit(inline="always")
def _run_layers(layers, traces, scratch, lists, starts, steps, row, done):
    """Run all layers through a chunk; return how it ended and at which layer."""
    for index in range(len(layers)):
        layer = layers[index]
        ended = run_layer(layer, traces, index, scratch, lists, starts, steps, row, done)
        if ended != 0:
            return ended, index
        lists = (scratch + layer.sources, np.int64(0))
        starts = scratch + layer.starts
    return np.int64(0), 0


@njit(inline="always")
def _run_sample(
    b, layers, traces, inputs, size, shape, values_offset, starts_offset, graded, chunk, length,
    counts, scratch,
):  # fmt: skip
    """Run a sample; return how it ended (``loops.py``) and at which layer."""
    batch, steps, channels = shape
    values = scratch + values_offset if graded else np.int64(0)
    lists, starts = (scratch, values), scratch + starts_offset
    end = batch * steps * channels
    put_int64(starts, 1, 0)
    for index in range(len(layers)):
        begin(layers[index], scratch)
    done = np.int64(0)
    while done < length:
        now = min(chunk, length - done)
        row = b * steps + done
        if list_inputs(
            inputs, size, row * channels, now, channels, end, scratch, values, starts
        ):  # fmt: skip
            return np.int64(NOT_BINARY), 0
        _tally(scratch, get_int64(starts, 1), get_int64(starts, now + 1), counts)
        how = _run_layers(layers, traces, scratch, lists, starts, now, row, done)
        if how[0] != 0:
            return how
        for index in range(len(layers)):
            _end_chunk(layers[index], traces[index], scratch, now, row, counts)
        done += now
    for index in range(len(layers)):
        layer = layers[index]
        own = scratch + layer.starts
        last = counts + 8 * layer.last_counts
        _tally(scratch + layer.sources, get_int64(own, 0), get_int64(own, 1), last)
    rest = (steps - length) * channels
    if not graded and check_binary(inputs, size, (b * steps + length) * channels, rest):
        return np.int64(NOT_BINARY), 0
    return np.int64(0), 0


def _compile(digest: int) -> Any:
    def run_samples(
        layers, traces, inputs, size, shape, values_offset, starts_offset, graded, chunk, lengths,
        turn, counts, totals, failed, scratch,
    ):  # fmt: skip
        """Run the samples of this thread; the digest is part of the cache's key."""
        base, counted = (scratch.ctypes.data + 63) & -64, counts[0].ctypes.data
        while True:
            b = fetch_add(turn.ctypes.data, 1)
            if b >= shape[0]:
                break
            ended, index = _run_sample(
                b, layers, traces, inputs, size, shape, values_offset, starts_offset, graded,
                chunk, lengths[b], counted, base,
            )  # fmt: skip
            if ended != 0:
                failed[b, 0], failed[b, 1] = ended & ENDED, index
                failed[b, 2], failed[b, 3] = ended >> AT_STEP, (ended >> AT_STATE) & ENDED
                turn[1] = ended
            for index in range(len(layers)):
                _add_totals(layers[index], base, counted, totals[b, index])
            for i in range(counts.shape[1]):
                counts[1, i] += counts[0, i]
                counts[0, i] = 0
        return digest

    return run_samples


run_samples = Kernel(
    _compile(source_digest()),
    "simulator",
    (
        typeof(np.empty(0, LAYER)), int64[:, ::1], int64, int64, types.UniTuple(int64, 3), int64,
        int64, boolean, int64, int64[::1], int64[::1], int64[:, ::1], int64[:, :, ::1],
        int64[:, ::1], uint8[::1],
    ),
)  # fmt: skip
"""Run the samples whose turn comes.

numba's cache looks at this file's time stamp alone, so the digest of all files that are compiled
together makes an edit of any of them a new function.

Parameters
----------
layers, traces
    One a layer: records ``LAYER``, int64 ``TRACE_COLUMNS``.
inputs, size, shape
    Address of C-contiguous inputs (batch, time, channel), bytes of an element (1: uint8, 4: int32),
    and their shape. They are 0 or 1 unless ``graded``.
values_offset, starts_offset
    Places in the scratch of the values and starts of the inputs' list, which itself is at 0.
chunk
    Largest number of steps of a chunk.
lengths
    int64 (batch,): steps of each sample.
turn
    int64 (2,), 0 at first, shared by all threads of a run: the sample whose turn is next; not 0 if
    a sample failed.
counts
    int64 (2, ...), zeros, of this thread: events of each channel, and at each layer's places spikes
    of each neuron in all and at last steps. The second row is the result, the first for the kernel.
totals
    int64 (batch, layers, ``TOTALS``), zeros.
failed
    int64 (batch, 4), zeros: how a sample ended, and at which layer, step and state.
scratch
    uint8, of this thread alone.
"""
