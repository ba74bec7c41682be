"""What a ``model.pt`` keeps of a neuron that is not srnn's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from doc_blocks import blocks
from own_neurons import forgotten
from paths import ROOT
from srnn.export.checkpoint import FloatModel, LayerConfig, ModelConfig, read_model, write_model
from srnn.export.errors import InputError
from srnn.neurons import load
from srnn.train.network import SRNN

pytestmark = pytest.mark.extra("train")

TEXT = {block.kind: block.code for block in blocks(ROOT / "docs/YOUR_NEURON.md")}["python"]


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with forgotten():
        yield


def written(folder: Path) -> Path:
    (folder / "keeper.py").write_text(TEXT, encoding="utf-8")
    load(folder / "keeper.py")
    config = ModelConfig(3, (LayerConfig("keeper", 5, recurrent=True), LayerConfig("li", 2)))
    model = SRNN(config)
    write_model(folder / "model.pt", FloatModel(config, model.weights()))
    return folder / "model.pt"


def test_the_same_step_reads_it_however_it_is_written(tmp_path: Path) -> None:
    path = written(tmp_path)
    weights = read_model(path).weights
    assert np.isfinite(weights["layers.0.kept"]).all()
    text = TEXT.replace("def step(c, s,", "def step(c,  s,").replace('"""The same', '"""Still')
    (tmp_path / "keeper.py").write_text(text, encoding="utf-8")
    load(tmp_path / "keeper.py")
    read_model(path)
    stored = torch.load(path, weights_only=True)["neurons"]["keeper"]
    assert stored["origin"] == {"file": "keeper.py"}
    assert len(stored["digest"]) == 64


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("spike(u - 1.0)", "spike(u - 1.5)"),
        ("rtz(v * p.kept, 12)", "rtz(v * p.kept, 13)"),
        ('value("kept", 0.0, 1.0', 'value("kept", 0.0, 2.0'),
    ],
)
def test_another_step_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = written(tmp_path)
    assert old in TEXT
    (tmp_path / "keeper.py").write_text(TEXT.replace(old, new), encoding="utf-8")
    load(tmp_path / "keeper.py")
    with pytest.raises(InputError, match="made with another version of neuron keeper"):
        read_model(path)


def test_without_its_file_it_is_named(tmp_path: Path) -> None:
    path = written(tmp_path)
    with forgotten(), pytest.raises(InputError) as raised:
        read_model(path)
    line = str(raised.value)
    assert "unknown neuron 'keeper'" in line
    assert "--neurons FILE" in line
    assert "\n" not in line


def test_srnns_own_neurons_leave_nothing(tmp_path: Path) -> None:
    config = ModelConfig(3, (LayerConfig("adlif", 5), LayerConfig("li", 2)))
    write_model(tmp_path / "model.pt", FloatModel(config, SRNN(config).weights()))
    assert "neurons" not in torch.load(tmp_path / "model.pt", weights_only=True)
