"""Trained dense baselines next to a network: read, refused, and shown with their accuracy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import ROOT
from srnn.export.checkpoint import FloatModel, ModelConfig, expected_weights, write_model
from srnn.export.config import LayerConfig
from srnn.export.errors import InputError
from srnn.export.netx import read_net
from srnn.simulate.baselines import read_baselines
from srnn.simulate.cli import main

pytestmark = pytest.mark.extra("train")

ZOO = ROOT / "zoo"


def baseline(path: Path, *kinds: str, size: int = 12, **changes: Any) -> Path:
    layers = tuple(LayerConfig(kind, size) for kind in kinds)
    config = ModelConfig(4, (*layers, LayerConfig("linear", 6)))
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in expected_weights(config).items()
    }
    metrics = {"validation": {"accuracy": 0.75}, "test": {"accuracy": 0.8125}}
    settings = {"task": {"name": "ecg"}, "metrics": metrics, **changes}
    write_model(path, FloatModel(config, weights, **settings))
    return path


def test_sizes_and_the_accuracy_of_the_split(tmp_path: Path) -> None:
    network = read_net(ZOO / "ecg.net")
    paths = [baseline(tmp_path / "a.pt", "lstm"), baseline(tmp_path / "b.pt", "gru", "gru")]
    one, two = read_baselines(paths, network, "test")
    assert (one.name, one.accuracy) == ("LSTM, trained, 4-12-6", 0.8125)
    assert two.name == "GRU, trained, 4-12-12-6"
    assert [(x.kind, x.inputs, x.size) for x in two.layers] == [
        ("gru", 4, 12), ("gru", 12, 12), ("linear", 12, 6),
    ]  # fmt: skip
    assert read_baselines(paths, network, "validation")[1].accuracy == 0.75
    assert read_baselines(paths, network, None)[0].accuracy is None


@pytest.mark.parametrize(
    "metrics", [{}, {"test": 3}, {"test": {}}, {"test": {"accuracy": "high"}},
                {"test": {"accuracy": 7.0}}]
)  # fmt: skip
def test_an_accuracy_that_is_none(tmp_path: Path, metrics: dict[str, Any]) -> None:
    path = baseline(tmp_path / "a.pt", "lstm", metrics=metrics)
    assert read_baselines([path], read_net(ZOO / "ecg.net"), "test")[0].accuracy is None


def test_what_is_no_baseline_is_refused(tmp_path: Path) -> None:
    network = read_net(ZOO / "ecg.net")
    other = baseline(tmp_path / "other.pt", "lstm", task={"name": "digits"})
    with pytest.raises(InputError, match="a baseline of task digits, the network is of ecg;"):
        read_baselines([other], network, "test")
    with pytest.raises(InputError, match=r"layers of alif, li; a baseline has layers of rnn, gru"):
        read_baselines([ZOO / "ecg.pt"], network, "test")
    linear = baseline(tmp_path / "linear.pt")
    with pytest.raises(InputError, match="layers of linear; a baseline"):
        read_baselines([linear], network, "test")


def test_the_command_prints_it_and_refuses_early(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = baseline(tmp_path / "a.pt", "lstm")
    assert main([str(ZOO / "ecg.net"), "--limit", "1", "--baseline", str(path), "--json"]) == 0
    options = json.loads(capsys.readouterr().out)["energy"]["options"]
    assert "LSTM, trained, 4-12-6" in [option["name"] for option in options]
    assert main([str(ZOO / "ecg.net"), "--limit", "1", "--baseline", str(path)]) == 0
    assert "4-12-6" in capsys.readouterr().out
    assert main([str(ZOO / "ecg.net"), "--baseline", str(tmp_path / "none.pt")]) == 2
    assert "none.pt" in capsys.readouterr().err


@pytest.mark.needs_data("qtdb_ecg")
def test_the_report_shows_it_with_its_accuracy(
    tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, report = baseline(tmp_path / "a.pt", "lstm"), tmp_path / "r.html"
    command = [str(ZOO / "ecg.net"), "--task", "ecg", "--data", str(data_dir), "--limit", "2"]
    command += ["--baseline", str(path)]
    assert main([*command, "--report", str(report)]) == 0
    found = json.loads((tmp_path / "r.json").read_text())
    text = json.dumps(found)
    assert "LSTM, trained, 4-12-6" in text
    assert "0.8125" in text
    assert "81.2" in report.read_text()
    capsys.readouterr()
    several = [str(ZOO / "ecg.net"), str(ZOO / "ecg.net"), "--baseline", str(path)]
    assert main([*several, "--report", str(tmp_path / "s.html")]) == 2
    assert "--baseline: applies to one network only" in capsys.readouterr().err
