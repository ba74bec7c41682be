"""Runs that diverge: one line, exit code 1, an unchanged last checkpoint, and how to continue."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from paths import SUPPORT
from srnn.export.checkpoint import read_model, write_model
from srnn.export.errors import InputError
from srnn.simulate.simulator import run
from srnn.train.cli import main
from srnn.train.faults import DivergedError
from srnn.train.loop import fit
from srnn.train.recipe import TrainingConfig
from srnn.train.run import CHECKPOINT, METRICS, MODEL
from torch.optim.optimizer import register_optimizer_step_post_hook
from train_helpers import one_thread, recipe, task  # noqa: F401
from train_outliers import readout_alone, silent, with_outlier
from train_runs import ENVIRONMENT, ours, same_runs, torchrun

SMALL = (
    "digits", "--epochs", "2", "--threads", "1", "--batch-size", "256", "--layers.0.size", "4",
    "--bundle-samples", "2",
)  # fmt: skip


def simulate(*given: Any) -> Any:
    return run(*given, record="states")


def bits(folder: Path) -> dict[str, bytes]:
    """A run's files, except TensorBoard's log."""
    files = (folder / name for name in (CHECKPOINT, MODEL, METRICS))
    return {path.name: path.read_bytes() for path in files if path.exists()}


def test_the_sample_is_numbered_as_in_its_split(tmp_path: Path) -> None:
    bad = with_outlier(silent(task()), "train", 13)
    with pytest.raises(DivergedError) as raised:
        fit(recipe(), bad, tmp_path)
    line = str(raised.value)
    assert "it began in training sample 13, step 7, input channel 1 is inf; fix or leave" in line
    assert line.endswith("; there was no checkpoint yet")
    assert "\n" not in line


def test_a_run_goes_on_with_mended_data_to_the_bits_of_one_that_nothing_stopped(
    tmp_path: Path,
) -> None:
    long = recipe(epochs=4, learning_rate=0.03)
    short = replace(long, training=replace(long.training, epochs=2))
    good = task()
    fit(long, good, tmp_path / "whole")
    fit(short, good, tmp_path / "parts")
    before = bits(tmp_path / "parts")
    assert set(before) == {CHECKPOINT, MODEL, METRICS}
    with pytest.raises(DivergedError, match=r"in epoch 3, batch \d; it began in training sample 5"):
        fit(long, with_outlier(silent(good), "train", 5), tmp_path / "parts", resume=True)
    assert bits(tmp_path / "parts") == before
    fit(long, good, tmp_path / "parts", resume=True)
    same_runs(tmp_path / "whole", tmp_path / "parts")


def test_a_validation_loss_that_is_not_finite(tmp_path: Path) -> None:
    with pytest.raises(DivergedError) as raised:
        fit(readout_alone(), with_outlier(silent(task()), "validation", 6), tmp_path)
    line = str(raised.value)
    assert line.startswith("training: the validation loss became nan in epoch 1; it began in ")
    assert "validation sample 6, step 7, input channel 1 is inf" in line
    assert bits(tmp_path) == {}


@pytest.mark.parametrize("quantize", [False, True])
def test_weights_that_the_last_step_of_an_epoch_ruined_are_not_kept(
    tmp_path: Path, quantize: bool
) -> None:
    settings = recipe(epochs=3, batch_size=24, quantize=quantize)
    steps: list[int] = []

    def ruin(optimizer: torch.optim.Optimizer, *_: object) -> None:
        # The effect of too large a learning rate; an epoch is one step here, the last one.
        steps.append(len(steps))
        if len(steps) == 2:
            optimizer.param_groups[0]["params"][1].data[3] = math.inf

    handle = register_optimizer_step_post_hook(ruin)
    told: list[dict[str, bytes]] = []
    try:
        with pytest.raises(DivergedError) as raised:
            fit(
                settings, task(), tmp_path, simulate=simulate,
                on_epoch=lambda _: told.append(bits(tmp_path)),
            )  # fmt: skip
    finally:
        handle.remove()
    line = str(raised.value)
    assert line.startswith(
        "training: a weight is not finite in epoch 2; it began in layer 0 (alif)"
    )
    assert "bias[3] is inf; an optimizer step caused it: lower --learning-rate" in line
    assert f"the last checkpoint in {tmp_path} is unchanged" in line
    assert f"--start {tmp_path / MODEL}" in line
    assert len(told) == 1
    assert bits(tmp_path) == told[0]
    model, state = fit(settings, task(), tmp_path, True, simulate=simulate)
    assert state.epoch == 3
    assert all(np.isfinite(value).all() for value in model.weights().values())


@pytest.mark.parametrize("quantize", [False, True])
def test_a_huge_learning_rate(tmp_path: Path, quantize: bool) -> None:
    settings = recipe(
        epochs=30, optimizer="adamw", learning_rate=1e6, weight_decay=0.1, quantize=quantize
    )
    with pytest.raises(DivergedError) as raised:
        fit(settings, task(), tmp_path, simulate=simulate)
    line = str(raised.value)
    assert "it began in layer " in line
    assert "lower --learning-rate (it is 1e+06)" in line
    assert "\n" not in line


def test_weights_that_lost_their_integers_end_training_and_first_ones_are_a_mistake(
    tmp_path: Path,
) -> None:
    settings = recipe(epochs=2, quantize=True)
    fit(recipe(epochs=1), task(), tmp_path / "float")
    start = read_model(tmp_path / "float" / MODEL)
    start.weights["layers.0.bias"] = np.full(8, 1e30, np.float32)
    with pytest.raises(InputError, match="layer 0: threshold, adaptation or bias of neurons 0"):
        fit(settings, task(), tmp_path / "chip", simulate=simulate, start=start)

    def ruin(optimizer: torch.optim.Optimizer, *_: object) -> None:
        optimizer.param_groups[0]["params"][1].data[3] = 1e30

    handle = register_optimizer_step_post_hook(ruin)
    try:
        with pytest.raises(
            DivergedError, match="the weights have no integers in epoch 1"
        ) as raised:
            fit(settings, task(), tmp_path / "chip", simulate=simulate)
        one = replace(settings, training=replace(settings.training, batch_size=24))
        with pytest.raises(DivergedError, match="weights have no integers in epoch 1") as other:
            fit(one, task(), tmp_path / "one", simulate=simulate)
    finally:
        handle.remove()
    for line in (str(raised.value), str(other.value)):
        assert "adaptation or bias of neurons 3 are too large" in line
        assert "bias of layer 0 reaches 1e+30: lower --learning-rate" in line
    assert bits(tmp_path / "chip") == {}


def test_the_limit_of_the_gradient_may_change_at_a_resume(tmp_path: Path) -> None:
    base = recipe(epochs=2)
    low = replace(base, training=replace(base.training, largest_gradient=1e-3))
    with pytest.raises(DivergedError, match="the gradient exploded"):
        fit(low, task(), tmp_path / "x")
    fit(replace(base, training=replace(base.training, epochs=1)), task(), tmp_path / "a")
    with pytest.raises(DivergedError, match="in epoch 2, batch 1"):
        fit(low, task(), tmp_path / "a", resume=True)
    assert fit(base, task(), tmp_path / "a", resume=True)[1].epoch == 2


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"largest_gradient": 0.0}, r"largest_gradient: 0 is outside 0\.\.1e\+18"),
        ({"largest_gradient": 1e19}, "largest_gradient: 1e\\+19 is outside"),
        ({"largest_gradient": math.nan}, "largest_gradient: nan is outside"),
        ({"learning_rate": 1e7}, r"learning_rate: 1e\+07 is above 1e\+06"),
        ({"weight_decay": 1e30}, r"weight_decay: 1e\+30 is above 1e\+06"),
        ({"tau_rate": 1e30}, r"tau_rate: 1e\+30 is above 1e\+06"),
    ],
)
def test_limits_of_settings(setting: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        TrainingConfig(**setting)


def test_a_checkpoint_with_weights_that_are_not_finite(tmp_path: Path) -> None:
    fit(recipe(epochs=1), task(), tmp_path)
    content = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    content["model"]["layers.0.forward_direction.bias"][2] = math.nan
    torch.save(content, tmp_path / CHECKPOINT)
    with pytest.raises(
        InputError, match=r"resume: layers\.0\.forward_direction\.bias in the checkpoint is not"
    ):
        fit(recipe(epochs=2), task(), tmp_path, resume=True)


def huge_model(folder: Path, value: float = 3e38) -> Path:
    """A model.pt of the small recipe whose first layer overflows where pixels are bright."""
    fresh = folder / "fresh"
    if not fresh.exists():
        assert main([*SMALL, "--epochs", "1", "--out", str(fresh)]) == 0
    model = read_model(fresh / MODEL)
    model.weights["layers.0.weight"] = np.full((4, 16), value, np.float32)
    path = folder / "huge.pt"
    write_model(path, replace(model, samples={}))
    return path


@pytest.mark.parametrize("words", [(), ("--quantize",), ("--engine", "loop")])
def test_from_the_command_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    start = huge_model(tmp_path)
    out = tmp_path / "run"
    assert main([*SMALL, "--out", str(out)]) == 0
    before = bits(out)
    capfd.readouterr()
    code = main([*SMALL, "--out", str(out), "--overwrite", "--start", str(start), *words])
    errors = capfd.readouterr().err
    assert code == 1
    assert errors.count("\n") == 1
    assert errors.startswith("srnn-train: training: the ")
    assert "in epoch 1, batch 1; it began in layer 0 (alif), training sample " in errors
    assert ", step " in errors
    assert "; its weight reaches 3e+38: lower --learning-rate (it is 0.02)" in errors
    assert f"the last checkpoint in {out} is unchanged" in errors
    assert bits(out) == before
    assert main(["--resume", str(out)]) == 0


def test_a_weight_of_the_model_to_start_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = huge_model(tmp_path)
    content = torch.load(path, weights_only=True)
    content["weights"]["layers.0.weight_rec"][2, 1] = math.nan
    torch.save(content, path)
    capsys.readouterr()
    assert main([*SMALL, "--out", str(tmp_path / "run"), "--start", str(path)]) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert f"{path}: weights: layers.0.weight_rec[2, 1] is nan, not a finite number" in errors


def test_a_gap_in_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signals = np.random.default_rng(0).normal(size=(24, 20, 2))
    signals[11, 17, 1] = math.nan
    np.savez(tmp_path / "my.npz", inputs=signals, labels=np.arange(24) % 2)
    words = [
        "arrays",
        "--task.options.train",
        str(tmp_path / "my.npz"),
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(words) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "sample 11, step 17, channel 1 is nan; fill the gap or drop the sample" in errors


@pytest.mark.slow
def test_a_dense_baseline_from_the_command_line(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "srnn.train", *SMALL, "--baseline", "lstm", "--learning-rate", "1e6",
        "--weight-decay", "1e3", "--epochs", "9", "--out", str(tmp_path),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "; it began in layer " in ran.stderr
    assert "(lstm)" in ran.stderr or "(linear)" in ran.stderr


@pytest.mark.slow
def test_every_process_of_a_run_leaves(tmp_path: Path) -> None:
    rates = ("--learning-rate", "1e6", "--weight-decay", "1e3")
    result = torchrun("-m", "srnn.train", *SMALL, *rates, "--out", tmp_path / "two")
    assert result.returncode != 0
    assert len(ours(result.stderr)) == 1
    assert " in epoch 1" in ours(result.stderr)[0]
    assert "; it began in layer " in ours(result.stderr)[0]
    # torchrun prints its own traceback for a process that fails.
    assert "DivergedError" not in result.stderr
    assert not (tmp_path / "two" / CHECKPOINT).exists()


@pytest.mark.slow
def test_the_process_that_has_the_sample_names_it(tmp_path: Path) -> None:
    worker = SUPPORT / "diverging_worker.py"
    result = torchrun(worker, tmp_path)
    assert result.returncode == 0, result.stderr
    lines = [(tmp_path / f"{rank}.txt").read_text(encoding="utf-8") for rank in (0, 1)]
    assert lines[0] == lines[1]
    first, second = lines[0].splitlines()
    assert "it began in training sample 13, step 7, input channel 1 is inf" in first
    assert "it began in validation sample 8, step 7, input channel 1 is inf" in second
    assert not (tmp_path / "run").exists()
