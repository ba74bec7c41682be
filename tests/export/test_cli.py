from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from export_models import config, weights
from srnn.export.checkpoint import FloatModel, Init, LayerConfig, read_model, write_model
from srnn.export.cli import main
from srnn.export.network import same_network
from srnn.export.netx import read_net, read_samples
from srnn.export.ranges import stored_calibration
from srnn.export.readout import predictions
from srnn.simulate import reference
from srnn.tasks import Split, Task
from srnn.train.loop import fit
from srnn.train.recipe import make_recipe

pytestmark = pytest.mark.extra("train")

COMMAND = Path(sys.executable).parent / "srnn-export"


def split(seed: int, size: int) -> Split:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, size)
    rate = np.where(np.arange(3) == target[:, None], 0.8, 0.1)[:, None]
    return Split((rng.random((size, 12, 3)) < rate).astype(np.uint8), target)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that srnn-train's own loop trained."""
    folder = tmp_path_factory.mktemp("run")
    task = Task("tiny", split(1, 48), split(2, 12), split(3, 12), ("a", "b", "c"))
    tau = {"kind": "log_uniform", "low": 2.0, "high": 20.0}
    hidden = {"neuron": "alif", "size": 8, "recurrent": True, "threshold": 0.1, "tau_mem": tau}
    recipe = make_recipe(
        {
            "task": {"name": "tiny"},
            "model": {"readout": "mean_softmax", "layers": [hidden, {"neuron": "li"}]},
            "training": {"epochs": 3, "learning_rate": 0.03, "batch_size": 16, "threads": 1},
        }
    )
    fit(recipe, task, folder)
    return folder / "model.pt"


def test_from_model_to_net(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "deep" / "er" / "model.net"
    assert main([str(trained), "-o", str(target), "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    result = json.loads(printed.out)
    assert result["written"] == str(target)
    assert [layer["neuron"] for layer in result["layers"]] == ["SRNN_ALIF", "SRNN_LI"]
    parity = result["parity"]
    assert (parity["samples"], parity["answers"]) == (12, 12)
    assert parity["float_spikes"]["0"] > 0
    assert parity["equal_spikes"]["0"] > 0.5
    assert result["accuracy_loss"] == pytest.approx(
        100 * (parity["float_accuracy"] - parity["integer_accuracy"])
    )
    network = read_net(target)
    assert network.layers[0].recurrent is not None
    assert network.task["name"] == "tiny"
    assert network.provenance["quantization"]["scale"] == "neuron"
    assert network.provenance["model"]["file"] == "model.pt"
    assert len(network.provenance["model"]["sha256"]) == 64
    calibration = stored_calibration(network)
    assert calibration is not None
    assert (calibration.origin, calibration.samples) == ("samples in model.pt", 12)
    model = read_model(trained)
    trace = reference.run(network, model.samples["inputs"])
    right = predictions(network, trace.output) == model.samples["targets"]
    assert parity["integer_accuracy"] == pytest.approx(right.mean())


def test_bundled_samples_hold_what_the_reference_computes(trained: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.net"
    assert main([str(trained), "-o", str(target), "--json"]) == 0
    samples = read_samples(target)
    assert samples is not None
    assert samples.count == 8
    trace = reference.run(read_net(target), samples.inputs, samples.lengths)
    np.testing.assert_array_equal(samples.output, trace.output)
    np.testing.assert_array_equal(samples.targets, read_model(trained).samples["targets"][:8])


def test_schemes_differ(trained: Path, tmp_path: Path) -> None:
    nets = []
    for name, words in (("a", []), ("b", ["--scale", "layer"]), ("c", ["--one-exponent"])):
        assert main([str(trained), "-o", str(tmp_path / name), *words]) == 0
        nets.append(read_net(tmp_path / name))
    assert not same_network(nets[0], nets[1])
    assert nets[2].provenance["quantization"]["exponents"] is False
    assert main([str(trained), "-o", str(tmp_path / "d")]) == 0
    assert same_network(nets[0], read_net(tmp_path / "d"))


def test_a_dry_run_writes_nothing(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "sub" / "model.net"
    assert main([str(trained), "-o", str(target), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["written"] is None
    assert list(tmp_path.iterdir()) == []


def test_a_loss_above_the_limit_keeps_the_old_file(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "model.net"
    target.write_bytes(b"old")
    assert main([str(trained), "-o", str(target), "--max-accuracy-loss", "-200", "--json"]) == 1
    printed = capsys.readouterr()
    assert "points lost, limit -200; nothing was written" in printed.err
    assert json.loads(printed.out)["written"] is None
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
    assert main([str(trained), "-o", str(target), "--max-accuracy-loss", "100"]) == 0
    assert target.read_bytes() != b"old"


def test_a_limit_needs_targets(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = read_model(trained)
    del model.samples["targets"]
    write_model(tmp_path / "model.pt", model)
    assert main([str(tmp_path / "model.pt"), "--max-accuracy-loss", "5"]) == 1
    assert "samples have no targets, limit 5; nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "model.net").exists()


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("srnn-export: ")
    assert printed.err.count("\n") == 1
    return printed.err


def test_bad_input_exits_with_2(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "model.pt"
    copy.write_bytes(trained.read_bytes())
    assert "no such file" in refused([str(tmp_path / "none.pt")], capsys)
    said = refused([str(copy), "-o", str(copy)], capsys)
    assert "is the model itself; name another file" in said
    assert copy.read_bytes() == trained.read_bytes()
    assert "--max-accuracy-loss: nan" in refused([str(copy), "--max-accuracy-loss=nan"], capsys)
    model = read_model(trained)
    write_model(copy, FloatModel(model.config, model.weights))
    assert "holds no sample inputs to calibrate on" in refused([str(copy)], capsys)
    made = config(LayerConfig("alif_relu", 3, tau_mem=Init()), LayerConfig("li", 3), inputs=3)
    bad = tmp_path / "relu.pt"
    entries = {"inputs": np.zeros((1, 4, 3), np.uint8), "output": np.zeros((1, 4, 3), np.float32)}
    write_model(bad, FloatModel(made, weights(made), samples=entries))
    assert "layer 0 (alif_relu): graded activations" in refused([str(bad)], capsys)
    entries["inputs"] += 3
    plain = config(made.layers[1], inputs=3)
    write_model(bad, FloatModel(plain, weights(plain), samples=entries))
    assert "3 is outside 0..1 (binary spikes)" in refused([str(bad)], capsys)
    assert [path.suffix for path in tmp_path.iterdir()] == [".pt", ".pt"]


def test_a_folder_for_a_target(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(trained), "-o", str(tmp_path), "--json"]) == 2
    assert (
        capsys.readouterr().err
        == f"srnn-export: --output: {tmp_path} is a folder; name another file\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_plain_columns_where_there_is_no_terminal(trained: Path, tmp_path: Path) -> None:
    environment = {
        k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "TTY_COMPATIBLE"}
    }
    result = subprocess.run(
        [str(COMMAND), str(trained), "-o", str(tmp_path / "model.net")],
        capture_output=True,
        text=True,
        check=True,
        env={**environment, "TERM": "xterm-256color", "COLUMNS": "60"},
    )
    assert result.stderr == ""
    assert "\x1b" not in result.stdout
    assert "SRNN_ALIF" in result.stdout
    assert "float model and integer network on 12 samples" in result.stdout
    assert f"Wrote {tmp_path / 'model.net'}. Next: srnn-simulate" in " ".join(result.stdout.split())


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for word, said in (
        ("--help", "srnn-export model.pt -o ecg.net"),
        ("--version", "srnn-export "),
    ):
        with pytest.raises(SystemExit) as raised:
            main([word])
        assert raised.value.code == 0
        assert said in capsys.readouterr().out
    with pytest.raises(SystemExit) as raised:
        main([])
    assert raised.value.code == 2


def test_training_left_no_gradient_in_the_file(trained: Path) -> None:
    content = torch.load(trained, weights_only=True)
    assert not any(tensor.requires_grad for tensor in content["weights"].values())
