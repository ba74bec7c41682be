"""From dense inputs to event lists, checked on the way.

A list holds sources as int32 and, where inputs are graded, their values next to them; ``starts``
says where each step's events begin.
"""

# Compiled functions take their arguments by position; intrinsics get a typing context.
# ruff: noqa: ARG001, PLR0917
# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from ..export.network import Network, check_inputs
from .programs import append
from .rows import BLOCK
from .vectors import (
    INT8,
    INT32,
    LANES,
    bits_of,
    constant,
    element,
    get_int32,
    get_uint8,
    int_vector,
    load_at,
    lowest_bit,
    put_int32,
    put_int64,
)

_WIDENED = {"i1", "i2", "u2"}


def dense_inputs(network: Network, inputs: npt.ArrayLike) -> tuple[npt.NDArray[Any], int]:
    """Return inputs (batch, time, channel) as the kernels read them, and their largest magnitude.

    Binary inputs of one byte come back as uint8, others as int32; the
    kernel checks whether those are 0 or 1, since it reads them all anyway. Graded inputs are int32
    and checked.

    Raises
    ------
    InputError
        Not three axes, another number of channels, values that are not whole numbers or out of
        range.
    """
    array = np.asarray(inputs)
    kind = array.dtype.str[1:]
    if array.ndim != 3 or array.shape[2] != network.input_size:
        check_inputs(network, array)
    if network.message_bits == 0:
        if kind == "b1":
            array = array.view(np.uint8)
        elif kind in _WIDENED:
            array = array.astype(np.int32)
        elif kind not in {"u1", "i4"}:
            array = check_inputs(network, array)
        return np.ascontiguousarray(array), 1
    if kind in {"u1", *_WIDENED}:
        array = array.astype(np.int32)
    elif kind != "i4":
        array = check_inputs(network, array)
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    limit = (1 << network.message_bits) - 1
    if high > limit or low < -limit:
        check_inputs(network, array)
    return np.ascontiguousarray(array), max(high, -low, 1)


def _make_bits(kind: Any, lanes: int, mask: int) -> Any:
    """Make the mask of elements from ``index`` on that have one of the bits of ``mask``."""
    vector = int_vector(kind.width, lanes)

    @intrinsic
    def bits(typing, address, index):
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x = load_at(builder, element(builder, args[0], args[1], kind), vector, kind.width // 8)
            x = builder.and_(x, constant(vector, mask))
            return bits_of(builder, builder.icmp_unsigned("!=", x, ir.Constant(vector, None)))

        return types.int64(types.int64, types.int64), codegen

    return bits


_byte_bits, _large_bytes = (_make_bits(INT8, BLOCK, mask) for mask in (0xFF, 0xFE))
_word_bits, _large_words = (_make_bits(INT32, LANES, mask) for mask in (0xFFFFFFFF, 0xFFFFFFFE))


@njit(inline="always")
def _list_bytes(x, base, channels, end, sources, at):
    """List one step of uint8 inputs; return the end of the list, and 0 if all are 0 or 1."""
    wrong, c = np.int64(0), np.int64(0)
    while c + BLOCK <= channels:
        wrong |= _large_bytes(x, base + c)
        at = append(_byte_bits(x, base + c), c, sources, at)
        c += BLOCK
    if c < channels and base + c + BLOCK <= end:
        # What follows the row is read with it and masked out.
        row = (1 << (channels - c)) - 1
        wrong |= _large_bytes(x, base + c) & row
        at = append(_byte_bits(x, base + c) & row, c, sources, at)
        return at, wrong
    while c < channels:
        value = get_uint8(x, base + c)
        wrong |= value & -2
        put_int32(sources, at, c)
        at += value != 0
        c += 1
    return at, wrong


@njit(inline="always")
def _list_words(x, base, channels, end, sources, at):
    """List one step of int32 inputs as ``_list_bytes`` does."""
    wrong, c = np.int64(0), np.int64(0)
    while c + LANES <= channels:
        wrong |= _large_words(x, base + c)
        at = append(_word_bits(x, base + c), c, sources, at)
        c += LANES
    if c < channels and base + c + LANES <= end:
        row = (1 << (channels - c)) - 1
        wrong |= _large_words(x, base + c) & row
        at = append(_word_bits(x, base + c) & row, c, sources, at)
        return at, wrong
    while c < channels:
        value = get_int32(x, base + c)
        wrong |= value & -2
        put_int32(sources, at, c)
        at += value != 0
        c += 1
    return at, wrong


@njit(inline="always")
def _list_graded(x, base, channels, end, sources, values, at):
    """List one step of graded int32 inputs with their values; return the end of the list."""
    c = np.int64(0)
    while c < channels and base + c + LANES <= end:
        rest = _word_bits(x, base + c)
        if c + LANES > channels:
            rest &= (1 << (channels - c)) - 1
        while rest != 0:
            channel = c + lowest_bit(rest)
            put_int32(sources, at, channel)
            put_int32(values, at, get_int32(x, base + channel))
            rest &= rest - 1
            at += 1
        c += LANES
    while c < channels:
        value = get_int32(x, base + c)
        put_int32(sources, at, c)
        put_int32(values, at, value)
        at += value != 0
        c += 1
    return at


@njit
def list_inputs(x, size, base, steps, channels, end, sources, values, starts):
    """List the events of ``steps`` rows from element ``base`` on; return 0 if all is in range.

    ``x`` is the address of C-contiguous inputs of ``end`` elements, uint8 or int32 by their
    ``size`` in bytes. They are graded, and in range, unless ``values`` is 0. ``starts`` int64 gets
    the end of each step's events from place 2 on; places 0 and 1 are set by the caller.
    """
    at, wrong = np.int64(0), np.int64(0)
    for t in range(steps):
        row = base + t * channels
        found = 0
        if values != 0:
            at = _list_graded(x, row, channels, end, sources, values, at)
        elif size == 1:
            at, found = _list_bytes(x, row, channels, end, sources, at)
        else:
            at, found = _list_words(x, row, channels, end, sources, at)
        wrong |= found
        put_int64(starts, t + 2, at)
    return wrong


@njit
def check_binary(x, size, base, count):
    """Return 0 if ``count`` elements from ``base`` on are 0 or 1."""
    wrong, c = 0, 0
    lanes = BLOCK if size == 1 else LANES
    while c + lanes <= count:
        wrong |= _large_bytes(x, base + c) if size == 1 else _large_words(x, base + c)
        c += lanes
    while c < count:
        wrong |= (get_uint8(x, base + c) if size == 1 else get_int32(x, base + c)) & -2
        c += 1
    return wrong
