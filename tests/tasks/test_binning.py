from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from srnn.tasks import DataError
from srnn.tasks.binning import Binning

SPIKES = st.lists(st.tuples(st.floats(0, 1.375, width=16), st.integers(0, 11)), max_size=60).map(
    sorted
)


def published(times: np.ndarray, units: np.ndarray, dt: float, channels: int) -> np.ndarray:
    """The published rule, reimplemented: step i takes the remaining spikes with time <= i dt."""
    steps = int(1 / dt)
    image = np.zeros((steps, channels))
    left = np.ones(len(times), dtype=bool)
    for i in range(steps):
        now = left & (times <= i * dt)
        image[i, channels - units[now & (units > 0)].astype(int)] = 1
        left &= ~now
    return image


@given(SPIKES, st.sampled_from([0.004, 0.01, 0.025]))
def test_published_binning_is_the_published_rule(spikes: list, dt: float) -> None:
    times = np.array([t for t, _ in spikes], dtype=np.float16)
    units = np.array([u for _, u in spikes], dtype=np.uint16)
    rule = Binning("published", dt, int(1 / dt), channels=12)
    image = rule.collect([rule.codes(times, units)]).to_dense()[0]
    assert np.array_equal(image, published(times, units, dt, 12))
    assert not image[:, 0].any()


@given(SPIKES)
def test_even_binning_keeps_every_unit_and_its_place(spikes: list) -> None:
    times = np.array([t for t, _ in spikes], dtype=np.float16)
    units = np.array([u for _, u in spikes], dtype=np.uint16)
    rule = Binning("even", 0.004, 350, channels=12)
    image = rule.collect([rule.codes(times, units)]).to_dense()[0]
    wanted = np.zeros((350, 12))
    for t, u in zip(times.astype(float), units, strict=True):
        wanted[int(t / 0.004), u] = 1
    assert np.array_equal(image, wanted)


def test_what_the_published_rule_does_to_single_spikes() -> None:
    rule = Binning("published")
    times = np.array([0.0, 0.001, 0.0041, 0.994, 0.998, 0.5], dtype=np.float16)
    units = np.array([1, 699, 2, 3, 4, 0], dtype=np.uint16)
    # Unit 0 and spikes after 0.996 s are lost; all but those at time 0 come one step later.
    assert [divmod(code, 700) for code in rule.codes(times, units).tolist()] == [
        (0, 699),
        (1, 1),
        (2, 698),
        (249, 697),
    ]
    even = Binning("even")
    assert [divmod(code, 700) for code in even.codes(times, units).tolist()] == [
        (0, 1),
        (0, 699),
        (1, 2),
        (125, 0),
        (248, 3),
        (249, 4),
    ]


def test_edges_are_rounded_to_the_type_of_the_times() -> None:
    # 0.012 in float16 is 0.01200104, and a spike at exactly that time is not after step 3.
    time = np.array([0.012], dtype=np.float16)
    assert float(time[0]) > 3 * 0.004
    assert Binning("published").codes(time, np.array([1])).tolist() == [3 * 700 + 699]


@pytest.mark.parametrize(
    ("times", "units", "said"),
    [
        ([0.1, -0.1], [1, 2], "time -0.1"),
        ([0.1, np.nan], [1, 2], "time nan of spike 1"),
        ([np.inf], [1], "time inf"),
        ([0.1], [700], "unit 700 of spike 0 is outside 0..699"),
        ([0.1], [-1], "unit -1"),
        ([0.1], [1, 2], "do not fit together"),
        ([0.1], [1.5], "float64, needs floats, integers"),
    ],
)
def test_spikes_that_cannot_be(times: list, units: list, said: str) -> None:
    with pytest.raises(DataError) as raised:
        Binning().codes(np.array(times), np.array(units))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "evn"}, "unknown binning 'evn'; did you mean 'even'"),
        ({"dt": 0.0}, "dt: 0.0"),
        ({"dt": float("inf")}, "dt: inf"),
        ({"steps": 0}, "is below 1"),
        ({"channels": 0}, "is below 1"),
    ],
)
def test_rules_that_cannot_be(settings: dict, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Binning(**settings)
