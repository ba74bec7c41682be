from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from srnn.export.errors import InputError
from srnn.train.loop import Stopped, fit
from srnn.train.run import CHECKPOINT, MODEL, read_run
from train_helpers import (
    one_thread,  # noqa: F401  a fixture
    recipe,
    task,
)
from train_runs import same, same_runs

COMMAND = Path(sys.executable).parent / "srnn-train"


@pytest.mark.parametrize(
    "settings",
    [{"optimizer": "adam"}, {"optimizer": "adamax", "truncate_steps": 5, "schedule": "step"}],
)
def test_two_epochs_and_two_more_are_four(tmp_path: Path, settings: dict[str, Any]) -> None:
    long = recipe(epochs=4, learning_rate=0.03, schedule_epochs=2, **settings)
    short = replace(long, training=replace(long.training, epochs=2))
    fit(long, task(), tmp_path / "whole")
    fit(short, task(), tmp_path / "parts")
    torch.manual_seed(99)
    model, state = fit(long, task(), tmp_path / "parts", resume=True)
    assert state.epoch == len(state.history) == 4
    same_runs(tmp_path / "whole", tmp_path / "parts")
    again, _ = fit(long, task(), tmp_path / "parts", resume=True)
    same(again.weights(), model.weights())


@pytest.mark.parametrize("when", [(0, 1), (1, 2), (1, 3), (3, 3)])
def test_stopped_anywhere_and_continued(tmp_path: Path, when: tuple[int, int]) -> None:
    long = recipe(epochs=4, learning_rate=0.03, schedule="cosine")
    fit(long, task(), tmp_path / "whole")

    def interrupt(row: dict[str, float]) -> None:
        if (row["epoch"], row["batch"]) == when:
            os.kill(os.getpid(), signal.SIGINT)

    if when == (3, 3):
        fit(long, task(), tmp_path / "parts", on_batch=interrupt)
    else:
        with pytest.raises(Stopped):
            fit(long, task(), tmp_path / "parts", on_batch=interrupt)
        state = read_run(tmp_path / "parts")["state"]
        stood = (when[0] + 1, 0) if when[1] == 3 else when
        assert (state["epoch"], state["batch"]) == stood
        fit(long, task(), tmp_path / "parts", resume=True)
    same_runs(tmp_path / "whole", tmp_path / "parts")


def test_one_batch_an_epoch_can_be_stopped_too(tmp_path: Path) -> None:
    epochs = []
    before = signal.getsignal(signal.SIGINT)

    def interrupt(row: dict[str, float]) -> None:
        epochs.append(row["epoch"])
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped):
        fit(recipe(epochs=3, batch_size=64), task(), tmp_path, on_batch=interrupt)
    assert epochs == [0]
    # A background job of a shell starts with SIGINT ignored; that handler must be restored.
    assert signal.getsignal(signal.SIGINT) is before


def srnn_train(folder: Path, *words: str) -> list[str]:
    settings = (
        "digits", "--out", str(folder), "--epochs", "8", "--threads", "1", "--batch-size", "8",
        "--layers.0.size", "6", "--task.options.test", "0.6",
    )  # fmt: skip
    return [str(COMMAND), *settings, *words]


INTERRUPTED = """
import os, signal, sys
from srnn.train import cli

show = cli._Display.on_batch

def on_batch(self, row):
    show(self, row)
    if (row["epoch"], row["batch"]) == (1, 20):
        os.kill(os.getpid(), signal.SIGINT)

cli._Display.on_batch = on_batch
sys.exit(cli.main(sys.argv[1:]))
"""
"""The command, with a Ctrl-C at a batch that is the same on a fast and on a busy machine."""


def test_a_real_interrupt_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    subprocess.run(srnn_train(tmp_path / "whole"), check=True, capture_output=True)
    child = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *srnn_train(tmp_path / "parts")[1:]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 130, child.stderr
    assert "stopped and saved; continue with: srnn-train --resume" in child.stderr
    assert child.stderr.count("\n") == 1
    state = read_run(tmp_path / "parts")["state"]
    assert (state["epoch"], state["batch"]) in {(1, 20), (1, 21)}
    resumed = subprocess.run(
        [str(COMMAND), "--resume", str(tmp_path / "parts")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert resumed.returncode == 0, resumed.stderr
    same_runs(tmp_path / "whole", tmp_path / "parts")
    # The exported file names the model by its SHA-256.
    whole, parts = ((tmp_path / name / MODEL).read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_a_run_from_before_a_setting_existed_is_resumed(tmp_path: Path) -> None:
    base = recipe(epochs=1, schedule="constant")
    fit(base, task(), tmp_path)
    content = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    del content["recipe"]["quantization"], content["recipe"]["model"]["baseline"]
    del content["recipe"]["training"]["rate_weight"]
    torch.save(content, tmp_path / CHECKPOINT)
    longer = replace(base, training=replace(base.training, epochs=2))
    assert fit(longer, task(), tmp_path, resume=True)[1].epoch == 2
    other = replace(longer, training=replace(longer.training, rate_weight=1.0))
    with pytest.raises(InputError, match=r"training.rate_weight was 0\.0, is 1\.0"):
        fit(other, task(), tmp_path, resume=True)


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    base = recipe(epochs=2, schedule="cosine")
    fit(base, task(), tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    training = base.training
    layers = ({**base.model.layers[0], "size": 9}, *base.model.layers[1:])
    for other, said in (
        (replace(training, learning_rate=0.5), "training.learning_rate was 0.01, is 0.5"),
        (replace(training, epochs=3), "training.epochs was 2, is 3"),
        (replace(training, seed=4, batch_size=2), "training.batch_size was 8, is 2; training.seed"),
    ):
        with pytest.raises(InputError) as raised:
            fit(replace(base, training=other), task(), tmp_path, resume=True)
        assert "resume: other settings than the run's: " in str(raised.value)
        assert said in str(raised.value)
    with pytest.raises(InputError, match=r"model.layers.0.size was 8, is 9"):
        fit(replace(base, model=replace(base.model, layers=layers)), task(), tmp_path, resume=True)
    sized = (base.model.layers[0], {**base.model.layers[1], "size": 3})
    with pytest.raises(InputError, match=r"model\.layers\.1\.size was None, is 3"):
        fit(replace(base, model=replace(base.model, layers=sized)), task(), tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    fit(replace(base, training=replace(training, threads=1)), task(), tmp_path, resume=True)


def damage(content: bytes, kind: str) -> bytes:
    if kind == "empty":
        return b""
    if kind == "text":
        return b"not a checkpoint at all"
    if kind == "half":
        return content[: len(content) // 2]
    return content[:-30]


def test_a_checkpoint_with_the_former_names(tmp_path: Path) -> None:
    long = recipe(epochs=2)
    hidden, readout = long.model.layers
    layers = ({**hidden, "bidirectional": True}, readout)
    long = replace(long, model=replace(long.model, layers=layers))
    fit(long, task(), tmp_path / "whole")
    fit(replace(long, training=replace(long.training, epochs=1)), task(), tmp_path / "parts")
    path = tmp_path / "parts" / CHECKPOINT
    content = torch.load(path, weights_only=True)
    former = {
        name.replace("forward_direction", "ahead")
        .replace("backward_direction", "back")
        .replace("recurrent_weight", "weight_rec"): value
        for name, value in content["model"].items()
    }
    assert {"layers.0.ahead.bias", "layers.0.back.weight_rec"} < set(former)
    torch.save({**content, "model": former}, path)
    fit(long, task(), tmp_path / "parts", resume=True)
    same_runs(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("kind", ["empty", "text", "half", "end"])
def test_a_damaged_checkpoint(tmp_path: Path, kind: str) -> None:
    fit(recipe(epochs=1), task(), tmp_path)
    path = tmp_path / CHECKPOINT
    path.write_bytes(damage(path.read_bytes(), kind))
    with pytest.raises(InputError) as raised:
        fit(recipe(epochs=2), task(), tmp_path, resume=True)
    assert str(raised.value).startswith(f"{path}: ")
    assert "start again with --overwrite" in str(raised.value)
    assert "\n" not in str(raised.value)


def edit(content: dict[str, Any], kind: str) -> None:
    if kind in content:
        del content[kind]
    elif kind == "version":
        content["format_version"] = 2
    elif kind == "foreign":
        content["format"] = "other"
    elif kind == "weights":
        content["model"]["layers.0.forward_direction.weight"] = torch.zeros(2, 2)
    elif kind == "entry":
        content["state"]["surplus"] = 1
    elif kind == "best":
        content["state"]["best_weights"] = 3
    elif kind == "random":
        content["random_state"] = torch.zeros(3)


@pytest.mark.parametrize(
    "kind",
    [
        "recipe", "model", "optimizer", "state", "random_state", "version", "foreign", "weights",
        "entry", "best", "random",
    ],
)  # fmt: skip
def test_a_checkpoint_with_wrong_entries(tmp_path: Path, kind: str) -> None:
    fit(recipe(epochs=1), task(), tmp_path)
    content = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    edit(content, kind)
    torch.save(content, tmp_path / CHECKPOINT)
    with pytest.raises(InputError) as raised:
        fit(recipe(epochs=2), task(), tmp_path, resume=True)
    assert "\n" not in str(raised.value)


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file, nothing to resume"):
        fit(recipe(), task(), tmp_path, resume=True)
