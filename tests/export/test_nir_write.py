"""From float models to NIR and back, with the same bits."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from export_models import float_model, spikes
from full_disk import command_on_full_disk
from hypothesis import given, settings
from hypothesis import strategies as st
from srnn.export.checkpoint import FloatModel, LayerConfig, write_model
from srnn.export.cli import main
from srnn.export.config import Delay
from srnn.export.errors import InputError
from srnn.export.float_run import run_float, with_answers
from srnn.export.network import same_network
from srnn.export.netx import read_net
from srnn.export.nir_import import import_nir
from srnn.export.nir_write import to_nir, write_nir
from srnn.neurons.cuba_lif import TAU_SYN_NONE, THRESHOLD_NEVER

pytestmark = pytest.mark.extra("nir")

NETWORKS = {
    "lif": (LayerConfig("lif", 12, recurrent=True), LayerConfig("lif", 5), LayerConfig("li", 3)),
    "cuba": (LayerConfig("cuba_lif", 12, recurrent=True), LayerConfig("cuba_lif", 4)),
    "cuba to li": (LayerConfig("cuba_lif", 12), LayerConfig("li", 3)),
    "late": (
        LayerConfig("lif", 12, recurrent=True, delay=Delay(0, 5), delay_rec=Delay(2, 9)),
        LayerConfig("lif", 5, delay=Delay(3, 3)),
        LayerConfig("li", 3, delay=Delay(0, 62)),
    ),
    "late cuba": (LayerConfig("cuba_lif", 12, recurrent=True, delay_rec=Delay(0, 9)),),
}


def model_of(layers: tuple[LayerConfig, ...], seed: int = 0, **changes: Any) -> FloatModel:
    task = {"name": "none", "dt": 0.004, "classes": [], "input_scale": 1.0, "message_bits": 0}
    model = float_model(*layers, seed=seed, task=task, **changes)
    if layers[-1].neuron != "li":
        model = replace(model, config=replace(model.config, readout="spike_count"))
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_by_way_of_nir_the_integers_are_the_same(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_of(NETWORKS[name])
    samples = with_answers(model, {"inputs": spikes(1, 6, 40)})
    pt, via, one, two = (tmp_path / f for f in ("model.pt", "via.nir", "one.net", "two.net"))
    write_model(pt, replace(model, samples=samples))
    assert main([str(pt), "-o", str(one)]) == 0
    assert main([str(pt), "-o", str(via)]) == 0
    assert "Wrote" in capsys.readouterr().out
    assert main([str(via), "-o", str(two), "--calibrate", str(pt), "--json"]) == 0
    parity = json.loads(capsys.readouterr().out)["parity"]
    assert parity["samples"] == 6
    first, second = read_net(one), read_net(two)
    assert same_network(first, second)
    assert first.provenance["quantization"] == second.provenance["quantization"]


@settings(max_examples=15)
@given(
    name=st.sampled_from(sorted(NETWORKS)),
    seed=st.integers(0, 1 << 20),
    dt=st.floats(1e-6, 10.0),
    taus=st.tuples(st.floats(0.21, 4.0), st.floats(5.0, 4090.0)),
)
def test_every_weight_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    seed: int,
    dt: float,
    taus: tuple[float, float],
) -> None:
    rng = np.random.default_rng(seed)
    model = model_of(NETWORKS[name], seed)
    weights = {
        key: rng.uniform(*taus, value.shape).astype(np.float32) if "tau" in key else value
        for key, value in model.weights.items()
    }
    model = replace(model, weights=weights)
    path = tmp_path_factory.mktemp("nir") / "model.nir"
    write_nir(path, to_nir(model, dt)[0])
    back = import_nir(path)
    assert [layer.neuron for layer in back.config.layers] == [
        layer.neuron for layer in model.config.layers
    ]
    assert (back.config.readout, back.task) == (model.config.readout, model.task)
    for key, value in model.weights.items():
        np.testing.assert_array_equal(back.weights[key], value, err_msg=key)


def test_currents_without_filter_and_readouts_with_one(tmp_path: Path) -> None:
    layers = (LayerConfig("cuba_lif", 9), LayerConfig("cuba_lif", 3))
    never = np.full(3, THRESHOLD_NEVER)
    none = np.full(9, TAU_SYN_NONE)
    model = float_model(*layers, layers__0__tau_syn=none, layers__1__threshold=never)
    graph, written = to_nir(model)
    assert written.dt == 0.001
    assert [k for k in written.nodes.values() if k not in {"Affine", "Linear"}] == [
        "Input", "LIF", "CubaLI", "Output",
    ]  # fmt: skip
    write_nir(tmp_path / "model.nir", graph)
    back = import_nir(tmp_path / "model.nir")
    for key, value in model.weights.items():
        np.testing.assert_array_equal(back.weights[key], value, err_msg=key)
    assert (tmp_path / "model.nir").stat().st_size > 0
    assert not run_float(model, spikes(0, 2, 30)).spikes[1].any()  # type: ignore[union-attr]


def test_a_readout_with_a_filter_becomes_integers_that_never_spike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = (LayerConfig("cuba_lif", 9), LayerConfig("cuba_lif", 3))
    model = float_model(*layers, layers__1__threshold=np.full(3, THRESHOLD_NEVER))
    write_nir(tmp_path / "model.nir", to_nir(model)[0])
    np.savez(tmp_path / "inputs.npz", inputs=spikes(1, 4, 60))
    target = tmp_path / "model.net"
    calibrate = ["--calibrate", str(tmp_path / "inputs.npz")]
    assert main([str(tmp_path / "model.nir"), "-o", str(target), *calibrate, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["parity"]["integer_spikes"]["0"] > 0
    assert result["parity"]["integer_spikes"]["1"] == 0
    assert result["layers"][1]["weight_range"][1] >= 200
    assert read_net(target).readout.kind == "membrane"


def test_what_nir_cannot_say_is_named_with_what_would_be_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = float_model(
        LayerConfig("alif", 4, recurrent=True), LayerConfig("lif", 4), LayerConfig("alif", 3),
        layers__0__adaptation=[0.1, 1.5, 0.2, 0.3], layers__0__tau_adp=[20, 30, 40, 500],
    )  # fmt: skip
    write_model(tmp_path / "model.pt", model)
    target = tmp_path / "model.nir"
    assert main([str(tmp_path / "model.pt"), "-o", str(target)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        "layer 0 (alif): NIR has no adaptive neuron; lost would be adaptation (up to 1.5) and"
        in line
    )
    assert "(20 to 500 steps)" in line
    assert "layer 2 (alif)" in line
    assert "layer 1" not in line
    assert not target.exists()


def test_a_dense_baseline_is_refused() -> None:
    model = float_model(LayerConfig("gru", 4), LayerConfig("linear", 2))
    with pytest.raises(InputError, match=r"layer 0 \(gru\): a dense.*layer 1 \(linear\): a dense"):
        to_nir(model)


def test_the_soft_reset_is_said_to_be_in_the_metadata_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(tmp_path / "model.pt", model_of(NETWORKS["lif"]))
    target = tmp_path / "model.nir"
    assert main([str(tmp_path / "model.pt"), "-o", str(target), "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert not target.exists()
    assert printed.count("subtracts the threshold one step later") == 2
    assert main([str(tmp_path / "model.pt"), "-o", str(target), "--json", "--dt", "0.001"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["dt"], result["nodes"]["layer0.w_rec"]) == (0.001, "Linear")
    graph = nir.read(target)
    assert graph.metadata["dt"] == 0.001
    assert graph.metadata["decay"] == "euler"
    assert graph.nodes["layer0.lif"].metadata["reset"] == "subtract"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--weight-bits", "4"], "--weight-bits: applies to integers"),
        (["--reset", "zero"], "--reset: is for reading a .nir file"),
        (["--dt", "-1"], "dt -1.0 is not a number of seconds above 0"),
    ],
)
def test_arguments_without_meaning_are_refused(
    arguments: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(tmp_path / "model.pt", model_of(NETWORKS["cuba"]))
    assert main([str(tmp_path / "model.pt"), "-o", str(tmp_path / "a.nir"), *arguments]) == 2
    assert expected in capsys.readouterr().err


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    write_model(tmp_path / "model.pt", model_of(NETWORKS["cuba"]))
    path = tmp_path / "new" / "model.nir"
    ended = command_on_full_disk(5000, "srnn.export", tmp_path / "model.pt", "-o", path)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith(f"srnn-export: {path}: File too large; the file needs ")
    assert ended.stderr.count("\n") == 1
    assert not path.parent.exists()


def test_a_kill_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "model.nir"
    target.write_bytes(b"old")
    graph, _ = to_nir(model_of(NETWORKS["cuba"]))

    def fails(file: io.BytesIO, graph: object) -> None:
        del graph
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(nir, "write", fails)
    with pytest.raises(OSError, match="disk full"):
        write_nir(target, graph)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
