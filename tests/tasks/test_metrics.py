from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from srnn.tasks import DataError, Split, accuracy, confusion


def naive(predictions: np.ndarray, split: Split, skip: int) -> tuple[list, list]:
    every, labelled = [], []
    lengths = [split.steps] * len(split) if split.lengths is None else split.lengths
    for n in range(len(split)):
        for t in range(skip, lengths[n]):
            pair = (int(split.targets[n, t]), int(predictions[n, t]))
            every.append(pair)
            if split.valid is None or split.valid[n, t]:
                labelled.append(pair)
    return every, labelled


@given(st.integers(0, 2**32 - 1), st.integers(0, 3), st.booleans(), st.booleans())
def test_metrics_equal_a_naive_loop(seed: int, skip: int, ragged: bool, partial: bool) -> None:
    rng = np.random.default_rng(seed)
    n, steps, classes = 4, 6, 3
    valid = rng.integers(0, 4, (n, steps)) > 0 if partial else None
    if valid is not None:
        valid[0, skip] = True
    targets = rng.integers(0, classes, (n, steps))
    split = Split(
        np.zeros((n, steps, 1), np.uint8),
        targets if valid is None else targets * valid,
        rng.integers(skip + 1, steps + 1, n) if ragged else None,
        valid,
    )
    predictions = rng.integers(0, classes, (n, steps))
    every, labelled = naive(predictions, split, skip)
    measured = accuracy(predictions, split, skip)
    assert measured["accuracy"] == pytest.approx(np.mean([a == b for a, b in every]))
    assert measured["accuracy_labelled"] == pytest.approx(np.mean([a == b for a, b in labelled]))
    table = np.zeros((classes, classes), int)
    for pair in labelled:
        table[pair] += 1
    assert np.array_equal(confusion(predictions, split, classes, skip), table)
    assert confusion(predictions, split, classes, skip, labelled_only=False).sum() == len(every)


def test_unlabelled_steps_count_as_class_0_in_the_published_metric() -> None:
    valid = np.array([[True, True, False, False]])
    split = Split(np.zeros((1, 4, 1), np.uint8), np.array([[1, 2, 0, 0]]), valid=valid)
    assert accuracy(np.array([[1, 1, 0, 1]]), split) == {
        "accuracy": 0.5,
        "accuracy_labelled": 0.5,
    }
    assert accuracy(np.array([[1, 2, 0, 1]]), split)["accuracy"] == 0.75
    assert accuracy(np.array([[1, 2, 0, 1]]), split)["accuracy_labelled"] == 1.0


def test_one_label_a_sequence() -> None:
    split = Split(np.zeros((4, 2, 1), np.uint8), np.array([0, 1, 2, 2]))
    predictions = np.array([0, 2, 2, 2])
    assert accuracy(predictions, split, skip_steps=1) == {"accuracy": 0.75}
    assert confusion(predictions, split, 3).tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 2]]


def test_what_cannot_be_scored_is_refused() -> None:
    split = Split(np.zeros((2, 3, 1), np.uint8), np.zeros((2, 3), int))
    with pytest.raises(DataError, match="needs class indices"):
        accuracy(np.zeros(2, int), split)
    with pytest.raises(DataError, match="needs class indices"):
        accuracy(np.zeros((2, 3)), split)
    with pytest.raises(DataError, match="no labelled step"):
        accuracy(np.zeros((2, 3), int), split, skip_steps=3)
    with pytest.raises(DataError, match=r"prediction: .*outside 0\.\.1"):
        confusion(np.full((2, 3), 2), split, 2)
