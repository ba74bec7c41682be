from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from srnn.export import compiling
from srnn.export.checkpoint import read_model
from srnn.export.errors import InputError
from srnn.export.kernel import Kernel, ready
from srnn.tasks import Split, Task
from srnn.train.batches import make_batch
from srnn.train.engine import function, losses
from srnn.train.evaluate import batch_loss, evaluate
from srnn.train.faults import DivergedError
from srnn.train.loop import fit, learning_rate, make_optimizer
from srnn.train.network import SRNN
from srnn.train.recipe import TrainingConfig
from srnn.train.run import CHECKPOINT, METRICS, MODEL
from srnn.train.step import optimizer_step, train_batch
from train_helpers import (
    direction,
    one_thread,  # noqa: F401  a fixture
    recipe,
    split,
    task,
)

READOUTS = ("membrane", "mean_softmax", "spike_count", "last_membrane")


def model_for(readout: str, data: Task, seed: int = 0) -> SRNN:
    torch.manual_seed(seed)
    return SRNN(recipe(readout).model.resolve(3, 3, data.skip_steps), "loop")


def one_batch(readout: str, truncate: int, **settings: Any) -> tuple[SRNN, dict[str, float], int]:
    """Train one batch; return the model, what was measured and the optimizer's steps."""
    data = task(per_step=readout == "membrane", **settings)
    training = TrainingConfig(truncate_steps=truncate, learning_rate=0.01)
    model = model_for(readout, data)
    optimizer = make_optimizer(model, training)
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    optimizer.register_step_post_hook(count)
    batch = make_batch(data.train, np.arange(16), data.input_scale)
    return model, train_batch(model, optimizer, batch, training).means(), steps


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("readout", READOUTS)
def test_chunks_as_long_as_the_sequence_are_whole_sequences(readout: str, ragged: bool) -> None:
    whole, measured, _ = one_batch(readout, 0, ragged=ragged)
    for truncate in (12, 13, 500):
        model, same, steps = one_batch(readout, truncate, ragged=ragged)
        assert steps == 1
        assert same == measured
        for name, value in model.weights().items():
            np.testing.assert_array_equal(value, whole.weights()[name], err_msg=name)


@pytest.mark.parametrize("skip_steps", [0, 5])
@pytest.mark.parametrize("readout", READOUTS)
def test_a_step_of_the_optimizer_for_every_chunk_that_counts(readout: str, skip_steps: int) -> None:
    for truncate in (1, 4, 5, 11):
        model, measured, steps = one_batch(readout, truncate, skip_steps=skip_steps, ragged=True)
        chunks = math.ceil(12 / truncate)
        silent = 0 if readout == "last_membrane" else skip_steps // truncate
        assert steps == chunks - silent
        assert all(math.isfinite(value) for value in measured.values())
        assert all(np.isfinite(value).all() for value in model.weights().values())


def test_truncated_gradients_end_at_the_chunk() -> None:
    whole, _, _ = one_batch("mean_softmax", 0)
    cut, _, _ = one_batch("mean_softmax", 6)
    assert not np.array_equal(whole.weights()["layers.0.weight"], cut.weights()["layers.0.weight"])


def test_measured_numbers_are_those_of_the_batch() -> None:
    data = task(per_step=True, ragged=True, skip_steps=2)
    model = model_for("membrane", data)
    batch = make_batch(data.train, np.arange(16), 1.0)
    with torch.no_grad():
        expected, _, scores = batch_loss(model, model(batch.inputs), batch, labelled_only=True)
    training = TrainingConfig(labelled_only=True)
    measured = train_batch(model, make_optimizer(model, training), batch, training).means()
    assert measured["loss"] == pytest.approx(float(expected), rel=1e-6)
    part = data.train.take(np.arange(16))
    counted = (np.arange(12) >= 2) & (np.arange(12) < part.step_counts()[:, None])
    right = scores.argmax(-1).numpy() == part.targets
    assert measured["accuracy"] == pytest.approx(right[counted].mean())


@pytest.mark.parametrize("limit", [0.0, 1e-3, 1e9])
def test_clipping_bounds_the_norm_of_the_whole_gradient(limit: float) -> None:
    data = task()
    model = model_for("mean_softmax", data)
    training = TrainingConfig(clip_gradient=limit)
    optimizer, norms = make_optimizer(model, training), []

    def measure(*_: object) -> None:
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        norms.append(float(torch.cat([g.ravel() for g in gradients]).norm()))

    optimizer.register_step_pre_hook(measure)
    batch = make_batch(data.train, np.arange(16), 1.0)
    train_batch(model, optimizer, batch, training)
    if limit == 1e-3:
        assert norms == [pytest.approx(limit, rel=1e-3)]
    else:
        assert norms[0] > 1e-2


def test_learning_rate_schedules() -> None:
    base = TrainingConfig(epochs=10, learning_rate=0.8)

    def rates(**settings: Any) -> list[float]:
        return [learning_rate(replace(base, **settings), epoch) for epoch in range(10)]

    assert rates() == [0.8] * 10
    steps = rates(schedule="step", schedule_epochs=4, schedule_factor=0.5)
    assert steps == pytest.approx([0.8] * 4 + [0.4] * 4 + [0.2] * 2)
    assert rates(schedule="linear") == pytest.approx([0.8 * (1 - e / 10) for e in range(10)])
    cosine = rates(schedule="cosine")
    assert (cosine[0], cosine[5]) == pytest.approx((0.8, 0.4))
    assert cosine == sorted(cosine, reverse=True)
    assert cosine[9] > 0


def test_time_constants_have_a_rate_of_their_own(tmp_path: Path) -> None:
    data = task()
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "adamax": torch.optim.Adamax}
    for name, kind in kinds.items():
        model = model_for("mean_softmax", data)
        optimizer = make_optimizer(model, TrainingConfig(optimizer=name, weight_decay=0.1))
        assert type(optimizer) is kind
        weights, tau = optimizer.param_groups
        assert (weights["weight_decay"], tau["weight_decay"]) == (0.1, 0.0)
        names = {id(p): n for n, p in model.named_parameters()}
        assert {names[id(p)].rsplit(".", 1)[1] for p in tau["params"]} == {
            "raw_tau_mem",
            "raw_tau_adp",
        }
        assert len(weights["params"]) + len(tau["params"]) == len(names)
    still = fit(recipe(tau_rate=0.0, learning_rate=0.05), data, tmp_path / "still")[0].weights()
    moved = fit(recipe(tau_rate=1.0, learning_rate=0.05), data, tmp_path / "moved")[0].weights()
    start = model_for("mean_softmax", data).weights()
    np.testing.assert_allclose(still["layers.0.tau_mem"], start["layers.0.tau_mem"], rtol=1e-5)
    assert np.abs(moved["layers.0.tau_mem"] / start["layers.0.tau_mem"] - 1).max() > 0.01


class Untouchable:
    """A test split that must not be read."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"the test split was asked for {name}")

    def __len__(self) -> int:
        raise AssertionError("the test split was asked for its length")


def test_validation_selects_and_the_test_split_is_not_touched(tmp_path: Path) -> None:
    data = task()
    object.__setattr__(data, "test", Untouchable())
    told: list[dict[str, float]] = []
    model, state = fit(recipe(epochs=6, learning_rate=0.05), data, tmp_path, on_epoch=told.append)
    assert told == state.history
    scores = [(row["validation_accuracy"], -row["validation_loss"]) for row in state.history]
    assert state.best_epoch == max(range(6), key=lambda epoch: scores[epoch])
    check = evaluate(model, data, data.validation)
    assert check.metrics["accuracy"] == state.best_accuracy
    stored = read_model(tmp_path / MODEL)
    assert stored.metrics["validation"]["accuracy"] == state.best_accuracy
    for name, value in state.best_weights.items():
        np.testing.assert_array_equal(stored.weights[name], value)
    np.testing.assert_array_equal(stored.samples["inputs"], data.validation.inputs[:4])


def test_it_learns(tmp_path: Path) -> None:
    data = replace(task(), train=split(1, 96), validation=split(2, 48))
    _, state = fit(recipe(epochs=12, learning_rate=0.03), data, tmp_path)
    assert state.history[0]["train_loss"] > 1.3 * state.history[-1]["train_loss"]
    assert state.best_accuracy > 0.7


def test_columns_of_the_metrics_and_tensorboard(tmp_path: Path) -> None:
    fit(recipe("membrane", epochs=2), task(per_step=True), tmp_path)
    with (tmp_path / METRICS).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "train_firing_rate",
        "validation_loss",
        "validation_accuracy",
        "validation_accuracy_labelled",
        "validation_firing_rate",
        "learning_rate",
        "seconds",
    ]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(float(value) >= 0 for row in rows for value in row.values())
    events = list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))
    assert len(events) == 1
    assert b"validation_accuracy" in events[0].read_bytes()


def test_compiling_is_not_part_of_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(compiling, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def slowly_ready(*kernels: Kernel) -> None:
        with compiling.untimed():
            now[0] += 40
            ready(*kernels)

    for module in (function, losses):
        monkeypatch.setattr(module, "ready", slowly_ready)
    _, state = fit(recipe("membrane", epochs=1), task(per_step=True), tmp_path)
    assert now[0] > 40
    assert state.history[0]["seconds"] == 0


@pytest.mark.parametrize(
    ("readout", "per_step", "said"),
    [
        ("membrane", False, "one label per sequence; choose mean_softmax or spike_count or last"),
        ("mean_softmax", True, "a label at every step; choose membrane"),
        ("last_membrane", True, "a label at every step; choose membrane"),
    ],
)
def test_a_readout_that_does_not_fit_the_labels(
    tmp_path: Path, readout: str, per_step: bool, said: str
) -> None:
    with pytest.raises(InputError) as raised:
        fit(recipe(readout), task(per_step=per_step), tmp_path)
    assert f"model.readout: {readout} does not fit task tiny" in str(raised.value)
    assert said in str(raised.value)


def test_a_second_direction_needs_whole_sequences(tmp_path: Path) -> None:
    one = recipe(truncate_steps=3)
    first = {**one.model.layers[0], "bidirectional": True}
    both = replace(one, model=replace(one.model, layers=(first, *one.model.layers[1:])))
    with pytest.raises(InputError, match="truncate_steps: a bidirectional layer needs whole"):
        fit(both, task(), tmp_path)


def poisoned(data: Task) -> Task:
    """The same task with a training input so large that the float model overflows."""
    inputs = np.full(data.train.inputs.shape, 2**31 - 1, dtype=np.int32)
    train = Split(inputs, data.train.targets)
    return replace(data, train=train, message_bits=24, input_scale=1e31)


def test_a_diverging_loss_stops_with_one_line(tmp_path: Path) -> None:
    data = task()
    fit(recipe(epochs=1), data, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.*") if path.is_file()}
    with pytest.raises(DivergedError) as raised:
        fit(recipe(epochs=3), poisoned(data), tmp_path, resume=True)
    line = str(raised.value)
    assert line.startswith("training: the gradient became nan in epoch 2, batch 1; it began in")
    assert "\n" not in line
    assert {path: path.read_bytes() for path in before} == before
    assert (tmp_path / CHECKPOINT) in before


def test_a_first_epoch_that_diverges_leaves_no_model(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="became nan in epoch 1, batch 1"):
        fit(recipe(), poisoned(task()), tmp_path)
    assert not (tmp_path / CHECKPOINT).exists()
    assert not (tmp_path / MODEL).exists()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_takes_no_step(value: float) -> None:
    model = model_for("mean_softmax", task())
    before = model.weights()
    loss = direction(model).bias.sum() * 0 + value
    with pytest.raises(FloatingPointError, match=f"the loss became {value}"):
        optimizer_step(model, make_optimizer(model, TrainingConfig()), loss, 0.0)
    for name, weight in model.weights().items():
        np.testing.assert_array_equal(weight, before[name])


def test_a_gradient_that_is_not_finite_stops_before_the_weights_are_lost() -> None:
    data = task()
    model = model_for("mean_softmax", data)
    training = TrainingConfig()
    optimizer = make_optimizer(model, training)
    batch = make_batch(data.train, np.arange(8), 1.0)
    handle = direction(model).weight.register_hook(lambda gradient: gradient * math.inf)
    before = model.weights()
    with pytest.raises(FloatingPointError, match="gradient became"):
        train_batch(model, optimizer, batch, training)
    handle.remove()
    for name, value in model.weights().items():
        np.testing.assert_array_equal(value, before[name])


def test_evaluation_does_not_depend_on_its_batches() -> None:
    data = task(ragged=True)
    model = model_for("mean_softmax", data)
    one, other = (evaluate(model, data, data.train, batch_size=size) for size in (24, 5))
    np.testing.assert_array_equal(one.predictions, other.predictions)
    assert one.loss == pytest.approx(other.loss, rel=1e-5)
    assert one.firing_rate == pytest.approx(other.firing_rate)
    batch = make_batch(data.train, np.arange(24), 1.0)
    spikes = model(batch.inputs).spikes[0].detach().numpy()
    running = np.arange(12) < data.train.step_counts()[:, None]
    assert one.layer_rates == (pytest.approx(spikes[running].mean()),)
