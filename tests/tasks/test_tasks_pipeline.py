"""Event tasks through the commands: train, export, simulate, on small files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from heidelberg_files import write_shd
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
