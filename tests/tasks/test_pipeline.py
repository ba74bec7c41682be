"""Event tasks through the commands: train, export, simulate, on small files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from heidelberg_files import write_shd
from spoken_files import make_clips, write_packed
from srnn.export.checkpoint import read_model
from srnn.export.cli import main as export
from srnn.simulate.cli import main as simulate
from srnn.tasks import load
from srnn.train.cli import main as train


def test_shd_from_file_to_chip_integers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_shd(tmp_path)
    words = [
        "shd", "--data", str(tmp_path), "--out", "run", "--epochs", "4", "--batch-size", "10",
        "--threads", "1", "--task.options.dt", "0.02", "--task.options.steps", "50",
        "--task.options.skip_steps", "5", "--layers.0.size", "24", "--layers.1.size", "16",
    ]  # fmt: skip
    assert train(words) == 0
    assert train(["--resume", "run", "--data", str(tmp_path), "--epochs", "5"]) == 0
    assert "80 training" not in capsys.readouterr().out
    model = read_model("run/model.pt")
    task = load("shd", tmp_path, model.task["options"])
    assert np.array_equal(model.samples["inputs"], task.validation.inputs[:16])
    assert export(["run/model.pt", "--json"]) == 0
    assert simulate(["run/model.net"]) == 0
    capsys.readouterr()
    assert simulate(["run/model.net", "--data", str(tmp_path), "--task", "shd", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["activity"]["samples"] == 40
    assert 0 <= found["accuracy"] <= 1


def test_spoken_digits_are_learned_and_told_apart_on_the_integers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_packed(tmp_path, make_clips(takes=8))
    data = ["--data", str(tmp_path)]
    coarse = {
        "hop": "128",
        "bands": "16",
        "level": "10.0",
        "seconds": "0.3",
        "validation_takes": "1",
    }
    words = ["spoken-digits", *data, "--out", "run", "--epochs", "8", "--batch-size", "10"]
    words += ["--layers.0.size", "32", "--learning-rate", "0.02", "--threads", "1"]
    for name, value in coarse.items():
        words += [f"--task.options.{name}", value]
    assert train(words) == 0
    assert export(["run/model.pt", "--json"]) == 0
    capsys.readouterr()
    assert simulate(["run/model.net", *data, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["activity"]["samples"] == 150
    assert found["accuracy"] > 0.6
    held = ["--task.options.speaker_out", "bert", "--out", "held"]
    assert train([*words, *held]) == 0
    assert export(["held/model.pt", "--json"]) == 0
    capsys.readouterr()
    assert simulate(["held/model.net", *data, "--json"]) == 0
    held_out = json.loads(capsys.readouterr().out)
    assert held_out["activity"]["samples"] == 80
    assert held_out["accuracy"] > 0.3


def test_a_baseline_reads_events_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_shd(tmp_path)
    words = ["shd", "--data", str(tmp_path), "--out", "run", "--epochs", "2", "--threads", "1"]
    words += ["--task.options.dt", "0.02", "--task.options.steps", "50", "--baseline", "lstm"]
    assert train([*words, "--layers.0.size", "8", "--layers.1.size", "8"]) == 0
    assert [layer.neuron for layer in read_model("run/model.pt").config.layers] == [
        "lstm",
        "lstm",
        "linear",
    ]
    capsys.readouterr()
    assert export(["run/model.pt"]) == 2
    assert "a dense baseline (lstm, lstm, linear) has no integer form" in capsys.readouterr().err
