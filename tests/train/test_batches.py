"""The inputs of a network: tensors or event lists, with the same values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from srnn.export.config import ModelConfig
from srnn.tasks import Split
from srnn.tasks.pixels import PixelWindows
from srnn.train import batches
from srnn.train.batches import Feed, epoch_order, make_batch, make_feed, steps_of, takes_events
from srnn.train.engine import Events
from srnn.train.event_table import EventTable, density
from srnn.train.loop import fit, make_optimizer
from srnn.train.network import SRNN
from srnn.train.recipe import TrainingConfig
from srnn.train.step import train_batch
from train_helpers import (
    layer,
    one_thread,  # noqa: F401  a fixture
    recipe,
    split,
    task,
)


def sparse(
    samples: int = 20, share: float = 0.1, graded: bool = False, seed: int = 0, steps: int = 9
) -> Split:
    rng = np.random.default_rng(seed)
    inputs = (rng.random((samples, steps, 5)) < share).astype(np.int16)
    if graded:
        inputs *= rng.integers(-300, 300, inputs.shape).astype(np.int16)
    return Split(inputs, rng.integers(0, 3, samples), rng.integers(4, steps + 1, samples))


def model(engine: str = "events", **settings: object) -> SRNN:
    torch.manual_seed(0)
    hidden = replace(layer("alif", 6, recurrent=True), **settings)
    return SRNN(ModelConfig(5, (hidden, layer("li", 3)), "mean_softmax"), engine)


@given(
    seed=st.integers(0, 1000),
    samples=st.integers(1, 12),
    share=st.sampled_from((0.0, 0.05, 0.6, 1.0)),
    graded=st.booleans(),
    block=st.integers(1, 5),
)
def test_a_table_gives_back_what_went_in(
    seed: int, samples: int, share: float, graded: bool, block: int
) -> None:
    data = sparse(samples, share, graded, seed)
    blocks = (data.inputs[first : first + block] for first in range(0, samples, block))
    table = EventTable.from_arrays(blocks, 0.037)
    chosen = np.random.default_rng(seed).integers(0, samples, 7)
    events = table.take(chosen)
    dense = make_batch(data, chosen, 0.037).inputs
    assert isinstance(dense, torch.Tensor)
    assert events.shape == tuple(dense.shape)
    np.testing.assert_array_equal(events.to_dense(), dense.numpy())
    assert len(events.sources) == np.count_nonzero(data.inputs[chosen])


def test_spikes_need_no_values() -> None:
    data = sparse()
    assert EventTable.from_arrays([data.inputs]).values is None
    assert EventTable.from_arrays([data.inputs], 0.5).values is not None
    assert EventTable.from_arrays([2 * data.inputs], 0.5).values is None


def test_density_is_measured_over_the_whole_split() -> None:
    late = np.zeros((1000, 4, 2), np.uint8)
    late[500:] = 1
    assert density(late) == pytest.approx(0.5, abs=0.01)
    assert density(late[:1]) == 0.0
    windows = PixelWindows(np.tile(np.arange(4, dtype=np.uint8), (3, 1)), 2)
    assert density(windows) == np.count_nonzero(windows[:]) / np.prod(windows.shape)


def test_what_takes_event_lists() -> None:
    assert takes_events(model(), "cpu")
    assert not takes_events(model(), "cuda")
    assert not takes_events(model("loop"), "cpu")
    assert not takes_events(model(bidirectional=True), "cpu")


def test_few_active_inputs_become_events_and_many_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = make_feed(sparse(share=0.1), model=model())
    assert feed.events
    assert feed.table is not None
    assert not make_feed(sparse(share=0.5), model=model()).events
    assert not make_feed(sparse(share=0.1), model=model("loop")).events
    assert not make_feed(sparse(share=0.1)).events
    monkeypatch.setattr(batches, "EVENTS_BYTES", 100)
    small = make_feed(sparse(share=0.1), 0.5, model=model())
    assert small.events
    assert small.table is None
    chosen = np.array([3, 0, 7])
    one, other = small.batch(chosen).inputs, make_feed(sparse(), 0.5, model=model()).batch(chosen)
    assert isinstance(one, Events)
    assert isinstance(other.inputs, Events)
    np.testing.assert_array_equal(one.to_dense(), other.inputs.to_dense())


@pytest.mark.parametrize("truncate", [0, 4])
@pytest.mark.parametrize("graded", [False, True])
def test_events_train_as_tensors_do(graded: bool, truncate: int) -> None:
    data = sparse(graded=graded)
    scale = 0.01 if graded else 1.0
    events = make_feed(data, scale, model=model())
    assert events.events
    found = []
    for feed in (events, Feed(data, scale)):
        network = model()
        training = TrainingConfig(truncate_steps=truncate, learning_rate=0.01)
        measured = train_batch(
            network, make_optimizer(network, training), feed.batch(np.arange(7)), training
        )
        found.append((network.weights(), measured))
    assert found[0][1] == found[1][1]
    for name, value in found[0][0].items():
        np.testing.assert_array_equal(value, found[1][0][name], err_msg=name)


def test_steps_of_events_are_those_of_tensors() -> None:
    data = sparse()
    feed = make_feed(data, model=model())
    whole = feed.batch(np.arange(5)).inputs
    dense = make_batch(data, np.arange(5), 1.0).inputs
    for start, stop in ((0, 4), (4, 8), (8, 12)):
        part, expected = steps_of(whole, start, stop), steps_of(dense, start, stop)
        assert isinstance(part, Events)
        assert isinstance(expected, torch.Tensor)
        np.testing.assert_array_equal(part.to_dense(), expected.numpy())


def test_a_split_in_order() -> None:
    feed = Feed(sparse(7))
    sizes = [len(batch.targets) for batch in feed.in_order(3)]
    assert sizes == [3, 3, 1]
    targets = torch.cat([batch.targets for batch in feed.in_order(2, 1, 6)])
    np.testing.assert_array_equal(targets.numpy(), feed.split.targets[1:6])
    assert list(feed.in_order(2, 3, 3)) == []


def test_an_epoch_has_every_sample_once_in_an_order_of_its_own() -> None:
    one, other = epoch_order(50, 3, 0), epoch_order(50, 3, 1)
    assert sorted(one) == sorted(other) == list(range(50))
    assert (one != other).any()
    np.testing.assert_array_equal(one, epoch_order(50, 3, 0))


@pytest.mark.parametrize("engine", ["events", "loop"])
def test_a_whole_run_on_sparse_inputs(tmp_path: Path, engine: str) -> None:
    def rare(part: Split) -> Split:
        assert isinstance(part.inputs, np.ndarray)
        keep = np.random.default_rng(0).random(part.inputs.shape) < 0.3
        return replace(part, inputs=part.inputs * keep.astype(np.uint8))

    data = replace(task(), train=rare(split(1, 24)), validation=rare(split(2, 10)))
    assert density(data.train.inputs) < batches.EVENTS_DENSITY
    _, state = fit(recipe(engine=engine), data, tmp_path)
    assert state.epoch == 2
    assert state.history[-1]["train_loss"] == pytest.approx(1.1, abs=0.3)
