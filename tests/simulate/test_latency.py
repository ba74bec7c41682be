"""Delays after changes of the label, and answers before the end of a sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_networks import random_inputs, random_network
from srnn.export.errors import InputError
from srnn.export.network import Readout
from srnn.export.readout import predictions, scores
from srnn.simulate.energy import Range
from srnn.simulate.latency import (
    NOT_FOUND,
    RunningAnswers,
    confident_exits,
    decision_latency,
    early_exit_curve,
    running_answers,
)
from srnn.simulate.simulator import run


def test_delays_by_hand() -> None:
    targets = np.array([[0, 0, 0, 1, 1, 1, 1, 2, 2, 0, 0, 0]])
    answers = np.array([[0, 0, 0, 0, 1, 0, 1, 1, 2, 1, 1, 2]])
    #                             new 1        new 2  new 0
    loose = decision_latency(answers, targets, hold=1)
    assert loose.delays.tolist() == [1, 1, NOT_FOUND]
    assert loose.labels.tolist() == [1, 2, 0]
    assert (loose.changes, loose.missed) == (3, 1)
    strict = decision_latency(answers, targets, hold=2)
    # One correct answer in a stretch of 4 does not last; nor does the last step of another.
    assert strict.delays.tolist() == [NOT_FOUND, NOT_FOUND, NOT_FOUND]
    assert strict.steps is None
    assert loose.steps is not None
    assert loose.steps.mean == 1.0
    written = loose.as_dict()
    assert written["by_label"]["0"] == {"changes": 1, "missed": 1, "delay_steps": None}
    assert written["hold_steps"] == 1


def test_right_at_once_is_no_delay_and_short_stretches_may_end() -> None:
    targets = np.array([[0, 0, 1, 2, 2, 2, 2]])
    found = decision_latency(targets, targets, hold=4)
    assert found.delays.tolist() == [0, 0]


def test_unlabelled_steps_and_ends_make_no_change() -> None:
    targets = np.array([[0, 0, 0, 1, 1, 1, 1, 1], [0, 1, 1, 1, 2, 2, 2, 2]])
    valid = np.ones_like(targets, bool)
    valid[0, 3] = False
    found = decision_latency(targets, targets, [8, 4], valid, hold=2)
    # Sample 0: an unlabelled step lies between 0 and 1. Sample 1: 2 comes after its end.
    assert found.labels.tolist() == [1]
    nothing = decision_latency(targets[:, :0], targets[:, :0])
    assert (nothing.changes, nothing.steps) == (0, None)


def test_delays_refuse_what_does_not_fit() -> None:
    with pytest.raises(InputError, match=r"predictions \(3,\), targets \(3,\)"):
        decision_latency([0, 1, 2], [0, 1, 2])
    with pytest.raises(InputError, match="hold: 0 is below 1"):
        decision_latency([[0]], [[0]], hold=0)
    with pytest.raises(InputError, match=r"lengths: shape \(2,\), needs \(1,\)"):
        decision_latency([[0]], [[0]], [1, 1])


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from(["mean_softmax", "spike_count", "last_membrane"]),
    st.sampled_from([0, 3]),
    st.sampled_from([0, 3]),
)
def test_running_answers_are_those_of_cut_samples(
    seed: int, kind: str, skip: int, populations: int
) -> None:
    last = "CUBA" if kind == "spike_count" else "SRNN_LI"
    network = random_network(seed, ["SRNN_ALIF", last], [12, 6], 9)
    network = replace(network, readout=Readout(kind, skip, populations=populations))
    inputs, lengths = random_inputs(seed, network, 4, 14), np.array([14, 9, 1, 14])
    inputs[np.arange(14) >= lengths[:, None]] = 0
    trace = run(network, inputs, lengths)
    found = running_answers(network, trace.output, trace.lengths)
    for steps in range(1, 15):
        cut = np.minimum(lengths, steps)
        expected = scores(network, trace.output[:, :steps], cut)
        chosen = found.predictions[:, steps - 1]
        # Sums in another order may choose another of two classes that are equal.
        reached = np.take_along_axis(expected, chosen[:, None], axis=1)[:, 0]
        np.testing.assert_allclose(reached, expected.max(axis=1), rtol=1e-9, atol=1e-12)
    assert (found.confidences >= 0).all()
    assert (found.confidences <= 1 + 1e-12).all()
    whole = predictions(network, trace.output, trace.lengths)
    targets = np.array([0, 1, 0, 1])
    curve = early_exit_curve(found, targets)
    assert curve.steps[0] == found.first + 1
    assert curve.accuracy[-1] == pytest.approx(np.mean(found.predictions[:, -1] == targets))
    if kind == "spike_count":
        assert np.array_equal(found.predictions[:, -1], whole)


def answers() -> RunningAnswers:
    return RunningAnswers(
        np.array([[1, 0, 0, 0], [1, 1, 2, 2], [2, 2, 2, 2]]),
        np.array([[0.4, 0.6, 0.8, 0.9], [0.7, 0.6, 0.6, 0.6], [0.3, 0.3, 0.3, 0.3]]),
        np.array([4, 4, 3]),
    )


def test_exits_by_hand() -> None:
    curve = early_exit_curve(answers(), [0, 2, 2])
    assert curve.steps.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(curve.accuracy, [1 / 3, 2 / 3, 1, 1])
    assert (curve.steps_to(0.6), curve.steps_to(1.0), curve.steps_to(1.1)) == (2, 3, None)
    assert curve.as_dict()["steps"] == [1, 2, 3, 4]
    early, late = confident_exits(answers(), [0, 2, 2], [0.6, 0.95])
    # Samples stop after 2, 1 and, never sure, 3 steps.
    assert early.mean_steps == 2.0
    assert early.accuracy == pytest.approx(2 / 3)
    assert early.stopped_early == pytest.approx(2 / 3)
    assert (late.mean_steps, late.accuracy, late.stopped_early) == (pytest.approx(11 / 3), 1.0, 0.0)
    assert early.joules(Range(2e-9, 1e-9, 3e-9)) == Range(4e-9, 2e-9, 6e-9)
    assert early.as_dict()["confidence"] == 0.6


def test_skipped_steps_have_no_answer() -> None:
    skipping = replace(answers(), first=2)
    assert early_exit_curve(skipping, [0, 2, 2]).steps.tolist() == [3, 4]
    (found,) = confident_exits(skipping, [0, 2, 2], [0.0])
    assert found.mean_steps == 3.0


def test_exits_refuse_what_does_not_fit() -> None:
    with pytest.raises(InputError, match=r"targets: shape \(2,\), needs one per sample, \(3,\)"):
        early_exit_curve(answers(), [0, 1])
    with pytest.raises(InputError, match="confidence: 2 is outside"):
        confident_exits(answers(), [0, 2, 2], [2])
    with pytest.raises(InputError, match="one has no step"):
        confident_exits(replace(answers(), lengths=np.array([4, 4, 0])), [0, 2, 2])
    network = random_network(1, ["SRNN_ALIF", "SRNN_LI"], [4, 3], 3)
    with pytest.raises(InputError, match="answers every step"):
        running_answers(network, np.zeros((1, 3, 3)))
