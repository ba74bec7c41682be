"""``srnn.export.export`` gives what the command prints, of models in memory and in files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from export_models import config, spikes
from srnn.export import (
    ExportReport,
    InputError,
    LayerConfig,
    Quantization,
    export,
    read_model,
    read_net,
    read_samples,
    write_model,
)
from srnn.export.cli import main
from srnn.export.digest import network_digest
from srnn.simulate.reference import run
from srnn.tasks import Split, Task
from srnn.train import SRNN, float_model

pytestmark = pytest.mark.extra("train")

TARGETS = np.arange(20) % 3


def srnn(readout: str = "mean_softmax", seed: int = 0) -> SRNN:
    torch.manual_seed(seed)
    layers = (LayerConfig("alif", 8, recurrent=True, threshold=0.1), LayerConfig("li", 3))
    return SRNN(config(*layers, readout=readout), "loop")


def inputs() -> np.ndarray:
    return spikes(1, 20, 15)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    split = Split(inputs(), TARGETS)
    task = Task("tiny", split, split, split, ("a", "b", "c"), dt=0.01)
    path = tmp_path_factory.mktemp("model") / "model.pt"
    write_model(path, float_model(srnn(), task, sample_count=20))
    return path


def test_a_file_gives_what_the_command_gives(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(stored), "-o", str(tmp_path / "command.net"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    report = export(stored, path=tmp_path / "function.net")
    assert isinstance(report, ExportReport)
    plain = json.loads(json.dumps(report.plain()))
    assert plain.pop("written") == str(report.written) == str(tmp_path / "function.net")
    assert plain == {name: value for name, value in printed.items() if name != "written"}
    files = [(tmp_path / f"{name}.net").read_bytes() for name in ("command", "function")]
    assert files[0] == files[1]


def test_a_model_in_memory_gives_the_integers_of_its_file(stored: Path, tmp_path: Path) -> None:
    file = export(stored)
    assert file.written is None
    task = {"classes": ["a", "b", "c"], "dt": 0.01}
    report = srnn().export(tmp_path / "x.net", (inputs(), TARGETS), task=task)
    assert report.parity == file.parity
    assert report.layers == file.layers
    network = read_net(tmp_path / "x.net")
    assert network_digest(network) == network_digest(file.network)
    assert network.dt == 0.01
    assert "model" not in network.provenance
    samples = read_samples(tmp_path / "x.net")
    assert samples is not None
    np.testing.assert_array_equal(samples.output, run(network, samples.inputs).output)
    for word in ("x.net", "accuracy", "ALIF", "weight error", "range used", "spikes equal"):
        assert word in str(report)


@pytest.mark.parametrize("form", ["array", "tensor", "table", "split", "pair", "file", "floats"])
def test_samples_come_in_every_form(form: str, tmp_path: Path) -> None:
    x = inputs()
    np.savez(tmp_path / "x.npz", inputs=x, targets=TARGETS)
    given: Any = {
        "array": x,
        "tensor": torch.from_numpy(x),
        "floats": torch.from_numpy(x).float().requires_grad_(),
        "table": {"inputs": x, "targets": torch.from_numpy(TARGETS)},
        "split": Split(x, TARGETS),
        "pair": [torch.from_numpy(x), torch.from_numpy(TARGETS)],
        "file": tmp_path / "x.npz",
    }[form]
    report, wanted = export(srnn(), given), export(srnn(), (x, TARGETS))
    assert network_digest(report.network) == network_digest(wanted.network)
    if form in {"array", "tensor", "floats"}:
        assert report.accuracy_loss is None
        assert report.parity.changed_predictions == wanted.parity.changed_predictions
    else:
        assert report.parity == wanted.parity


def test_lengths_and_labels_of_every_step_count() -> None:
    lengths = np.resize([15, 9, 12], 20)
    x = inputs() * (np.arange(15) < lengths[:, None])[..., None].astype(np.uint8)
    targets = np.resize([0, 1, 2], (20, 15))
    table = {"inputs": x, "lengths": lengths, "targets": targets}
    report = srnn("membrane").export(None, table)
    assert report.parity.answers == lengths.sum()
    assert report.accuracy_loss is not None


def test_graded_inputs_have_a_unit() -> None:
    x = np.random.default_rng(0).integers(-100, 100, (12, 15, 6))
    report = export(srnn(), x, task={"input_scale": 0.01})
    assert (report.network.message_bits, report.network.input_scale) == (7, 0.01)
    with torch.no_grad():
        wanted = srnn()(0.01 * torch.from_numpy(x).float()).spikes[0]
    assert report.parity.float_spikes["0"] == int(wanted.sum())


def test_samples_for_a_file_replace_its_own(stored: Path) -> None:
    report = export(stored, inputs()[:5])
    assert report.parity.samples == 5
    assert report.accuracy_loss is None
    without = replace(read_model(stored), samples={})
    assert export(without, (inputs(), TARGETS)).parity.samples == 20
    with pytest.raises(InputError, match="the model holds no samples; give some"):
        export(without)


def test_a_limit_and_a_scheme_are_kept(stored: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.net"
    report = export(stored, path=target, max_accuracy_loss=-200.0)
    assert report.written is None
    assert not target.exists()
    layer = export(stored, path=target, options=Quantization(scale="layer"), max_accuracy_loss=100)
    assert target.exists()
    assert network_digest(layer.network) != network_digest(report.network)


@pytest.mark.parametrize(
    ("samples", "task", "line"),
    [
        (None, None, "give samples, integer inputs"),
        (inputs()[..., :4], None, r"needs integers \(sample, time, 6\)"),
        (inputs() * 0.3, None, r"inputs\[\d+, \d+, \d+\] is 0.3, not an integer; give"),
        ({"inputs": inputs(), "target": TARGETS}, None, "did you mean 'targets'"),
        ((inputs(), TARGETS[:3]), None, r"targets is int64 \(3,\), needs"),
        (inputs(), {"classes": ["a"]}, "are not 3 names"),
    ],
)
def test_mistakes_are_one_line(samples: Any, task: Any, line: str) -> None:
    with pytest.raises(InputError, match=line) as error:
        srnn().export(None, samples, task=task)
    assert "\n" not in str(error.value)


def test_a_file_is_not_written_over_and_has_a_task_of_its_own(stored: Path) -> None:
    with pytest.raises(InputError, match="is the model itself"):
        export(stored, path=stored)
    with pytest.raises(InputError, match="has its own"):
        export(stored, task={"dt": 1.0})
    with pytest.raises(InputError, match="not a number of points"):
        export(stored, max_accuracy_loss=float("nan"))


def test_a_report_is_of_its_network(stored: Path) -> None:
    report = export(stored)
    with pytest.raises(InputError, match="are not those of the network"):
        replace(report, layers=report.layers[:1])


@pytest.mark.parametrize("name", ["xx.pt", "xx.NIR", "xx.txt", "xx.npz"])
def test_a_name_of_another_kind_is_refused(stored: Path, tmp_path: Path, name: str) -> None:
    path, kind = tmp_path / name, Path(name).suffix.lower()
    said = f"{path}: {kind} is the ending of .*; name the network of integers xx.net"
    with pytest.raises(InputError, match=said):
        export(stored, path=path)
    with pytest.raises(InputError, match=said):
        srnn().export(path, inputs())
    if kind != ".nir":
        assert main([str(stored), "-o", str(path)]) == 2
    assert list(tmp_path.iterdir()) == []
    assert export(stored, path=tmp_path / "any.other").written == tmp_path / "any.other"
