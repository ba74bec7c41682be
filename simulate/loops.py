"""The loop of a layer over the steps of a chunk, compiled for a neuron and a form of layers.

A layer runs narrow where its sums and states are known to fit (``programs.NARROW_MAX``), else wide:
with sums of 64 bits and with delays. Unlimited states are watched. If one leaves the narrow range,
the run ends with ``LEFT_NARROW``, and the caller runs again with that layer wide.

Event lists of a layer (``events.py``) begin with the spikes of the step before the chunk: step t of
the chunk owns the events ``starts[t + 1]`` to ``starts[t + 2]``.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917
# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from zlib import crc32

import numpy as np
from llvmlite import ir
from numba import from_dtype, int64, njit, types
from numba.extending import intrinsic

from ..export.kernel import Kernel
from ..export.specialized import specialized
from ..neurons.neuron import Neuron
from .convolve import convolve, hold_back
from .deliver import (
    deliver,
    deliver_below,
    deliver_recurrent,
    deliver_spikes,
    deliver_wide,
)
from .programs import NARROW_MAX, STATES_MAX, compiled_update, printed
from .rows import BLOCK
from .vectors import (
    INT64,
    LANES,
    beyond,
    get_int64,
    load,
    put_int64,
    store_drive,
    store_part,
)

_INT32_MAX = (1 << 31) - 1

FAILED, LEFT_NARROW, NOT_BINARY = 1, 2, 3
"""Why a sample's run ended early: a state left 32 bits or the narrow range; a forbidden input."""

LAYER = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("loop", "n", "blocks", "states", "parameters", "initial", "wide", "recurrent"),
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
"""A layer as the kernels read it. n neurons are padded to ``blocks`` blocks.

``loop``: address of its loop. ``parameters``, ``initial``: addresses of int32 (P, n), (S, n).
``weight``: address of codes uint8
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
NO_STEP = -1
"""Number of changes of v, before a sample's first step."""

ENDED, AT_STATE, AT_STEP = 0xFF, 8, 16
"""How a loop ended: why, in the lowest bits, then at which state and, where it failed, step."""


@njit(forceinline=True)
def _add_changes(layer, scratch, changed):
    """Add up the changes of v; at a sample's first step all count."""
    before = get_int64(scratch, layer.changed // 8)
    now = layer.n if before == NO_STEP else before + changed
    put_int64(scratch, layer.changed // 8, now)


def update(kind, n, width, p, s, drive, fired, alarm, sources, at) -> Any:  # noqa: ARG001
    """Stand for a neuron's compiled update (``programs.py``)."""
    raise TypeError("a compiled loop has that of its neuron")


@njit(forceinline=True)
def _keep_states(trace, row, n, states, width, s):
    for k in range(states):
        target = get_int64(trace, STATE + k)
        if target != 0:
            i = 0
            while i + LANES <= n:
                x = load(np.int32(0), s, k * width + i)
                store_drive(target, row * n + i, x)
                i += LANES
            if i < n:
                x = load(np.int32(0), s, k * width + i)
                store_part(target, row * n + i, x, n - i)


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
            np.int32(0), layer.n, width, layer.parameters, s, scratch + layer.drive,
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
            return LEFT_NARROW | (k << AT_STATE)
    return 0


def _run_narrow(layer, trace, scratch, lists, in_starts, steps, row, first):  # noqa: ARG001
    """Run a layer through a chunk; return how it ended."""
    n, blocks, states = layer.n, layer.blocks, layer.states
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
        keeps |= get_int64(trace, STATE + k) != 0
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
            np.int32(0), n, width, parameters, s, drive, fired, alarm, sources, now
        )
        put_int64(starts, t + 2, now)
        _add_changes(layer, scratch, changed)
        if keeps:
            _keep_states(trace, row + t, n, states, width, s)
    return _left_narrow(states, alarm)


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
            np.int64(0), n, width, layer.parameters, s, drive, fired, alarm,
            sources, now,
        )  # fmt: skip
        put_int64(starts, t + 2, now)
        _add_changes(layer, scratch, changed)
        for k in range(states):
            if beyond(np.int64(0), alarm, k * LANES, _INT32_MAX):
                return FAILED | (k << AT_STATE) | (step << AT_STEP)
        _keep_states(trace, row + t, n, states, width, s)
    return 0


FORMS: dict[str, Callable[..., Any]] = {
    "narrow": specialized(_run_narrow, "_run_narrow_spikes", deliver=deliver_spikes),
    "graded": _run_narrow,
    "late": _run_narrow_late,
    "wide": _run_wide,
}
"""How a layer runs: with 32 bits, on spikes or on graded inputs; on either with a convolution or
delays per neuron; with 64 bits."""

_RECORD: Any = from_dtype(LAYER)


@intrinsic
def _layer_at(typing, address):  # noqa: ARG001
    """Return the record of a layer at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return _RECORD(types.int64), codegen


@intrinsic
def _call(typing, loop, layer, trace, scratch, sources, values, starts, steps, row, done):  # noqa: ARG001
    """Call a loop by its address."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(INT64, [INT64] * (len(args) - 1))
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return types.int64(*[types.int64] * 10), codegen


@intrinsic
def _address_of(typing, record):  # noqa: ARG001
    """Return the address of a record."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ptrtoint(args[0], INT64)

    return types.int64(record), codegen


@njit(forceinline=True)
def run_layer(layer, traces, index, scratch, lists, starts, steps, row, done):
    """Run a layer through a chunk whose events are ``lists``; return how it ended."""
    trace = traces.ctypes.data + 8 * TRACE_COLUMNS * index
    return _call(
        layer.loop, _address_of(layer), trace, scratch, lists[0], lists[1], starts, steps, row, done
    )  # fmt: skip


def _compile(key: str) -> Any:
    def run_loop(layer, trace, scratch, sources, values, starts, steps, row, done):
        # In the closure, the key is part of that of numba's cache.
        if key == "":
            return np.int64(-1)
        return np.int64(
            loop(_layer_at(layer), trace, scratch, (sources, values), starts, steps, row, done)  # noqa: F821 # pyright: ignore
        )

    return run_loop


@cache
def loop_of(record: type[Neuron], form: str) -> Kernel:
    """Return the loop of a neuron in one of ``FORMS``; its address goes into ``LAYER``."""
    key = f"{form} {printed(record).key}"
    loop = njit(inline="always")(
        specialized(FORMS[form], f"{form}_loop", update=compiled_update(record))
    )
    name = f"loop_{crc32(key.encode()):08x}"
    return Kernel(specialized(_compile(key), name, loop=loop), "simulator", (int64,) * 9)
