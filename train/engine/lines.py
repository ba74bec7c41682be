"""Rows of a block: cleared, copied between padded and packed arrays, and searched for events.

Arrays are addresses, offsets count elements (``simd.py``).
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917
# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

import numpy as np
from numba import njit

from .simd import (
    LANES,
    get_float,
    get_int32,
    get_int64,
    load,
    load_part,
    lowest_bit,
    nonzero_bits,
    put_float,
    put_int32,
    put_int64,
    splat,
    store,
    store_part,
)

DENSE_SHARE = 0.25
"""Share of active rows above which the product over all rows is faster; measured."""
FEW_CHANNELS = 16
"""Up to this many dense inputs are multiplied without looking for zeros."""


@njit
def clear(target, count):
    """Write zeros to whole vectors."""
    for c in range(0, count, LANES):
        store(target, c, splat(0.0))


@njit
def copy(target, o, source, i, count):
    """Copy ``count`` floats."""
    c = 0
    while c + LANES <= count:
        store(target, o + c, load(source, i + c))
        c += LANES
    if c < count:
        store_part(target, o + c, load_part(source, i + c, count - c), count - c)


@njit
def fill(target, o, source, i, count):
    """Copy ``count`` floats to a row that is padded to vectors; zeros follow them."""
    c = 0
    while c + LANES <= count:
        store(target, o + c, load(source, i + c))
        c += LANES
    if c < count:
        store(target, o + c, load_part(source, i + c, count - c))


@njit
def add(target, o, source, i, count):
    """Add ``count`` floats to a row that is padded to vectors."""
    c = 0
    while c + LANES <= count:
        store(target, o + c, load(target, o + c) + load(source, i + c))
        c += LANES
    if c < count:
        store(target, o + c, load(target, o + c) + load_part(source, i + c, count - c))


@njit
def list_bits(bits, first, words, found, o):
    """List the set bits of ``words`` words of 64 into ``found`` from ``o``; return how many."""
    count = o
    for word in range(words):
        rest = get_int64(bits, first + word)
        while rest != 0:
            put_int32(found, count, 64 * word + lowest_bit(rest))
            count += 1
            rest &= rest - 1
    return count - o


@njit
def count_fired(counts, o, found, i, count):
    """Add 1 to the counts from ``o`` on of ``count`` listed neurons."""
    for k in range(i, i + count):
        at = o + get_int32(found, k)
        put_float(counts, at, get_float(counts, at) + np.float32(1.0))


@njit
def list_nonzero(x, i, channels, found, values, o):
    """List the channels that are not 0 and their values; return how many."""
    count = o
    for c in range(0, channels, LANES):
        if c + LANES <= channels:
            rest = nonzero_bits(load(x, i + c))
        else:
            rest = nonzero_bits(load_part(x, i + c, channels - c))
        while rest != 0:
            channel = c + lowest_bit(rest)
            put_int32(found, count, channel)
            put_float(values, count, get_float(x, i + channel))
            count += 1
            rest &= rest - 1
    return count - o


@njit
def read_dense(x, base, stride, rows, channels, width, found, values, counts, line):
    """Read a step of a dense input: event lists per sample, or ``line`` if it is not sparse.

    Returns whether ``line`` was filled.
    """
    if channels > FEW_CHANNELS:
        total = 0
        for r in range(rows):
            count = list_nonzero(x, base + r * stride, channels, found, values, r * width)
            put_int64(counts, r, count)
            total += count
        if total <= DENSE_SHARE * rows * channels:
            return False
    for r in range(rows):
        fill(line, r * width, x, base + r * stride, channels)
    return True
