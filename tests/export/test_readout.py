"""Readouts against loops over samples, steps and classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from srnn.export.network import (
    READOUTS,
    CubaLIF,
    Layer,
    LeakyIntegrator,
    Network,
    Readout,
    Synapses,
)
from srnn.export.readout import predictions, readout_scores, real_output, scores

SCALE = np.array([0.5, 0.25, 2.0])


def network(kind="membrane", skip=0):
    synapses = Synapses(np.full((3, 1), 2))
    spiking = CubaLIF(3, np.array(1), np.array(1), np.array(1))
    last = spiking if kind == "spike_count" else LeakyIntegrator(3, np.array(9))
    return Network((Layer("out", synapses, last, None, SCALE),), Readout(kind, skip))


def naive(kind, output, skip, length):
    """Return the scores of one sample (time, class)."""
    steps, classes = output.shape
    if kind == "membrane":
        return output.tolist()
    if kind == "last_membrane":
        return output[max(length - 1, 0)].tolist()
    total, counted = [0.0] * classes, 0
    for step in range(steps):
        if not skip <= step < length:
            continue
        counted += 1
        row = output[step].tolist()
        if kind == "mean_softmax":
            powers = [math.exp(value - max(row)) for value in row]
            row = [power / sum(powers) for power in powers]
        total = [a + b for a, b in zip(total, row, strict=True)]
    if kind == "mean_softmax":
        total = [value / max(counted, 1) for value in total]
    return total


@given(
    st.sampled_from(READOUTS),
    st.integers(0, 7),
    st.lists(st.integers(0, 6), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
)
def test_readouts_are_their_loops(kind, skip, lengths, seed):
    output = np.random.default_rng(seed).normal(0, 30, (len(lengths), 6, 3))
    found = readout_scores(kind, output, skip, np.array(lengths))
    for sample, length in enumerate(lengths):
        expected = naive(kind, output[sample], skip, length)
        assert found[sample] == pytest.approx(np.array(expected), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("kind", READOUTS)
def test_no_lengths_means_all_steps(kind):
    output = np.random.default_rng(1).normal(size=(3, 5, 4))
    full = readout_scores(kind, output, 2, np.full(3, 5))
    assert np.array_equal(readout_scores(kind, output, 2), full)


def test_softmax_of_large_membranes_is_finite():
    output = np.array([[[1e6, -1e6, 0.0], [0.0, 1e6, -1e6]]])
    assert readout_scores("mean_softmax", output).tolist() == [[0.5, 0.5, 0.0]]


def test_membranes_become_real_and_spikes_stay_counts():
    output = np.array([[[8, 8, 8], [0, 4, 1]]])
    assert real_output(network(), output).tolist() == [[[4.0, 2.0, 16.0], [0.0, 1.0, 2.0]]]
    assert real_output(network("spike_count"), output).tolist() == output.tolist()
    assert scores(network("spike_count", 1), output).tolist() == [[0, 4, 1]]


def test_predictions_are_scaled_first_and_shaped_by_the_readout():
    output = np.array([[[8, 12, 4], [8, 12, 2]], [[9, 1, 1], [0, 0, 1]]], np.int32)
    # In state units class 1 leads the first step; in real units it is class 2.
    assert predictions(network(), output).tolist() == [[2, 0], [0, 2]]
    assert predictions(network("last_membrane"), output).tolist() == [0, 2]
    assert predictions(network("last_membrane"), output, np.array([1, 1])).tolist() == [2, 0]
    assert predictions(network("mean_softmax"), output).shape == (2,)
