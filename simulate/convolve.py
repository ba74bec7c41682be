"""Convolutions and delays per neuron inside the kernels, in both widths of ``vectors.py``.

A spike adds one line of weights for each tap of the kernel that it reaches: the weights of all
output channels at one output position, which are adjacent in memory, in the weights as in the
sums. Once per step the sums, stored by position, are turned into drives, stored by channel.

A delay of a neuron holds back all that its synapses deliver, so whole drives wait in a ring.
"""

# Compiled functions take their arguments by position; intrinsics get a typing context.
# ruff: noqa: ARG001, PLR0917
# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from typing import Any

from numba import njit, types
from numba.extending import intrinsic

from .vectors import (
    INT16,
    LANES,
    element,
    get_drive,
    get_int16,
    get_int32,
    get_int64,
    get_uint8,
    int_vector,
    kind_bits,
    load_at,
    put_drive,
    splat,
    store_at,
)

(
    GROUPS, SHARE, AREA, COLUMNS, OUT_SHARE, OUT_AREA, OUT_COLUMNS, TAPS_DOWN, TAPS_ALONG,
    TARGET_ROWS, TARGET_COLUMNS,
) = range(11)  # fmt: skip
"""Places in a convolution's geometry, int64.

``SHARE`` and ``OUT_SHARE``: channels of a group, in and out; ``AREA``: positions of a channel.
``TARGET_ROWS``, ``TARGET_COLUMNS``: addresses of int32 (rows, taps) and (columns, taps), the output
row or column that a source feeds through a tap, or -1. Weights are int16 (channel in, tap row, tap
column, channel out of the group); sums lie as (group, position, channel out of the group).
"""

GEOMETRY_LENGTH = TARGET_COLUMNS + 1


@intrinsic
def _add_vector(typing, kind, total, at, weight, line, value):
    """Add ``value`` times a vector of int16 from ``weight[line]`` on to the sums from ``at`` on."""
    bits = kind_bits(kind)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, total, at, weight, line, value = args
        wide = int_vector(bits)
        row = load_at(builder, element(builder, weight, line, INT16), int_vector(16), 2)
        scalar = value if bits == 64 else builder.trunc(value, wide.element)
        term = builder.mul(builder.sext(row, wide), splat(builder, scalar))
        where = element(builder, total, at, wide.element)
        store_at(builder, builder.add(load_at(builder, where, wide, 4), term), where, 4)
        return context.get_dummy_value()

    return types.void(kind, *[types.int64] * 5), codegen


@njit(forceinline=True)
def _add_line(kind, total, at, weight, line, count, value):
    i = 0
    while i + LANES <= count:
        _add_vector(kind, total, at + i, weight, line + i, value)
        i += LANES
    while i < count:
        added = get_drive(kind, total, at + i) + value * get_int16(weight, line + i)
        put_drive(kind, total, at + i, added)
        i += 1


@njit
def _add_events(kind, total, geometry, weight, lists, lo, hi):
    sources, values = lists
    share, area, columns = (
        get_int64(geometry, SHARE), get_int64(geometry, AREA), get_int64(geometry, COLUMNS),
    )  # fmt: skip
    out_share, out_area = get_int64(geometry, OUT_SHARE), get_int64(geometry, OUT_AREA)
    out_columns = get_int64(geometry, OUT_COLUMNS)
    down, along = get_int64(geometry, TAPS_DOWN), get_int64(geometry, TAPS_ALONG)
    rows_of, columns_of = get_int64(geometry, TARGET_ROWS), get_int64(geometry, TARGET_COLUMNS)
    for e in range(lo, hi):
        source = get_int32(sources, e)
        value = get_int32(values, e) if values != 0 else 1
        channel = source // area
        y = (source - channel * area) // columns
        x = source - channel * area - y * columns
        first = channel // share * out_area
        for r in range(down):
            row = get_int32(rows_of, y * down + r)
            if row < 0:
                continue
            for c in range(along):
                column = get_int32(columns_of, x * along + c)
                if column < 0:
                    continue
                at = (first + row * out_columns + column) * out_share
                line = ((channel * down + r) * along + c) * out_share
                _add_line(kind, total, at, weight, line, out_share, value)


@njit
def convolve(kind, drive, total, geometry, weight, right, left, lists, lo, hi):
    """Set the drives to the shifted sums of events ``lo`` to ``hi``.

    ``drive`` (n,) and ``total`` (n,) are as wide as ``kind``; ``total`` holds zeros before and
    after. ``lists``: addresses of the events' sources and values.
    """
    groups = get_int64(geometry, GROUPS)
    out_share, out_area = get_int64(geometry, OUT_SHARE), get_int64(geometry, OUT_AREA)
    if lo == hi:
        for i in range(groups * out_share * out_area):
            put_drive(kind, drive, i, 0)
        return
    _add_events(kind, total, geometry, weight, lists, lo, hi)
    i = 0
    for group in range(groups):
        first = group * out_area * out_share
        for channel in range(out_share):
            for position in range(out_area):
                at = first + position * out_share + channel
                put_drive(kind, drive, i, (get_drive(kind, total, at) >> right) << left)
                put_drive(kind, total, at, 0)
                i += 1


@njit
def hold_back(kind, drive, delay, future, slots, n, width, step):
    """Replace the drives of step ``step`` by those that are due.

    ``delay``: address of uint8 (n,); ``future``: of ``slots`` rows of ``width`` drives, at first 0;
    a delay is below ``slots``.
    """
    now = step % slots
    for i in range(n):
        put_drive(kind, future, now * width + i, get_drive(kind, drive, i))
        due = now - get_uint8(delay, i)
        due += slots if due < 0 else 0
        put_drive(kind, drive, i, get_drive(kind, future, due * width + i))
