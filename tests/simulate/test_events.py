"""Event lists made of dense inputs."""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from srnn.simulate import events
from srnn.simulate.programs import LIST_SLACK


@njit
def listed(x, size, base, steps, channels, sources, values, graded, starts):
    return events.list_inputs(
        x.ctypes.data, size, base, steps, channels, x.size, sources.ctypes.data,
        values.ctypes.data if graded else np.int64(0), starts.ctypes.data,
    )  # fmt: skip


@njit
def checked(x, size, base, count):
    return events.check_binary(x.ctypes.data, size, base, count)


def lists_of(x: np.ndarray, first: int, graded: bool) -> tuple[int, list, list]:
    """Return what ``list_inputs`` answers, and each step's sources and values."""
    steps, channels = x.shape[0] - first, x.shape[1]
    room = steps * channels + LIST_SLACK
    sources, values = np.full(room, -1, np.int32), np.full(room, -1, np.int32)
    starts = np.zeros(steps + 2, np.int64)
    wrong = listed(
        x, x.itemsize, first * channels, steps, channels, sources, values, graded, starts
    )
    parts = [slice(starts[t + 1], starts[t + 2]) for t in range(steps)]
    return wrong, [sources[p].tolist() for p in parts], [values[p].tolist() for p in parts]


shapes = st.tuples(
    st.integers(1, 5),
    st.one_of(st.integers(1, 40), st.sampled_from([63, 64, 65, 127, 128, 129, 200, 700])),
)


@settings(max_examples=200, deadline=None)
@given(
    shapes,
    st.sampled_from([np.uint8, np.int32]),
    st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    st.integers(0, 2**32 - 1),
)
def test_binary_inputs(shape: tuple[int, int], dtype: type, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.random(shape) < density).astype(dtype)
    first = int(rng.integers(0, shape[0]))
    wrong, sources, _ = lists_of(x, first, False)
    assert wrong == 0
    assert sources == [np.flatnonzero(row).tolist() for row in x[first:]]


@settings(max_examples=100, deadline=None)
@given(shapes, st.sampled_from([0.0, 0.1, 1.0]), st.integers(0, 2**32 - 1))
def test_graded_inputs(shape: tuple[int, int], density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-(2**24) + 1, 2**24, shape) * (rng.random(shape) < density)
    x = x.astype(np.int32)
    _, sources, values = lists_of(x, 0, True)
    assert sources == [np.flatnonzero(row).tolist() for row in x]
    assert values == [row[row != 0].tolist() for row in x]


@pytest.mark.parametrize("channels", [1, 5, 64, 67, 150])
@pytest.mark.parametrize(
    ("dtype", "value"), [(np.uint8, 2), (np.uint8, 128), (np.int32, 256), (np.int32, -1)]
)
def test_every_forbidden_value_is_seen(channels: int, dtype: type, value: int) -> None:
    for step in range(2):
        for channel in range(channels):
            x = np.ones((2, channels), dtype)
            assert lists_of(x, 0, False)[0] == 0
            assert checked(x, x.itemsize, 0, x.size) == 0
            x[step, channel] = value
            assert lists_of(x, 0, False)[0] != 0
            assert (lists_of(x, 1, False)[0] != 0) == (step == 1)
            assert checked(x, x.itemsize, 0, x.size) != 0
            assert (checked(x, x.itemsize, channels, channels) != 0) == (step == 1)
