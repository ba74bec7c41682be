"""Event lists: made, read back, refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from srnn.export.config import LayerConfig, ModelConfig
from srnn.export.errors import InputError
from srnn.train.engine import Events, SpikingSequence
from srnn.train.network import SRNN


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
        elements=st.sampled_from([0.0, 0.0, 0.0, 1.0, -2.5]),
    )
)
def test_dense_to_events_and_back(inputs):
    events = Events.from_dense(inputs)
    assert events.shape == inputs.shape
    assert len(events.sources) == np.count_nonzero(inputs)
    assert np.array_equal(events.to_dense(), inputs)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), batch=st.integers(1, 4), steps=st.integers(1, 5))
def test_lists_in_any_order(seed, batch, steps):
    rng = np.random.default_rng(seed)
    times, sources = [], []
    expected = np.zeros((batch, steps, 7), np.float32)
    for sample in range(batch):
        count = rng.integers(0, 9)
        times.append(rng.integers(0, steps, count))
        sources.append(rng.integers(0, 7, count).astype(np.int16))
        np.add.at(expected[sample], (times[-1], sources[-1]), 1)
    events = Events.from_lists(times, sources, steps, 7)
    assert np.array_equal(events.to_dense(), expected)


def test_a_layer_adds_up_two_events_of_one_channel():
    torch.manual_seed(0)
    layer = SpikingSequence(LayerConfig("alif", 6, recurrent=True), inputs=7)
    events = Events.from_lists([np.array([1, 1, 3])], [np.array([4, 4, 0])], 5, 7)
    listed, dense = layer(events), layer(torch.from_numpy(events.to_dense()))
    torch.testing.assert_close(listed.membranes, dense.membranes)


def test_a_network_reads_event_lists_with_the_engine_only():
    config = ModelConfig(7, (LayerConfig("alif", 6, recurrent=True), LayerConfig("li", 2)))
    inputs = (torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    events = Events.from_dense(inputs.numpy())
    model = SRNN(config, engine="events")
    assert torch.equal(model(events).output, model(inputs).output)
    with pytest.raises(InputError, match='need the engine "events"'):
        SRNN(config, engine="loop")(events)
    with pytest.raises(InputError, match="needs"):
        model(Events.from_dense(inputs[..., :4].numpy()))


def test_arrays_that_cannot_be_written_are_taken():
    starts, sources = np.array([[0, 1, 2]]), np.array([0, 1], np.int32)
    for array in (starts, sources):
        array.flags.writeable = False
    layer = SpikingSequence(LayerConfig("li", 2), inputs=2)
    assert layer(Events(starts, sources, 2)).spikes.shape == (1, 2, 2)


@pytest.mark.parametrize(
    ("starts", "sources", "values", "message"),
    [
        ([0, 1], [0], None, r"starts \(2,\) and sources \(1,\)"),
        ([[0]], [], None, "starts"),
        ([[0, 2, 1]], [0, 1], None, "must rise along time"),
        ([[0, 3]], [0, 1], None, "at most 2"),
        ([[-1, 1]], [0, 1], None, "must rise along time"),
        ([[0, 2]], [0, 3], None, "channels 0 to 3; there are 3, 0 to 2"),
        ([[0, 2]], [-1, 2], None, "channels -1 to 2"),
        ([[0, 2]], [0, 2], [1.0], r"\(1,\) values for \(2,\) events"),
    ],
)
def test_lists_that_do_not_fit(starts, sources, values, message):
    with pytest.raises(InputError, match=message):
        Events(np.array(starts), np.array(sources, np.int32), 3, values and np.array(values))


@pytest.mark.parametrize(
    ("times", "sources", "message"),
    [
        ([[0]], [], "1 lists of times, 0 of channels"),
        ([[0, 1]], [[0]], r"sample 0 has times \(2,\) and channels \(1,\)"),
        ([[0], [5]], [[0], [1]], "sample 1 has steps 5 to 5; there are 5, 0 to 4"),
        ([[-1]], [[0]], "steps -1"),
        ([[0]], [[4000000000]], "channels 4000000000"),
    ],
)
def test_lists_by_sample_that_do_not_fit(times, sources, message):
    with pytest.raises(InputError, match=message):
        Events.from_lists([np.array(t) for t in times], [np.array(s) for s in sources], 5, 3)
