"""Packed weights of one byte each, and the sums of their rows.

Loihi's grid makes every matrix ``weight = scale code + offset`` with codes of 8 bits: scale 2 and
offset -256 where both signs occur, and all weights are even; scale 1 or -1 and offset 0 where only
one does. A row is one source's codes, so that an event adds one row:

    sum of weights = scale (sum of codes) + offset (number of events)

Codes are added two to a word: of a word ``odd 256 + even``, the words themselves and their upper
bytes are summed in 16 bits, wrapping, and the sum of the even codes is the first sum minus 256
times the second. That is exact for up to ``ROWS`` rows, needs no code to be
widened, and reads half as much memory as weights of 16 bits.

Rows are cut into blocks of ``BLOCK`` neurons, and the bytes of a block are placed so that the four
bytes of 32-bit word j are the neurons j of the block's four vectors: the sums come out as vectors.
"""

# Compiled functions take their arguments by position; intrinsics get a typing context.
# ruff: noqa: ARG001, PLR0917
# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .vectors import (
    INT8,
    INT32,
    INT64,
    LANES,
    constant,
    element,
    int_vector,
    load_at,
    splat,
    store_at,
)

BLOCK = 4 * LANES
"""Neurons of a block: bytes of a register. Layers are padded to a multiple of it."""

ROWS = 257
"""Number of rows that can be summed before 16 bits overflow: 257 * 255 = 2^16 - 1."""

_BYTE_TO_VECTOR = (0, 2, 1, 3)
"""The vector of the block to which each of the four bytes of a word belongs."""

_INT = types.int64


def pack(weight: npt.NDArray[np.integer[Any]]) -> tuple[npt.NDArray[np.uint8], int, int]:
    """Return the codes of weights (n_out, n_in), with scale and offset.

    ``codes`` uint8 (n_in, n), n padded to blocks by weights of 0.

    Raises
    ------
    ValueError
        Weights that are not on Loihi's grid.
    """
    low, high = int(weight.min(initial=0)), int(weight.max(initial=0))
    scale, offset = (2, -256) if low < 0 < high else (-1, 0) if low < 0 else (1, 0)
    if weight.size and low < 0 < high and (weight & 1).any():
        raise ValueError("weights of both signs are not all even")
    codes = (weight.T.astype(np.int64) - offset) // scale
    if codes.size and (codes.min() < 0 or codes.max() > 255):
        raise ValueError(f"weights {low}..{high} do not fit codes of 8 bits")
    rest = -weight.shape[0] % BLOCK
    padded = np.pad(codes, ((0, 0), (0, rest)), constant_values=-offset // scale)
    blocks = padded.reshape(weight.shape[1], -1, 4, LANES)[:, :, _BYTE_TO_VECTOR]
    placed = np.ascontiguousarray(blocks.swapaxes(2, 3), dtype=np.uint8)
    return placed.reshape(weight.shape[1], -1), scale, offset


def _halves(builder: Any, words: Any) -> tuple[Any, Any]:
    pairs = builder.bitcast(words, int_vector(32))
    low = builder.and_(pairs, constant(pairs.type, 0xFFFF))
    return low, builder.lshr(pairs, constant(pairs.type, 16))


def _slots(builder: Any, kind: Any, count: int) -> list[Any]:
    slots = [cgutils.alloca_once(builder, kind) for _ in range(count)]
    for slot in slots:
        builder.store(constant(kind, 0), slot)
    return slots


def _finish(
    builder: Any, sums: list[Any], drive: Any, index: Any, factor: Any, shift: Any, keep: Any
) -> None:
    """Emit ``drive = (drive & keep) + factor sums + shift``."""
    factors, shifts, keeps = (
        splat(builder, builder.trunc(x, INT32)) for x in (factor, shift, keep)
    )
    for v, total in enumerate(sums):
        at = builder.add(index, INT64(v * LANES))
        where = element(builder, drive, at, INT32)
        before = builder.and_(load_at(builder, where, int_vector(32), 4), keeps)
        value = builder.add(builder.mul(total, factors), builder.add(before, shifts))
        store_at(builder, value, where, 4)


def _line(builder: Any, weight: Any, row: Any, sources: Any, at: Any) -> Any:
    source = builder.zext(builder.load(element(builder, sources, at, INT32)), INT64)
    return element(builder, builder.add(weight, builder.mul(source, row)), INT64(0), INT8)


def _make_gather(blocks: int) -> Any:
    """Make the sum of rows over ``blocks`` blocks; up to ``ROWS`` events of value 1."""
    words = int_vector(16, 2 * LANES)
    eight = constant(words, 8)

    @intrinsic
    def gather(typing, keep, drive, index, weight, row, sources, start, stop, factor, shift):
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            keep, drive, index, weight, row, sources, start, stop, factor, shift = args
            whole, upper = _slots(builder, words, blocks), _slots(builder, words, blocks)
            with cgutils.for_range(builder, builder.sub(stop, start)) as loop:
                line = _line(builder, weight, row, sources, builder.add(start, loop.index))
                for b in range(blocks):
                    where = builder.gep(line, [INT64(b * BLOCK)], source_etype=INT8)
                    x = load_at(builder, where, words)
                    builder.store(builder.add(builder.load(whole[b]), x), whole[b])
                    high = builder.lshr(x, eight)
                    builder.store(builder.add(builder.load(upper[b]), high), upper[b])
            sums = []
            for b in range(blocks):
                odd = builder.load(upper[b])
                even = builder.sub(builder.load(whole[b]), builder.shl(odd, eight))
                sums += [*_halves(builder, even), *_halves(builder, odd)]
            _finish(builder, sums, drive, index, factor, shift, keep)
            return context.get_dummy_value()

        return types.void(*[_INT] * 10), codegen

    return gather


def _make_graded(blocks: int) -> Any:
    """Make the sum of rows times values over ``blocks`` blocks, modulo 2^32."""
    words = int_vector(32)

    @intrinsic
    def gather(
        typing, keep, drive, index, weight, row, sources, values, start, stop, factor, shift
    ):  # fmt: skip
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            keep, drive, index, weight, row, sources, values, start, stop, factor, shift = args
            slots = _slots(builder, words, 4 * blocks)
            count = cgutils.alloca_once(builder, INT32)
            builder.store(INT32(0), count)
            with cgutils.for_range(builder, builder.sub(stop, start)) as loop:
                at = builder.add(start, loop.index)
                line = _line(builder, weight, row, sources, at)
                value = builder.load(element(builder, values, at, INT32))
                builder.store(builder.add(builder.load(count), value), count)
                factors = splat(builder, value)
                for b in range(blocks):
                    where = builder.gep(line, [INT64(b * BLOCK)], source_etype=INT8)
                    x = load_at(builder, where, words)
                    for byte, vector in enumerate(_BYTE_TO_VECTOR):
                        code = builder.lshr(x, constant(words, 8 * byte))
                        code = builder.and_(code, constant(words, 0xFF))
                        slot = slots[4 * b + vector]
                        term = builder.mul(code, factors)
                        builder.store(builder.add(builder.load(slot), term), slot)
            total = builder.sext(builder.load(count), INT64)
            sums = [builder.load(slot) for slot in slots]
            _finish(builder, sums, drive, index, factor, builder.mul(shift, total), keep)
            return context.get_dummy_value()

        return types.void(*[_INT] * 11), codegen

    return gather


_gather_8, _gather_4, _gather_2, _gather_1 = (_make_gather(blocks) for blocks in (8, 4, 2, 1))
_graded_4, _graded_1 = _make_graded(4), _make_graded(1)


@njit
def gather(adds, drive, blocks, weight, sources, start, stop, factor, offset):
    """Sum the rows of events ``start`` to ``stop``: ``drive = factor codes + offset events``.

    ``drive`` int32 (n,), n of ``blocks`` blocks; ``weight`` codes (n_in, n); ``sources`` int32. The
    sum is added to ``drive`` if ``adds``; it is exact modulo 2^32.
    """
    row, keep = blocks * BLOCK, -1 if adds else 0
    while True:
        last = min(start + ROWS, stop)
        shift = offset * (last - start)
        c = 0
        while c + 8 * BLOCK <= row:
            _gather_8(keep, drive, c, weight + c, row, sources, start, last, factor, shift)
            c += 8 * BLOCK
        if c + 4 * BLOCK <= row:
            _gather_4(keep, drive, c, weight + c, row, sources, start, last, factor, shift)
            c += 4 * BLOCK
        if c + 2 * BLOCK <= row:
            _gather_2(keep, drive, c, weight + c, row, sources, start, last, factor, shift)
            c += 2 * BLOCK
        if c < row:
            _gather_1(keep, drive, c, weight + c, row, sources, start, last, factor, shift)
        if last == stop:
            return
        start, keep = last, -1


@njit
def gather_graded(adds, drive, blocks, weight, sources, values, start, stop, factor, offset):
    """Sum rows as ``gather`` does, each times its value, int32."""
    row, keep = blocks * BLOCK, -1 if adds else 0
    c = 0
    while c + 4 * BLOCK <= row:
        here = weight + c
        _graded_4(keep, drive, c, here, row, sources, values, start, stop, factor, offset)
        c += 4 * BLOCK
    while c < row:
        here = weight + c
        _graded_1(keep, drive, c, here, row, sources, values, start, stop, factor, offset)
        c += BLOCK
