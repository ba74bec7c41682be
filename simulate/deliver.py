"""From the events of a step to drives: what connections deliver to a layer, as its record says.

``lists`` are the addresses of the events' sources and, where they are graded, values, else 0; a
step's events are ``lo`` to ``hi``. ``layer`` is a record of ``loops.LAYER``.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917
# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

import numpy as np
from numba import njit

from ..export.specialized import specialized
from .convolve import convolve, hold_back
from .rows import BLOCK, gather, gather_graded
from .vectors import (
    LANES,
    get_int16,
    get_int32,
    get_int64,
    get_uint8,
    load_drive,
    put_int32,
    put_int64,
    store_drive,
)


@njit(forceinline=True)
def clear(address, words):
    """Set int64 words to zero."""
    for i in range(words):
        put_int64(address, i, 0)


@njit(forceinline=True)
def _shift(drive, width, right, left):
    for i in range(width):
        put_int32(drive, i, (get_int32(drive, i) >> right) << left)


@njit(forceinline=True)
def _add(drive, other, width):
    for i in range(0, width, LANES):
        kind = np.int32(0)
        store_drive(drive, i, load_drive(kind, drive, i) + load_drive(kind, other, i))


@njit(inline="always")
def _sum_spikes(adding, target, blocks, weight, lists, lo, hi, factor, offset):
    gather(adding, target, blocks, weight, lists[0], lo, hi, factor, offset)


@njit(inline="always")
def _sum_events(adding, target, blocks, weight, lists, lo, hi, factor, offset):
    sources, values = lists
    if values != 0:
        gather_graded(adding, target, blocks, weight, sources, values, lo, hi, factor, offset)
    else:
        gather(adding, target, blocks, weight, sources, lo, hi, factor, offset)


def _deliver(adds, layer_blocks, drive, other, weight, factor, offset, left, right, lists, lo, hi):
    """Set drive to the shifted sum of the synapses, or add it; 32 bits."""
    target = other if adds and right != 0 else drive
    adding = adds and right == 0
    _sum_events(adding, target, layer_blocks, weight, lists, lo, hi, factor, offset)
    if right != 0:
        _shift(target, layer_blocks * BLOCK, right, left)
        if adds:
            _add(drive, other, layer_blocks * BLOCK)


deliver = njit(forceinline=True)(_deliver)
deliver_spikes = njit(forceinline=True)(
    specialized(_deliver, "_deliver_spikes", _sum_events=_sum_spikes)
)
"""``deliver`` where no event has a value."""


@njit
def deliver_wide(
    adds, width, drive, total, weight, delay, future, slots, left, right, lists, lo, hi, step
):
    """Set drive to the shifted sum of the synapses, or add it; 64 bits, delays."""
    sources, values = lists
    now = total
    if delay != 0:
        now = future + 8 * width * (step % slots)
    else:
        clear(total, width)
    for e in range(lo, hi):
        row = width * get_int32(sources, e)
        value = get_int32(values, e) if values != 0 else 1
        for i in range(width):
            at, place = now, i
            if delay != 0:
                at, place = future, i + width * ((step + get_uint8(delay, row + i)) % slots)
            put_int64(at, place, get_int64(at, place) + value * get_int16(weight, row + i))
    for i in range(width):
        a = (get_int64(now, i) >> right) << left
        put_int64(drive, i, get_int64(drive, i) + a if adds else a)
    if delay != 0:
        clear(now, width)


@njit
def deliver_below(layer, scratch, lists, lo, hi, step):
    """Set the drives of a narrow layer that has a convolution or delays below."""
    drive, width = scratch + layer.drive, layer.blocks * BLOCK
    if layer.geometry != 0:
        convolve(
            np.int32(0), drive, scratch + layer.total, layer.geometry, layer.weight, layer.right,
            layer.left, lists, lo, hi,
        )  # fmt: skip
    else:
        deliver(
            False, layer.blocks, drive, drive, layer.weight, layer.factor, layer.offset, layer.left,
            layer.right, lists, lo, hi,
        )  # fmt: skip
    if layer.late != 0:
        hold_back(
            np.int32(0), drive, layer.late, scratch + layer.future, layer.slots, layer.n, width,
            step,
        )  # fmt: skip


@njit
def deliver_recurrent(layer, scratch, lists, lo, hi, step):
    """Add to the drives of a narrow layer what its recurrent synapses deliver, with delays."""
    drive, other = scratch + layer.drive, scratch + layer.recurrent_drive
    deliver(
        False, layer.blocks, other, other, layer.recurrent_weight, layer.recurrent_factor,
        layer.recurrent_offset, layer.recurrent_left, layer.recurrent_right, lists, lo, hi,
    )  # fmt: skip
    width = layer.blocks * BLOCK
    if layer.recurrent_late != 0:
        hold_back(
            np.int32(0), other, layer.recurrent_late, scratch + layer.recurrent_future,
            layer.recurrent_slots, layer.n, width, step,
        )  # fmt: skip
    _add(drive, other, width)
