"""Packed weights: codes and sums of rows against the products that they represent."""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from srnn.simulate import rows
from srnn.simulate.rows import BLOCK, ROWS, pack

SIGNS = ["both", "positive", "negative", "zero"]


@njit
def gathered(adds, drive, blocks, codes, sources, factor, offset):
    rows.gather(
        adds, drive.ctypes.data, blocks, codes.ctypes.data, sources.ctypes.data, 0, len(sources),
        factor, offset,
    )  # fmt: skip


@njit
def gathered_graded(adds, drive, blocks, codes, sources, values, factor, offset):
    rows.gather_graded(
        adds, drive.ctypes.data, blocks, codes.ctypes.data, sources.ctypes.data,
        values.ctypes.data, 0, len(sources), factor, offset,
    )  # fmt: skip


def draw_weight(rng: np.random.Generator, sign: str, shape: tuple[int, int]) -> np.ndarray:
    if sign == "both":
        weight = 2 * rng.integers(-128, 128, shape)
        weight[rng.random(shape) < 0.3] = -256
        weight[0, 0], weight[-1, -1] = 254, -256
        return weight if weight.size > 1 else np.array([[254]])
    limit = {"positive": 255, "negative": -255, "zero": 0}[sign]
    return np.where(rng.random(shape) < 0.3, limit, rng.integers(0, 256, shape) * np.sign(limit))


cases = st.tuples(
    st.integers(0, 2**32 - 1),
    st.sampled_from(SIGNS),
    st.one_of(
        st.integers(1, 9),
        st.builds(
            lambda blocks, d: max(blocks * BLOCK + d, 1),
            st.integers(1, 9),
            st.integers(-1, 1),
        ),
    ),
    st.one_of(st.integers(0, 40), st.sampled_from([ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 3])),
)


@settings(max_examples=150, deadline=None)
@given(cases, st.booleans(), st.sampled_from([1, 64, 8192]))
def test_a_sum_of_rows(case: tuple[int, str, int, int], adds: bool, unit: int) -> None:
    seed, sign, size, events = case
    rng = np.random.default_rng(seed)
    weight = draw_weight(rng, sign, (size, 50))
    codes, scale, offset = pack(weight)
    assert codes.shape == (50, -(-size // BLOCK) * BLOCK)
    sources = rng.integers(0, 50, events).astype(np.int32)
    before = rng.integers(-(2**20), 2**20, codes.shape[1]).astype(np.int32)
    drive = before.copy()
    gathered(adds, drive, codes.shape[1] // BLOCK, codes, sources, scale * unit, offset * unit)
    expected = np.zeros(codes.shape[1], np.int64)
    expected[:size] = weight[:, sources].sum(axis=1) * unit
    expected += before if adds else 0
    np.testing.assert_array_equal(drive, expected.astype(np.int32))


@settings(max_examples=100, deadline=None)
@given(cases, st.booleans(), st.sampled_from([1, 255, 2**15]))
def test_a_sum_of_rows_times_values(
    case: tuple[int, str, int, int], adds: bool, limit: int
) -> None:
    seed, sign, size, events = case
    rng = np.random.default_rng(seed)
    weight = draw_weight(rng, sign, (size, 50))
    codes, scale, offset = pack(weight)
    sources = rng.integers(0, 50, events).astype(np.int32)
    values = rng.integers(-limit, limit + 1, events).astype(np.int32)
    before = rng.integers(-(2**20), 2**20, codes.shape[1]).astype(np.int32)
    drive = before.copy()
    blocks = codes.shape[1] // BLOCK
    gathered_graded(adds, drive, blocks, codes, sources, values, scale, offset)
    expected = np.zeros(codes.shape[1], np.int64)
    expected[:size] = weight[:, sources] @ values
    expected += before if adds else 0
    np.testing.assert_array_equal(drive, expected.astype(np.int32))


@pytest.mark.parametrize("sign", SIGNS)
def test_codes_give_the_weights_back(sign: str) -> None:
    weight = draw_weight(np.random.default_rng(1), sign, (BLOCK + 3, 7))
    codes, scale, offset = pack(weight)
    for source in range(7):
        drive = np.zeros(2 * BLOCK, np.int32)
        gathered(False, drive, 2, codes, np.array([source], np.int32), scale, offset)
        np.testing.assert_array_equal(drive[: BLOCK + 3], weight[:, source])
        assert not drive[BLOCK + 3 :].any()


def test_weights_off_the_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="not all even"):
        pack(np.array([[-2, 3]]))
    for weight in ([[-258, 2]], [[-256, 256]], [[0, 256]], [[-256, -1]]):
        with pytest.raises(ValueError, match="8 bits"):
            pack(np.array(weight))
