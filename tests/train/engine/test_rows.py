"""The vector loops against NumPy, and against one another, bit for bit."""

# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from srnn.train.engine.memory import aligned
from srnn.train.engine.rows import PANEL, gather, product, product_panels, scatter
from srnn.train.engine.simd import (
    LANES,
    absolute,
    count_bits,
    exp,
    load,
    load_part,
    lowest_bit,
    nonzero_bits,
    positive_bits,
    store,
    store_part,
)

NONE = np.zeros(0, np.float32)


def normal(seed: int, *shape: int) -> np.ndarray:
    out = aligned(shape)
    out[:] = np.random.default_rng(seed).normal(size=shape)
    return out


@settings(max_examples=60, deadline=None)
@given(
    rows=st.sampled_from([1, 4, 8, 16]),
    vectors=st.integers(1, 11),
    count=st.integers(0, 40),
    transposed=st.booleans(),
    seed=st.integers(0, 9),
)
def test_product(rows, vectors, count, transposed, seed):
    width = vectors * LANES
    a, b, out = normal(seed, rows, count), normal(seed + 1, count, width), normal(2, rows, width)
    expected = out.astype(float) + a.astype(float) @ b
    kept = np.ascontiguousarray(a.T) if transposed else a
    strides = (1, rows) if transposed else (count, 1)
    product(rows, out.reshape(-1), 0, width, kept, 0, *strides, b, 0, width, width, count)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.sampled_from([1, 4, 8, 16]),
    vectors=st.integers(1, 9),
    count=st.integers(1, 40),
    seed=st.integers(0, 9),
)
def test_a_product_in_panels_gives_the_same_bits(rows, vectors, count, seed):
    width = vectors * LANES
    a, b, out = normal(seed, rows, count), normal(seed + 1, count, width), normal(2, rows, width)
    expected = out.copy()
    product(rows, expected.reshape(-1), 0, width, a, 0, count, 1, b, 0, width, width, count)
    edges = [*range(0, width, PANEL), width]
    panels = [b[:, low:high].ravel() for low, high in pairwise(edges)]
    product_panels(rows, out.reshape(-1), width, a, count, np.concatenate(panels), width, count)
    np.testing.assert_array_equal(out, expected)


@settings(max_examples=60, deadline=None)
@given(
    vectors=st.integers(1, 19),
    rows=st.sampled_from([1, 4, 8]),
    seed=st.integers(0, 99),
    graded=st.booleans(),
)
def test_gather_gives_the_bits_of_the_product(vectors, rows, seed, graded):
    rng = np.random.default_rng(seed)
    width, count = vectors * LANES, 23
    active = rng.random((rows, count)) < 0.3
    values = rng.normal(size=active.shape) if graded else np.ones(active.shape)
    a = (active * values).astype(np.float32)
    b = normal(seed, count, width)
    dense, listed = aligned((rows, width)), aligned((rows, width))
    product(rows, dense.reshape(-1), 0, width, a, 0, count, 1, b, 0, width, width, count)
    for row in range(rows):
        indices = np.flatnonzero(a[row]).astype(np.int32)
        sizes = a[row, indices] if graded else NONE
        gather(listed.reshape(-1), row * width, b, width, indices, sizes, graded, 0, len(indices))
    assert np.array_equal(dense, listed)


@settings(max_examples=40, deadline=None)
@given(vectors=st.integers(1, 19), seed=st.integers(0, 99), graded=st.booleans())
def test_scatter(vectors, seed, graded):
    rng = np.random.default_rng(seed)
    width = vectors * LANES
    b, d = normal(seed, 17, width), normal(seed + 1, width)
    indices = rng.integers(0, 17, 25).astype(np.int32)
    values = rng.normal(size=25).astype(np.float32) if graded else NONE
    expected = b.astype(float)
    for k in range(5, 21):
        expected[indices[k]] += (values[k] if graded else 1.0) * d
    scatter(b, width, d, 0, indices, values, graded, 5, 21)
    np.testing.assert_allclose(b, expected, rtol=1e-4, atol=1e-5)


@njit
def _exp_all(x, out):
    for c in range(0, x.size, LANES):
        store(out, c, exp(load(x, c)))


def test_exp_is_exact_to_a_few_roundings():
    x = np.linspace(-86, 87, 100 * LANES).astype(np.float32)
    out = np.zeros_like(x)
    _exp_all(x, out)
    np.testing.assert_allclose(out, np.exp(x.astype(float)), rtol=3e-7)
    ends = np.full(LANES, -1e30, np.float32)
    _exp_all(ends, out)
    assert (out[:LANES] < 1e-37).all()


@njit
def _copy_part(x, i, out, o, count):
    store_part(out, o, absolute(load_part(x, i, count)), count)


@pytest.mark.parametrize("count", [0, 1, 7, LANES])
def test_parts_touch_nothing_beyond(count):
    x = -np.arange(1, 3 * LANES, dtype=np.float32)
    out = np.zeros(3 * LANES, np.float32)
    _copy_part(x, 2, out, 5, count)
    expected = np.zeros_like(out)
    expected[5 : 5 + count] = np.arange(3, 3 + count)
    assert np.array_equal(out, expected)


@njit
def _bits(x):
    positive, nonzero = positive_bits(load(x, 0)), nonzero_bits(load(x, 0))
    return positive, nonzero, count_bits(nonzero), lowest_bit(nonzero)


def test_bits():
    x = np.zeros(LANES, np.float32)
    x[[2, 5]] = [-1.0, 3.0]
    x[6] = -0.0
    x[7] = np.nan
    assert _bits(x) == (1 << 5, (1 << 2) | (1 << 5) | (1 << 7), 3, 2)
