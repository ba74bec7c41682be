"""Comparing traces: every difference is counted, the first one is located."""

# pyright: reportArgumentType=false, reportGeneralTypeIssues=false

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from srnn.export.trace import LayerTrace, Mismatch, Trace, compare

SHAPE = (2, 4, 3)


def trace(spikes=0, states=("v",), shape=SHAPE, layers=1):
    def one():
        recorded = None if spikes is None else np.full(shape, spikes, np.uint8)
        return LayerTrace(recorded, {name: np.zeros(shape, np.int32) for name in states})

    return Trace(
        tuple(one() for _ in range(layers)), np.zeros(shape, np.int32), np.full(shape[0], shape[1])
    )


def test_equal_traces():
    assert compare(trace(layers=2), trace(layers=2)) == [
        Mismatch(layer, quantity, 24, 0, None) for layer in (0, 1) for quantity in ("spikes", "v")
    ]


@given(st.lists(st.tuples(*(st.integers(0, size - 1) for size in SHAPE)), min_size=1, unique=True))
def test_differences_are_counted_and_the_earliest_step_is_named(places):
    other = trace()
    for place in places:
        other.layers[0].states["v"][place] = 7
    spikes, states = compare(trace(), other)
    assert spikes.different == 0
    assert (states.compared, states.different) == (24, len(places))
    sample, step, neuron = states.first
    assert (sample, step, neuron) in places
    assert step == min(place[1] for place in places)


def test_only_what_both_recorded_is_compared():
    assert compare(trace(None), trace()) == [Mismatch(0, "v", 24, 0, None)]
    assert compare(trace(states=("v", "d")), trace(None, ("d",))) == [Mismatch(0, "d", 24, 0, None)]
    assert compare(trace(None, ()), trace()) == []


def test_traces_of_different_form_are_no_comparison():
    with pytest.raises(ValueError, match="traces of 1 and 2 layers"):
        compare(trace(), trace(layers=2))
    with pytest.raises(ValueError, match=r"layer 0, spikes: shapes \(2, 4, 3\) and \(2, 4, 2\)"):
        compare(trace(), trace(shape=(2, 4, 2)))
