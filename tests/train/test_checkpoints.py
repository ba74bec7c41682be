"""How often a run writes its checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from srnn.train import run
from srnn.train.loop import fit, make_optimizer
from srnn.train.network import SRNN
from srnn.train.recipe import Recipe
from srnn.train.run import CHECKPOINT, METRICS, Checkpoints, RunState, read_run
from train_helpers import (
    one_thread,  # noqa: F401  a fixture
    recipe,
    task,
)


def checkpoints(folder: Path, writes: bool = True) -> Checkpoints:
    made: Recipe = recipe()
    model = SRNN(made.model.resolve(3, 3, 0))
    return Checkpoints(folder, made, model, make_optimizer(model, made.training), writes=writes)


class Clock:
    """A clock that advances as told, and by one second per reading."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        self.now += 1.0
        return self.now


def test_writing_takes_a_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(run, "time", clock)
    saver = checkpoints(tmp_path)
    assert saver.due()
    saver.save(RunState(epoch=1))
    assert read_run(tmp_path)["state"]["epoch"] == 1
    assert not saver.due()
    clock.now += 17
    assert not saver.due()
    clock.now += 1
    assert saver.due()
    saver.save(RunState(epoch=2))
    assert read_run(tmp_path)["state"]["epoch"] == 2


def test_a_process_that_does_not_write(tmp_path: Path) -> None:
    saver = checkpoints(tmp_path / "run", writes=False)
    saver.save(RunState())
    assert not (tmp_path / "run").exists()


def test_short_epochs_are_not_all_written_but_the_last_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CHECKPOINT_SHARE", 1e-9)
    seen: list[int] = []
    fit(
        recipe(epochs=4),
        task(),
        tmp_path,
        on_epoch=lambda _: seen.append(read_run(tmp_path)["state"]["epoch"]),
    )
    assert seen == [1, 1, 1, 4]
    assert len((tmp_path / METRICS).read_text().splitlines()) == 5
    assert (tmp_path / CHECKPOINT).is_file()
