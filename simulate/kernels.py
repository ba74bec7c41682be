"""The fast simulator's loops: event-driven, integer, compiled by numba.

``run_samples`` runs a whole network on samples, each independent of the others. It computes
docs/FIXED_POINT.md bit for bit as ``reference.py`` does. It releases the GIL, so that Python
threads run it in parallel, each taking the next sample until none is left; numba's own threads
would remain in a process that Lava forks, and OpenMP does not survive a fork.

A sample is cut into chunks of steps. Each layer runs through a whole chunk before the next, since
layer l needs layer l - 1's spikes of the same step and nothing later: a layer's weights, states and
lists stay in the nearest cache, and memory does not grow with the sequence's length.

A layer runs narrow where its sums and states are known to fit (``programs.NARROW_MAX``), else wide:
with sums of 64 bits and with delays. Unlimited states are watched. If one leaves the
narrow range, the run ends with ``LEFT_NARROW``, and the caller runs again with that layer wide.

Event lists of a layer (``events.py``) begin with the spikes of the step before the chunk: step t of
the chunk owns the events ``starts[t + 1]`` to ``starts[t + 2]``.
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
from .convolve import convolve, hold_back
from .deliver import clear, deliver, deliver_below, deliver_recurrent, deliver_wide
from .events import check_binary, list_inputs
from .programs import NARROW_MAX, update
from .rows import BLOCK
from .sources import source_digest
from .vectors import (
    LANES,
    beyond,
    fetch_add,
    get_int32,
    get_int64,
    load,
    put_int32,
    put_int64,
    put_uint8,
    store_drive,
    store_part,
)

_INT32_MAX = (1 << 31) - 1

STATES_MAX = 4
"""States of the neuron model that has most."""

FAILED, LEFT_NARROW, NOT_BINARY = 1, 2, 3
"""Why a sample's run ended early: a state left 32 bits or the narrow range; a forbidden input."""

LAYER = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("program", "n", "blocks", "states", "parameters", "initial", "wide", "recurrent"),
            *("weight", "factor", "offset", "left", "right", "delay", "late", "slots"),
            *("recurrent_weight", "recurrent_factor", "recurrent_offset", "recurrent_left"),
            *("recurrent_right", "recurrent_delay", "recurrent_late", "recurrent_slots"),
            "geometry",
            *("state", "drive", "recurrent_drive", "fired", "alarm", "future", "recurrent_future"),
            *("total", "changed"),
            *("sources", "starts", "counts", "last_counts", "sent", "n_in"),
            *("fan_out", "recurrent_fan_out"),
        )
    ]
)
"""A layer as the kernel reads it. n neurons are padded to ``blocks`` blocks.

``parameters``, ``initial``: addresses of int32 (P, n), (S, n). ``weight``: address of codes uint8
(n_in, n), or of int16 (n_in, n) where the layer is wide; ``factor``, ``offset``: what
``rows.gather`` takes; sums are shifted by ``right``, then ``left``. ``geometry``: address of what
``convolve.py`` takes, with its weights, or 0. ``delay``: address of uint8 (n_in, n), delays of each
synapse, in a wide layer; ``late``: of uint8 (n,), delays of each neuron; or 0. ``slots``: largest
delay + 1. From ``state`` to ``starts``: offsets in bytes into a thread's scratch. ``changed``:
place of the number of changes of v in this sample. ``counts``,
``last_counts``: places of the layer's spikes in the counts, and ``sent`` of its ``n_in`` sources.
``fan_out``, ``recurrent_fan_out``: addresses of int64, the number of non-zero weights of each
source.
"""

SPIKES, STATE = 0, 1
"""Columns of a layer's traces: addresses of uint8, and from ``STATE`` on of a state's int32
(batch, time, n); 0 for what is not recorded."""

TRACE_COLUMNS = STATE + STATES_MAX
TOTALS = 6
"""Counts of a layer and sample: events from below, recurrent events, synaptic operations of each,
spikes, membrane updates."""
_NO_STEP = -1
"""Number of changes of v, before a sample's first step."""


@njit
def _tally(sources, start, stop, counts):
    for e in range(start, stop):
        source = get_int32(sources, e)
        put_int64(counts, source, get_int64(counts, source) + 1)


@njit(forceinline=True)
def _add_changes(layer, scratch, changed):
    """Add up the changes of v; at a sample's first step all count."""
    before = get_int64(scratch, layer.changed // 8)
    now = layer.n if before == _NO_STEP else before + changed
    put_int64(scratch, layer.changed // 8, now)


@njit(forceinline=True)
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


@njit(forceinline=True)
def _keep_states(trace, row, n, states, width, s):
    for k in range(states):
        target = trace[STATE + k]
        if target != 0:
            i = 0
            while i + LANES <= n:
                x = load(np.int32(0), s, k * width + i)
                store_drive(target, row * n + i, x)
                i += LANES
            if i < n:
                x = load(np.int32(0), s, k * width + i)
                store_part(target, row * n + i, x, n - i)


@njit
def _run_narrow_late(layer, trace, scratch, lists, in_starts, steps, row, first):
    """Run a narrow layer that has a convolution or delays per neuron.

    ``first``: the chunk's first step in the run. Separate from ``_run_narrow``, which it would slow
    down.
    """
    width, s, alarm = layer.blocks * BLOCK, scratch + layer.state, scratch + layer.alarm
    sources, starts = scratch + layer.sources, scratch + layer.starts
    for t in range(steps):
        lo, hi = get_int64(in_starts, t + 1), get_int64(in_starts, t + 2)
        deliver_below(layer, scratch, lists, lo, hi, first + t)
        before, now = get_int64(starts, t), get_int64(starts, t + 1)
        if layer.recurrent != 0:
            deliver_recurrent(layer, scratch, (sources, np.int64(0)), before, now, first + t)
        now, changed = update(
            np.int32(0), layer.program, layer.n, width, layer.parameters, s, scratch + layer.drive,
            scratch + layer.fired, alarm, sources, now,
        )  # fmt: skip
        put_int64(starts, t + 2, now)
        _add_changes(layer, scratch, changed)
        _keep_states(trace, row + t, layer.n, layer.states, width, s)
    return _left_narrow(layer.states, alarm)


@njit(forceinline=True)
def _left_narrow(states, alarm):
    for k in range(states):
        if beyond(np.int32(0), alarm, k * LANES, NARROW_MAX):
            return LEFT_NARROW, 0, k
    return 0, 0, 0


@njit
def _run_narrow(layer, trace, scratch, lists, in_starts, steps, row):
    """Run a layer through a chunk; return how it ended, and at which step and state."""
    n, blocks, program, states = layer.n, layer.blocks, layer.program, layer.states
    width, parameters, recurrent = blocks * BLOCK, layer.parameters, layer.recurrent
    weight, factor, offset = layer.weight, layer.factor, layer.offset
    left, right = layer.left, layer.right
    recurrent_weight, recurrent_factor = layer.recurrent_weight, layer.recurrent_factor
    recurrent_offset = layer.recurrent_offset
    recurrent_left, recurrent_right = layer.recurrent_left, layer.recurrent_right
    s, drive, other = scratch + layer.state, scratch + layer.drive, scratch + layer.recurrent_drive
    fired, alarm = scratch + layer.fired, scratch + layer.alarm
    sources, starts = scratch + layer.sources, scratch + layer.starts
    own = (sources, np.int64(0))
    keeps = False
    for k in range(states):
        keeps |= trace[STATE + k] != 0
    before, now = get_int64(starts, 0), get_int64(starts, 1)
    lo = get_int64(in_starts, 1)
    for t in range(steps):
        hi = get_int64(in_starts, t + 2)
        deliver(False, blocks, drive, other, weight, factor, offset, left, right, lists, lo, hi)
        lo = hi
        if recurrent != 0:
            deliver(
                True, blocks, drive, other, recurrent_weight, recurrent_factor, recurrent_offset,
                recurrent_left, recurrent_right, own, before, now,
            )  # fmt: skip
        before = now
        now, changed = update(
            np.int32(0), program, n, width, parameters, s, drive, fired, alarm, sources, now
        )
        put_int64(starts, t + 2, now)
        _add_changes(layer, scratch, changed)
        if keeps:
            _keep_states(trace, row + t, n, states, width, s)
    return _left_narrow(states, alarm)


@njit
def _run_wide(layer, trace, scratch, lists, in_starts, steps, row, first):
    """Run a layer as ``_run_narrow`` does, with 64 bits and delays of each synapse."""
    n, states, width = layer.n, layer.states, layer.blocks * BLOCK
    s, drive, total = scratch + layer.state, scratch + layer.drive, scratch + layer.recurrent_drive
    fired, alarm = scratch + layer.fired, scratch + layer.alarm
    future, recurrent_future = scratch + layer.future, scratch + layer.recurrent_future
    sources, starts = scratch + layer.sources, scratch + layer.starts
    own = (sources, np.int64(0))
    for t in range(steps):
        lo, hi, step = get_int64(in_starts, t + 1), get_int64(in_starts, t + 2), first + t
        if layer.geometry != 0:
            convolve(
                np.int64(0), drive, scratch + layer.total, layer.geometry, layer.weight,
                layer.right, layer.left, lists, lo, hi,
            )  # fmt: skip
            if layer.late != 0:
                hold_back(np.int64(0), drive, layer.late, future, layer.slots, n, width, step)
        else:
            deliver_wide(
                False, width, drive, total, layer.weight, layer.delay, future, layer.slots,
                layer.left, layer.right, lists, lo, hi, step,
            )  # fmt: skip
        before, now = get_int64(starts, t), get_int64(starts, t + 1)
        if layer.recurrent != 0:
            deliver_wide(
                True, width, drive, total, layer.recurrent_weight, layer.recurrent_delay,
                recurrent_future, layer.recurrent_slots, layer.recurrent_left,
                layer.recurrent_right, own, before, now, step,
            )  # fmt: skip
        now, changed = update(
            np.int64(0), layer.program, n, width, layer.parameters, s, drive, fired, alarm,
            sources, now,
        )  # fmt: skip
        put_int64(starts, t + 2, now)
        _add_changes(layer, scratch, changed)
        for k in range(states):
            if beyond(np.int64(0), alarm, k * LANES, _INT32_MAX):
                return FAILED, step, k
        _keep_states(trace, row + t, n, states, width, s)
    return 0, 0, 0


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
    put_int64(scratch, layer.changed // 8, _NO_STEP)
    put_int64(scratch + layer.starts, 0, 0)
    put_int64(scratch + layer.starts, 1, 0)


@njit
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


@njit
def run_layer(layer, trace, scratch, lists, starts, steps, row, done):
    """Run a layer through a chunk whose events are ``lists``; return how it ended, step, state."""
    if layer.wide:
        return _run_wide(layer, trace, scratch, lists, starts, steps, row, done)
    if layer.geometry != 0 or layer.late != 0 or layer.recurrent_late != 0:
        return _run_narrow_late(layer, trace, scratch, lists, starts, steps, row, done)
    return _run_narrow(layer, trace, scratch, lists, starts, steps, row)


@njit
def _run_layers(layers, traces, scratch, lists, starts, steps, row, done):
    """Run all layers through a chunk; return how it ended, at which layer, step and state."""
    for index in range(len(layers)):
        layer = layers[index]
        ended, step, state = run_layer(
            layer, traces[index], scratch, lists, starts, steps, row, done
        )  # fmt: skip
        if ended != 0:
            return ended, index, step, state
        lists = (scratch + layer.sources, np.int64(0))
        starts = scratch + layer.starts
    return 0, 0, 0, 0


@njit
def _run_sample(
    b, layers, traces, inputs, size, shape, values_offset, starts_offset, graded, chunk, length,
    counts, scratch,
):  # fmt: skip
    """Run a sample; return how it ended, at which layer, step and state."""
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
            return NOT_BINARY, 0, 0, 0
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
        return NOT_BINARY, 0, 0, 0
    return 0, 0, 0, 0


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
            ended, index, step, state = _run_sample(
                b, layers, traces, inputs, size, shape, values_offset, starts_offset, graded,
                chunk, lengths[b], counted, base,
            )  # fmt: skip
            if ended != 0:
                failed[b, 0], failed[b, 1], failed[b, 2], failed[b, 3] = ended, index, step, state
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
