from __future__ import annotations

import numpy as np
import pytest
from srnn.tasks import DataError, Split, Task, batches
from srnn.tasks.pixels import PixelWindows, window_index


def streaming(n: int = 5, steps: int = 7, channels: int = 3) -> Split:
    rng = np.random.default_rng(1)
    return Split(
        rng.integers(0, 2, (n, steps, channels), dtype=np.uint8),
        rng.integers(0, 4, (n, steps)),
        rng.integers(2, steps + 1, n),
        rng.integers(0, 2, (n, steps)).astype(bool),
    )


def test_take_and_batches_keep_every_field() -> None:
    split = streaming()
    order = [4, 0, 2]
    parts = list(batches(split, 2, order))
    assert [len(part) for part in parts] == [2, 1]
    for name in ("inputs", "targets", "lengths", "valid"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(joined, getattr(split, name)[order])
    assert sum(len(part) for part in batches(split, 2)) == len(split)
    parts[0].inputs[:] = 9
    assert split.inputs.max() == 1


def test_split_counts_steps_with_and_without_lengths() -> None:
    split = streaming()
    assert np.array_equal(split.step_counts(), split.lengths)
    assert Split(split.inputs, split.targets).step_counts().tolist() == [7] * 5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inputs": np.zeros((5, 7), np.uint8)}, "shape (5, 7)"),
        ({"inputs": np.zeros((5, 7, 3))}, "float64"),
        ({"inputs": np.zeros((5, 7, 3), np.int64)}, "int64"),
        ({"targets": np.zeros((5, 6), int)}, "(5, 6)"),
        ({"targets": np.full((5, 7), -1)}, "-1 is below 0"),
        ({"lengths": np.array([0, 1, 1, 1, 1])}, "outside 1..7"),
        ({"lengths": np.array([8, 1, 1, 1, 1])}, "outside 1..7"),
        ({"lengths": np.ones(4, int)}, "(4,)"),
        ({"valid": np.ones((5, 7), np.uint8)}, "valid uint8"),
        ({"targets": np.zeros(5, int)}, "one target per step"),
    ],
)
def test_split_refuses(change: dict, said: str) -> None:
    good = streaming()
    fields = {name: getattr(good, name) for name in ("inputs", "targets", "lengths", "valid")}
    with pytest.raises(DataError) as raised:
        Split(**{**fields, **change})
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"classes": ("a", "b")}, "there are 2 classes"),
        ({"skip_steps": 7}, "skip_steps 7"),
        ({"message_bits": 25}, "outside 0..24"),
        ({"input_scale": 0.0}, "must be above 0"),
        ({"dt": -1.0}, "must be above 0"),
        ({"test": streaming(channels=2)}, "test split: channels"),
        ({"validation": streaming().take([])}, "validation split: holds no sequence"),
    ],
)
def test_task_refuses(change: dict, said: str) -> None:
    fields = {
        "name": "mine",
        "train": streaming(),
        "validation": streaming(),
        "test": streaming(),
        "classes": ("a", "b", "c", "d"),
    }
    with pytest.raises(DataError) as raised:
        Task(**{**fields, **change})
    assert said in str(raised.value)


def test_batches_refuse_a_size_of_zero() -> None:
    with pytest.raises(DataError, match="size 0"):
        list(batches(streaming(), 0))


def test_windows_repeat_the_final_one() -> None:
    index = window_index(784, 8)
    assert index.shape == (784, 8)
    assert index[0].tolist() == list(range(8))
    assert index[776].tolist() == list(range(776, 784))
    assert (index[776:] == index[776]).all()
    with pytest.raises(DataError, match=r"outside 1\.\.784"):
        window_index(784, 785)


def test_pixel_windows_index_like_the_array_they_stand_for() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 10), dtype=np.uint8)
    lazy = PixelWindows(pixels, 4)
    whole = pixels[:, window_index(10, 4)]
    assert lazy.shape == whole.shape
    assert lazy.ndim == 3
    assert lazy.dtype == np.uint8
    assert np.array_equal(np.asarray(lazy), whole)
    assert np.array_equal(list(lazy), whole)
    for key in (2, [5, 1], slice(1, 4), (3, 2), (slice(0, 2), slice(None), 1), (2, 3, 1)):
        assert np.array_equal(lazy[key], whole[key]), key
    taken = Split(lazy, np.zeros(6, int)).take([3, 3])
    assert isinstance(taken.inputs, np.ndarray)
    assert np.array_equal(taken.inputs, whole[[3, 3]])
