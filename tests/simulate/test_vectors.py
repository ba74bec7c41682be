"""Arithmetic of the kernels' vectors, both widths, against the integer grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from srnn.export.grid import STATE_MAX, rtz, sat, wrap24
from srnn.simulate import vectors
from srnn.simulate.vectors import LANES

STATES = st.one_of(
    st.integers(-(2**31) + 1, 2**31 - 1),
    st.integers(-(2**23) - 2, 2**23 + 2),
    st.sampled_from(
        [s * ((1 << k) + d) for k in (12, 23, 24, 30) for d in (-1, 0, 1) for s in (1, -1)]
    ),
)
LINES = st.lists(STATES, min_size=LANES, max_size=LANES)


def unary(function):
    @njit
    def narrow(x, out):
        kind = np.int32(0)
        vectors.store(out.ctypes.data, 0, function(vectors.load(kind, x.ctypes.data, 0)))

    @njit
    def wide(x, out):
        kind = np.int64(0)
        vectors.store_drive(out.ctypes.data, 0, function(vectors.load(kind, x.ctypes.data, 0)))

    return narrow, wide


def binary(function):
    @njit
    def narrow(x, y, out):
        kind = np.int32(0)
        a, b = vectors.load(kind, x.ctypes.data, 0), vectors.load(kind, y.ctypes.data, 0)
        vectors.store(out.ctypes.data, 0, function(a, b))

    @njit
    def wide(x, y, out):
        kind = np.int64(0)
        a, b = vectors.load(kind, x.ctypes.data, 0), vectors.load(kind, y.ctypes.data, 0)
        vectors.store_drive(out.ctypes.data, 0, function(a, b))

    return narrow, wide


DECAYED, SATURATED, WRAPPED = (
    binary(vectors.decayed),
    unary(vectors.saturated),
    unary(vectors.wrapped),
)
MAGNITUDE_DECAYED = binary(vectors.decayed_magnitude)


def both(pair, *arguments: list[int]) -> tuple[list[int], list[int]]:
    arrays = [np.array(argument, np.int32) for argument in arguments]
    narrow, wide = np.zeros(LANES, np.int32), np.zeros(LANES, np.int64)
    pair[0](*arrays, narrow)
    pair[1](*arrays, wide)
    return narrow.tolist(), wide.tolist()


@given(LINES, st.lists(st.integers(0, 4096), min_size=LANES, max_size=LANES))
def test_decay_truncates_toward_zero(states: list[int], keep: list[int]) -> None:
    expected = rtz(np.array(states) * np.array(keep)).tolist()
    assert both(DECAYED, states, keep) == (expected, expected)
    sizes = np.abs(states)
    expected = rtz(sizes * np.array(keep)).tolist()
    assert both(MAGNITUDE_DECAYED, sizes.tolist(), keep) == (expected, expected)


@given(LINES)
def test_wide_decay_takes_a_negative_factor(states: list[int]) -> None:
    assert both(DECAYED, states, [-1] * LANES)[1] == rtz(-np.array(states)).tolist()


@given(LINES)
def test_saturation_and_wrap(states: list[int]) -> None:
    x = np.array(states)
    assert both(SATURATED, states) == (sat(x).tolist(),) * 2
    assert both(WRAPPED, states)[1] == wrap24(x).tolist()
    inside = np.clip(x, -(2**30), 2**30)
    assert both(WRAPPED, inside.tolist()) == (wrap24(inside).tolist(),) * 2


def test_the_ends_of_the_grid() -> None:
    ends = [2**23, -(2**23), 2**23 + 1, -(2**23) + 1, STATE_MAX, -STATE_MAX, 0, -1]
    line = (ends * 2)[:LANES]
    assert both(WRAPPED, line) == (wrap24(np.array(line)).tolist(),) * 2


@pytest.mark.parametrize("count", range(LANES + 1))
def test_a_part_of_a_vector_is_stored(count: int) -> None:
    @njit
    def copy(x, out, count):
        value = vectors.load(np.int32(0), x.ctypes.data, 0)
        vectors.store_part(out.ctypes.data, 0, value, count)

    out = np.full(LANES, -5, np.int32)
    copy(np.arange(LANES, dtype=np.int32), out, count)
    assert out.tolist() == [*range(count), *[-5] * (LANES - count)]
