"""The main job, through the commands, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent


def command(*words: object, expect: int = 0) -> dict[str, Any]:
    """Run a command with --json and return its object."""
    text = [str(BIN / str(words[0])), *map(str, words[1:]), "--json"]
    result = subprocess.run(text, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == expect, result.stderr
    return json.loads(result.stdout)


def chain(folder: Path, recipe: str, *settings: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train and export; return what both commands said."""
    trained = command("srnn-train", recipe, "--out", folder, *settings)
    exported = command("srnn-export", folder / "model.pt", "-o", folder / "model.net")
    return trained, exported


@pytest.mark.lava
def test_two_epochs_of_digits_run_through_every_stage(tmp_path: Path) -> None:
    trained, exported = chain(tmp_path, "digits", "--epochs", 2, "--threads", 1)
    assert trained["epochs"] == 2
    assert exported["parity"]["samples"] == 16
    bundled = command("srnn-simulate", tmp_path / "model.net")
    assert bundled["different"] == 0
    deployed = command("srnn-deploy", tmp_path / "model.net", "--target", "lava", "--samples", 1)
    assert deployed["mismatches"] == 0
    assert deployed["compared"] > 64 * 128 * 3


def test_a_cuba_network_can_be_run_by_stock_lava_dl(tmp_path: Path) -> None:
    from srnn.export.netx import read_net, stock_lava_dl_obstacles

    chain(tmp_path, "digits-cuba", "--epochs", 1, "--threads", 1)
    network = read_net(tmp_path / "model.net")
    assert [o for o in stock_lava_dl_obstacles(network) if "graded" not in o] == []


@pytest.mark.slow
@pytest.mark.lava
def test_digits_as_the_demo_runs_them(tmp_path: Path) -> None:
    trained, _ = chain(tmp_path, "digits")
    accuracy = trained["test"]["accuracy"]
    assert accuracy >= 0.92
    simulated = command("srnn-simulate", tmp_path / "model.net", "--task", "digits")
    assert simulated["accuracy"] >= accuracy - 0.01
    deployed = command("srnn-deploy", tmp_path / "model.net", "--target", "lava", "--samples", 8)
    assert deployed["mismatches"] == 0


@pytest.mark.slow
@pytest.mark.lava
@pytest.mark.needs_data("qtdb_ecg")
def test_five_epochs_of_ecg(tmp_path: Path, data_dir: Path) -> None:
    trained, _ = chain(tmp_path, "ecg", "--epochs", 5, "--data", data_dir)
    accuracy = trained["test"]["accuracy"]
    assert accuracy >= 0.50
    net = tmp_path / "model.net"
    simulated = command("srnn-simulate", net, "--task", "ecg", "--data", data_dir)
    assert simulated["accuracy"] > accuracy - 0.02
    deployed = command(
        "srnn-deploy", net, "--target", "lava", "--task", "ecg", "--data", data_dir, "--samples", 3
    )
    assert deployed["mismatches"] == 0
    assert deployed["steps"] == [1300, 1300, 1300]


@pytest.mark.lava
def test_what_training_on_the_grid_reports_is_what_every_later_stage_finds(tmp_path: Path) -> None:
    trained, exported = chain(tmp_path, "digits", "--epochs", 2, "--threads", 1, "--quantize")
    assert exported["parity"]["changed_predictions"] == 0
    assert exported["parity"]["equal_spikes"] == {"0": 1.0}
    for split in ("validation", "test"):
        found = command(
            "srnn-simulate", tmp_path / "model.net", "--task", "digits", "--split", split
        )
        assert found["accuracy"] == trained[split]["accuracy"]
    deployed = command("srnn-deploy", tmp_path / "model.net", "--target", "lava", "--samples", 1)
    assert deployed["mismatches"] == 0
