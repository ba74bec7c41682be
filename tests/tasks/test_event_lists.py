from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from srnn.tasks import DataError, Split, batches
from srnn.tasks.event_lists import EventLists

DENSE = st.tuples(st.integers(0, 5), st.integers(1, 7), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.int16, shape, elements=st.sampled_from([0, 0, 0, 1, 1, -3, 300]))
)
BINARY = st.tuples(st.integers(0, 5), st.integers(1, 7), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 1]))
)


@given(st.one_of(DENSE, BINARY), st.data())
def test_they_stand_for_the_array(dense: np.ndarray, data: st.DataObject) -> None:
    lists = EventLists.from_dense(dense)
    assert lists.shape == dense.shape
    assert lists.ndim == 3
    assert len(lists) == len(dense)
    assert np.array_equal(np.asarray(lists), dense)
    assert (lists.values is None) == bool((dense[dense != 0] == 1).all())
    chosen = data.draw(st.lists(st.integers(0, max(len(dense) - 1, 0)), max_size=6))
    if len(dense):
        part = lists.take(chosen)
        assert np.array_equal(part.to_dense(), dense[np.array(chosen, dtype=int)])
        assert int(part.starts[-1, -1] if len(part) else 0) == len(part.sources)


@given(st.one_of(DENSE, BINARY), st.integers(0, 5))
def test_parts_are_joined(dense: np.ndarray, cut: int) -> None:
    whole = EventLists.from_dense(dense)
    parts = [whole.take(range(min(cut, len(dense)))), whole.take(range(cut, len(dense)))]
    joined = EventLists.joined(parts)
    assert np.array_equal(joined.starts, whole.starts)
    assert np.array_equal(joined.sources, whole.sources)
    assert np.array_equal(np.asarray(joined), dense)


def test_unlike_parts_are_refused() -> None:
    one, other = (EventLists.from_dense(np.ones((2, 3, n), np.uint8)) for n in (4, 5))
    graded = EventLists.from_dense(np.full((2, 3, 4), 7))
    for parts in ([], [one, other], [one, graded]):
        with pytest.raises(DataError, match="parts of other"):
            EventLists.joined(parts)


def test_they_index_like_the_array() -> None:
    dense = (np.random.default_rng(0).random((6, 10, 4)) < 0.2).astype(np.uint8)
    lists = EventLists.from_dense(dense)
    assert lists.dtype == np.uint8
    assert lists.sources.dtype == np.uint16
    assert np.array_equal(list(lists), dense)
    for key in (2, -1, [5, 1], slice(1, 4), (3, 2), (slice(0, 2), slice(None), 1), (2, 3, 1)):
        assert np.array_equal(lists[key], dense[key]), key
    assert np.asarray(lists, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="cannot be shared"):
        np.asarray(lists, copy=False)


def test_a_split_of_events_stays_sparse() -> None:
    dense = (np.random.default_rng(1).random((7, 10, 4)) < 0.2).astype(np.uint8)
    split = Split(EventLists.from_dense(dense), np.arange(7))
    assert (len(split), split.steps) == (7, 10)
    seen = []
    for part in batches(split, 3, [6, 0, 5, 1]):
        assert isinstance(part.inputs, EventLists)
        seen.append(np.asarray(part.inputs))
    assert np.array_equal(np.concatenate(seen), dense[[6, 0, 5, 1]])
    # 2 bytes per event and 8 per step, for any number of channels.
    wide = EventLists(np.zeros((100, 251), np.int64), np.zeros(0, np.uint16), 700)
    assert wide.starts.nbytes + wide.sources.nbytes < 100 * 250 * 700 / 80


@pytest.mark.parametrize(
    ("starts", "sources", "values", "said"),
    [
        ([0, 1], [0], None, "starts (2,)"),
        ([[0]], [], None, "starts (1, 1)"),
        ([[0, 2, 1]], [0], None, "must rise from 0 to 1"),
        ([[1, 1, 1]], [0], None, "must rise from 0 to 1"),
        ([[0, 1, 1]], [0, 1], None, "must rise from 0 to 2"),
        ([[0, 1, 1], [0, 1, 1]], [0], None, "from where the one before it ends"),
        ([[0, 1, 2]], [0, 3], None, "channels 0 to 3 are outside 0..2"),
        ([[0, 1, 2]], [0, -1], None, "channels -1 to 0"),
        ([[0, 0, 2]], [1, 1], None, "event 1 does not"),
        ([[0, 2, 2]], [2, 1], None, "must ascend"),
        ([[0, 1, 2]], [2, 1], [1], "values int64 (1,)"),
        ([[0, 1, 2]], [2, 1], [1.0, 2.0], "values float64"),
    ],
)
def test_lists_that_do_not_fit(starts: list, sources: list, values: list | None, said: str) -> None:
    with pytest.raises(DataError) as raised:
        EventLists(
            np.array(starts),
            np.array(sources, dtype=np.int64),
            3,
            None if values is None else np.array(values),
        )
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_no_sequences_and_no_channels() -> None:
    empty = EventLists(np.zeros((0, 5), np.int64), np.zeros(0, np.uint16), 3)
    assert np.asarray(empty).shape == (0, 4, 3)
    with pytest.raises(DataError, match="from 0 to 1"):
        EventLists(np.zeros((0, 5), np.int64), np.zeros(1, np.uint16), 3)
    with pytest.raises(DataError, match="0 channels"):
        EventLists(np.zeros((1, 2), np.int64), np.zeros(0, np.uint16), 0)
