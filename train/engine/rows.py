"""The three loops that hold all multiplications of the engine, as vector code.

- ``product``: ``out += A B``, a register-blocked product of a few rows with a matrix;
  ``product_panels``: the same for a matrix in the layout of panels.
- ``gather``: ``out += sum of rows of B``, the rows and their factors from an event list.
- ``scatter``: rows of B ``+= factor * d``, the rows from an event list.

``product`` and ``gather`` add the terms of one sum in the order of B's rows, one rounding each.
Both give the same bits, so the choice between them affects only speed.

Arrays are C-contiguous float32 or addresses of such, offsets and strides count elements, widths are
multiples of ``LANES``.
"""

# Compiled functions take their arguments by position; intrinsics get a typing context.
# ruff: noqa: ARG001, PLR0917

# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .simd import INT32, LANES, VECTOR, emit_fma, load_vector, pointer, splat_vector, store_vector

_INT = types.intp


def _vectors(builder: Any, address: Any, count: int) -> list[Any]:
    step = ir.IntType(64)
    return [builder.gep(address, [step(v * LANES)]) for v in range(count)]


def _accumulators(builder: Any, addresses: list[Any]) -> list[Any]:
    slots = []
    for address in addresses:
        slot = cgutils.alloca_once(builder, VECTOR)
        builder.store(load_vector(builder, address), slot)
        slots.append(slot)
    return slots


def _make_tile(rows: int, vectors: int) -> Any:
    """Make ``out[r, :w] += sum_k a[r, k] b[k, :w]`` for ``rows`` rows and ``vectors`` vectors."""

    @intrinsic
    def tile(typing, out, o, o_row, a, i, a_row, a_col, b, j, b_row, count):
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            out, o, o_row, a, i, a_row, a_col, b, j, b_row, count = args
            kinds = signature.args
            targets = []
            for r in range(rows):
                at = builder.add(o, builder.mul(o_row, o_row.type(r)))
                targets += _vectors(builder, pointer(context, builder, kinds[0], out, at), vectors)
            slots = _accumulators(builder, targets)
            starts = []
            for r in range(rows):
                at = builder.add(i, builder.mul(a_row, a_row.type(r)))
                starts.append(pointer(context, builder, kinds[3], a, at))
            first = pointer(context, builder, kinds[7], b, j)
            with cgutils.for_range(builder, count) as loop:
                line = builder.gep(first, [builder.mul(loop.index, b_row)])
                lines = [load_vector(builder, x) for x in _vectors(builder, line, vectors)]
                offset = builder.mul(loop.index, a_col)
                for r in range(rows):
                    factor = splat_vector(builder, builder.load(builder.gep(starts[r], [offset])))
                    for v in range(vectors):
                        slot = slots[r * vectors + v]
                        builder.store(emit_fma(builder, factor, lines[v], builder.load(slot)), slot)
            for slot, target in zip(slots, targets, strict=True):
                store_vector(builder, builder.load(slot), target)
            return context.get_dummy_value()

        signature = types.void(out, _INT, _INT, a, _INT, _INT, _INT, b, _INT, _INT, _INT)
        return signature, codegen

    return tile


def _make_gather(vectors: int, graded: bool) -> Any:
    """Make ``out[:w] += sum_k value_k b[index_k, :w]``."""

    @intrinsic
    def gather(typing, out, o, b, j, b_row, indices, values, start, end):
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            out, o, b, j, b_row, indices, values, start, end = args
            kinds = signature.args
            target = pointer(context, builder, kinds[0], out, o)
            targets = _vectors(builder, target, vectors)
            slots = _accumulators(builder, targets)
            first = pointer(context, builder, kinds[2], b, j)
            with cgutils.for_range(builder, builder.sub(end, start)) as loop:
                at = builder.add(start, loop.index)
                index = builder.load(pointer(context, builder, kinds[5], indices, at, INT32))
                row = builder.mul(builder.zext(index, b_row.type), b_row)
                line = _vectors(builder, builder.gep(first, [row]), vectors)
                if graded:
                    value = builder.load(pointer(context, builder, kinds[6], values, at))
                    factor = splat_vector(builder, value)
                for v in range(vectors):
                    term = load_vector(builder, line[v])
                    old = builder.load(slots[v])
                    new = (
                        emit_fma(builder, factor, term, old) if graded else builder.fadd(old, term)
                    )
                    builder.store(new, slots[v])
            for slot, target in zip(slots, targets, strict=True):
                store_vector(builder, builder.load(slot), target)
            return context.get_dummy_value()

        return types.void(out, _INT, b, _INT, _INT, indices, values, _INT, _INT), codegen

    return gather


def _make_scatter(vectors: int, graded: bool) -> Any:
    """Make ``b[index_k, :w] += value_k d[:w]``."""

    @intrinsic
    def scatter(typing, b, j, b_row, d, i, indices, values, start, end):
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            b, j, b_row, d, i, indices, values, start, end = args
            kinds = signature.args
            sources = _vectors(builder, pointer(context, builder, kinds[3], d, i), vectors)
            terms = [load_vector(builder, source) for source in sources]
            first = pointer(context, builder, kinds[0], b, j)
            with cgutils.for_range(builder, builder.sub(end, start)) as loop:
                at = builder.add(start, loop.index)
                index = builder.load(pointer(context, builder, kinds[5], indices, at, INT32))
                row = builder.mul(builder.zext(index, b_row.type), b_row)
                line = _vectors(builder, builder.gep(first, [row]), vectors)
                if graded:
                    value = builder.load(pointer(context, builder, kinds[6], values, at))
                    factor = splat_vector(builder, value)
                for v in range(vectors):
                    old = load_vector(builder, line[v])
                    new = (
                        emit_fma(builder, factor, terms[v], old)
                        if graded
                        else builder.fadd(old, terms[v])
                    )
                    store_vector(builder, new, line[v])
            return context.get_dummy_value()

        return types.void(b, _INT, _INT, d, _INT, indices, values, _INT, _INT), codegen

    return scatter


_tile_8_2, _tile_8_1 = _make_tile(8, 2), _make_tile(8, 1)
_tile_4_4, _tile_4_2, _tile_4_1 = (_make_tile(4, v) for v in (4, 2, 1))
_tile_1_4, _tile_1_2, _tile_1_1 = (_make_tile(1, v) for v in (4, 2, 1))
_gather_8, _gather_2, _gather_1 = (_make_gather(v, False) for v in (8, 2, 1))
_graded_8, _graded_2, _graded_1 = (_make_gather(v, True) for v in (8, 2, 1))
_scatter_8, _scatter_2, _scatter_1 = (_make_scatter(v, False) for v in (8, 2, 1))
_graded_scatter_8, _graded_scatter_2, _graded_scatter_1 = (
    _make_scatter(v, True) for v in (8, 2, 1)
)


@njit
def product(rows, out, o, o_row, a, i, a_row, a_col, b, j, b_row, width, count):
    """Add ``a b`` to ``out``: ``out[r, c] += sum_k a[r, k] b[k, c]``.

    ``rows`` is 1, 4 or a multiple of 8.
    Element (r, k) of a lies at ``i + r * a_row + k * a_col``, so a may be read transposed.
    """
    for r in range(0, rows, 8):
        c = 0
        if rows >= 8:
            here, there = o + r * o_row, i + r * a_row
            while c + 2 * LANES <= width:
                _tile_8_2(out, here + c, o_row, a, there, a_row, a_col, b, j + c, b_row, count)
                c += 2 * LANES
            while c < width:
                _tile_8_1(out, here + c, o_row, a, there, a_row, a_col, b, j + c, b_row, count)
                c += LANES
        elif rows == 4:
            while c + 4 * LANES <= width:
                _tile_4_4(out, o + c, o_row, a, i, a_row, a_col, b, j + c, b_row, count)
                c += 4 * LANES
            while c < width:
                _tile_4_1(out, o + c, o_row, a, i, a_row, a_col, b, j + c, b_row, count)
                c += LANES
        else:
            while c + 4 * LANES <= width:
                _tile_1_4(out, o + c, o_row, a, i, a_row, a_col, b, j + c, b_row, count)
                c += 4 * LANES
            while c < width:
                _tile_1_1(out, o + c, o_row, a, i, a_row, a_col, b, j + c, b_row, count)
                c += LANES


PANEL = 2 * LANES
"""Columns of a panel: a matrix (count, width) in panels is cut into (count, PANEL) side by side,
each contiguous, the last one possibly narrower."""


@njit
def product_panels(rows, out, o_row, a, a_row, b, width, count):
    """Add ``a b`` to ``out`` as ``product`` does, b (count, width) being in panels.

    The rows of a wide matrix lie pages apart; in panels they are read one after the other.
    """
    for c in range(0, width, PANEL):
        first = c * count
        whole = c + PANEL <= width
        # A panel of a wide matrix stays in the L2 cache for all rows.
        for r in range(0, rows, 8):
            here, there = r * o_row + c, r * a_row
            if whole:
                if rows >= 8:
                    _tile_8_2(out, here, o_row, a, there, a_row, 1, b, first, PANEL, count)
                elif rows == 4:
                    _tile_4_2(out, here, o_row, a, there, a_row, 1, b, first, PANEL, count)
                else:
                    _tile_1_2(out, here, o_row, a, there, a_row, 1, b, first, PANEL, count)
            elif rows >= 8:
                _tile_8_1(out, here, o_row, a, there, a_row, 1, b, first, LANES, count)
            elif rows == 4:
                _tile_4_1(out, here, o_row, a, there, a_row, 1, b, first, LANES, count)
            else:
                _tile_1_1(out, here, o_row, a, there, a_row, 1, b, first, LANES, count)


@njit
def gather(out, o, b, width, indices, values, graded, start, end):
    """Add rows of b (rows, width) to ``out``: of events ``start`` to ``end``, each times its value.

    All values are 1 unless ``graded``.
    """
    c = 0
    if not graded:
        while c + 8 * LANES <= width:
            _gather_8(out, o + c, b, c, width, indices, values, start, end)
            c += 8 * LANES
        while c + 2 * LANES <= width:
            _gather_2(out, o + c, b, c, width, indices, values, start, end)
            c += 2 * LANES
        while c < width:
            _gather_1(out, o + c, b, c, width, indices, values, start, end)
            c += LANES
    else:
        while c + 8 * LANES <= width:
            _graded_8(out, o + c, b, c, width, indices, values, start, end)
            c += 8 * LANES
        while c + 2 * LANES <= width:
            _graded_2(out, o + c, b, c, width, indices, values, start, end)
            c += 2 * LANES
        while c < width:
            _graded_1(out, o + c, b, c, width, indices, values, start, end)
            c += LANES


@njit
def scatter(b, width, d, i, indices, values, graded, start, end):
    """Add ``d`` to rows of b (rows, width): of events ``start`` to ``end``, times their values."""
    c = 0
    if not graded:
        while c + 8 * LANES <= width:
            _scatter_8(b, c, width, d, i + c, indices, values, start, end)
            c += 8 * LANES
        while c + 2 * LANES <= width:
            _scatter_2(b, c, width, d, i + c, indices, values, start, end)
            c += 2 * LANES
        while c < width:
            _scatter_1(b, c, width, d, i + c, indices, values, start, end)
            c += LANES
    else:
        while c + 8 * LANES <= width:
            _graded_scatter_8(b, c, width, d, i + c, indices, values, start, end)
            c += 8 * LANES
        while c + 2 * LANES <= width:
            _graded_scatter_2(b, c, width, d, i + c, indices, values, start, end)
            c += 2 * LANES
        while c < width:
            _graded_scatter_1(b, c, width, d, i + c, indices, values, start, end)
            c += LANES
