from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from srnn.tasks import DataError
from srnn.tasks.splits import hold_out, hold_out_groups, seeded_permutation, split_by_fractions


def test_permutations_are_the_same_on_every_version() -> None:
    assert seeded_permutation(8, 0).tolist() == [6, 2, 1, 7, 3, 0, 5, 4]
    assert seeded_permutation(8, 1).tolist() != seeded_permutation(8, 0).tolist()
    with pytest.raises(DataError, match="seed: -1"):
        seeded_permutation(8, -1)


@given(st.integers(0, 2**32 - 1), st.integers(30, 90), st.integers(1, 4))
def test_parts_are_disjoint_whole_and_stratified(seed: int, n: int, classes: int) -> None:
    labels = np.random.default_rng(seed).integers(0, classes, n)
    parts = split_by_fractions(labels, (0.6, 0.2, 0.2), seed)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    for label in range(classes):
        members = int((labels == label).sum())
        for part, fraction in zip(parts, (0.6, 0.2, 0.2), strict=True):
            assert abs(int((labels[part] == label).sum()) - fraction * members) < 1 + 1e-9
        assert (labels[parts[0]] == label).any() or members == 0
    totals = np.array([len(part) for part in parts])
    assert (np.abs(totals - n * np.array([0.6, 0.2, 0.2])) <= 2).all()
    again = split_by_fractions(labels, (0.6, 0.2, 0.2), seed)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_hold_out_takes_the_end_of_the_shuffle() -> None:
    rest, held = hold_out(10, 3, 5)
    assert held.tolist() == sorted(seeded_permutation(10, 5)[-3:].tolist())
    assert sorted([*rest, *held]) == list(range(10))


@pytest.mark.parametrize("count", [0, 10, 11])
def test_hold_out_leaves_something_on_both_sides(count: int) -> None:
    with pytest.raises(DataError, match=r"needs 1\.\.9"):
        hold_out(10, count, 0)


def test_impossible_fractions_are_refused() -> None:
    labels = np.zeros(10, int)
    with pytest.raises(DataError, match="add up to 1"):
        split_by_fractions(labels, (0.6, 0.2), 0)
    with pytest.raises(DataError, match="add up to 1"):
        split_by_fractions(labels, (1.2, -0.2), 0)
    with pytest.raises(DataError, match="is empty"):
        split_by_fractions(labels[:2], (0.8, 0.1, 0.1), 0)


def test_small_classes_are_spread_over_the_parts() -> None:
    parts = split_by_fractions(np.arange(12) % 4, (0.5, 0.25, 0.25), 0)
    assert [len(part) for part in parts] == [6, 3, 3]
    singles = split_by_fractions(np.array([0] * 20 + [1, 2, 3]), (0.6, 0.2, 0.2), 0)
    assert {20, 21, 22} <= set(singles[0].tolist())


def test_whole_groups_are_held_out() -> None:
    groups = np.array([7, 3, 7, 5, 3, 9])
    seen = set()
    for seed in range(20):
        left, out = hold_out_groups(groups, 1, seed)
        assert sorted([*left, *out]) == list(range(6))
        assert len(set(groups[out])) == 1
        assert not set(groups[left]) & set(groups[out])
        seen.add(int(groups[out][0]))
    assert seen == {3, 5, 7, 9}
    assert len(set(groups[hold_out_groups(groups, 3, 0)[1]])) == 3
    for count in (0, 4):
        with pytest.raises(DataError, match=f"{count} of 4 groups"):
            hold_out_groups(groups, count, 0)
