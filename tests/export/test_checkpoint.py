from __future__ import annotations

import contextlib
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from export_models import float_model, spikes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from srnn.export.checkpoint import (
    FORMAT_VERSION,
    FloatModel,
    LayerConfig,
    expected_weights,
    read_model,
    write_model,
)
from srnn.export.cli import main
from srnn.export.errors import InputError

pytestmark = pytest.mark.extra("train")

LAYERS = (LayerConfig("alif", 5, recurrent=True), LayerConfig("li", 3))
STEPS = 11


def model() -> FloatModel:
    made = float_model(*LAYERS)
    rng = np.random.default_rng(0)
    samples = {
        "inputs": spikes(0, 4, STEPS),
        "lengths": np.array([11, 11, 5, 8]),
        "targets": rng.integers(0, 3, (4, STEPS)),
        "valid": rng.random((4, STEPS)) < 0.5,
        "output": rng.normal(size=(4, STEPS, 3)).astype(np.float32),
        "spikes.0": rng.integers(0, 256, (4, 2, 5)).astype(np.uint8),
    }
    task = {"name": "x", "classes": ["a", "b", "c"], "message_bits": 0, "input_scale": 1.0}
    return FloatModel(
        made.config,
        made.weights,
        task=task,
        recipe={"training": {"seed": 3}, "layers": ({"size": 5},)},
        metrics={"test": {"accuracy": 0.5}, "none": None},
        samples=samples,
        versions={"srnn": "0"},
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    write_model(path, model())
    return path


def test_what_could_not_be_read_again_is_not_written(file: Path) -> None:
    before = file.read_bytes()
    made = model()
    made.metrics["loss"] = np.float64(0.5)
    with pytest.raises(InputError, match="not written"):
        write_model(file, made)
    assert file.read_bytes() == before
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_what_is_written_is_read(file: Path) -> None:
    one, other = model(), read_model(file)
    assert other.config == one.config
    for name in ("task", "recipe", "metrics", "versions"):
        assert getattr(other, name) == getattr(one, name)
    for mine, read in ((one.weights, other.weights), (one.samples, other.samples)):
        assert set(mine) == set(read)
        for name, value in mine.items():
            assert read[name].dtype == value.dtype
            np.testing.assert_array_equal(read[name], value)
    assert set(other.weights) == set(expected_weights(other.config))


def test_equal_models_are_equal_bytes(file: Path, tmp_path: Path) -> None:
    """Whatever read their texts: some are one object, others are copies."""
    made = model()
    options = {"device": "".join("cpu"), "kinds": ["".join("xy"), "".join("xy")], "a": made.task}
    shared = {"device": "cpu", "kinds": ["xy", "xy"], "a": {**made.task}}
    for name, recipe in (("one.pt", options), ("two.pt", shared)):
        write_model(tmp_path / name, replace(made, recipe=recipe))
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "two.pt").read_bytes()
    write_model(tmp_path / "again.pt", read_model(file))
    assert (tmp_path / "again.pt").read_bytes() == file.read_bytes()


def test_the_file_holds_plain_values_and_tensors(file: Path) -> None:
    content = torch.load(file, weights_only=True)
    assert content["format"] == "srnn-model"
    assert content["config"]["layers"][0]["neuron"] == "alif"


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Read the file and export it; return the error line, which must be the same."""
    with pytest.raises(InputError) as raised:
        read_model(path)
    line = str(raised.value)
    assert line.startswith(str(path))
    assert "\n" not in line
    before = sorted(path.parent.iterdir())
    assert main([str(path), "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.err == f"srnn-export: {line}\n"
    assert printed.out == ""
    assert sorted(path.parent.iterdir()) == before
    return line


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_truncated(file: Path, share: float, capsys: pytest.CaptureFixture[str]) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    refused(file, capsys)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_changed_bytes_never_end_in_a_traceback(file: Path, data: st.DataObject) -> None:
    content = bytearray(file.read_bytes())
    broken = file.with_name("broken.pt")
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    broken.write_bytes(bytes(content))
    with contextlib.suppress(InputError):
        read_model(broken)


class Foreign:
    """A class of another program."""


@pytest.mark.parametrize("how", ["pickle", "torch", "state", "text", "tensor", "zip"])
def test_files_of_other_programs(
    tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.pt"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Foreign()))
    elif how == "torch":
        torch.save({"model": Foreign()}, path)
    elif how == "state":
        torch.save({"i2h.weight": torch.zeros(3)}, path)
    elif how == "text":
        path.write_text("weights: 3\n")
    elif how == "tensor":
        torch.save(torch.zeros(3), path)
    else:
        path.write_bytes(b"PK\x05\x06" + bytes(18))
    line = refused(path, capsys)
    if how == "state":
        assert (
            "is a state_dict, weights without a network, not a trained model; srnn.train.from"
            in line
        )
    if how == "torch":
        assert "is a pickled Python object (" in line


def weight(content: dict[str, Any], name: str, index: int, value: float) -> None:
    content["weights"][name].reshape(-1)[index] = value


CHANGES: dict[str, tuple[Any, str]] = {
    "newer": (
        lambda c: c.update(format_version=FORMAT_VERSION + 1),
        "format version 2, this srnn reads 1 to 1; update srnn",
    ),
    "no version": (lambda c: c.pop("format_version"), "format version None"),
    "no weights": (lambda c: c.pop("weights"), "weights missing or not a table"),
    "no config": (lambda c: c.update(config=[1]), "config missing or not a table"),
    "samples list": (lambda c: c.update(samples=[1]), "samples missing or not a table"),
    "task text": (lambda c: c.update(task="ecg"), "task missing or not a table"),
    "missing": (lambda c: c["weights"].pop("layers.0.bias"), "missing layers.0.bias"),
    "surplus": (
        lambda c: c["weights"].update({"layers.7.bias": torch.zeros(1)}),
        "not known layers.7.bias",
    ),
    "name": (
        lambda c: c["weights"].update({"a\nb": torch.zeros(1)}),
        "weights: not known a b",
    ),
    "shape": (
        lambda c: c["weights"].update({"layers.0.weight": torch.zeros(6, 5)}),
        "layers.0.weight is float32 (6, 5), needs float32 (5, 6)",
    ),
    "dtype": (
        lambda c: c["weights"].update({"layers.0.bias": torch.zeros(5, dtype=torch.int32)}),
        "layers.0.bias is int32 (5,), needs float32 (5,)",
    ),
    "complex": (
        lambda c: c["weights"].update({"layers.0.bias": torch.zeros(5, dtype=torch.complex64)}),
        "layers.0.bias is complex64",
    ),
    "sparse": (
        lambda c: c["weights"].update({"layers.0.bias": torch.zeros(5).to_sparse()}),
        "is not a dense tensor",
    ),
    "number": (
        lambda c: c["weights"].update({"layers.0.bias": 3.0}),
        "is not a dense tensor",
    ),
    "nan": (
        lambda c: weight(c, "layers.0.weight", 7, float("nan")),
        "layers.0.weight[1, 1] is nan, not a finite number",
    ),
    "tau low": (
        lambda c: weight(c, "layers.0.tau_mem", 2, 0.1),
        "layers.0.tau_mem[2] is 0.1 steps, outside 0.2..4095 (1 of 5 neurons)",
    ),
    "tau high": (lambda c: weight(c, "layers.0.tau_adp", 0, 1e9), "tau_adp[0] is 1e+09 steps"),
    "threshold": (lambda c: weight(c, "layers.0.threshold", 0, -1), "threshold[0] is -1"),
    "neuron": (
        lambda c: c["config"]["layers"][0].update(neuron="izhikevich"),
        "config.layers.0: layer: unknown neuron 'izhikevich' (known: alif",
    ),
    "setting": (
        lambda c: c["config"]["layers"][0].update(refractory=3),
        "config.layers.0: unknown setting 'refractory'",
    ),
    "type": (
        lambda c: c["config"].update(input_size="six"),
        "config.input_size: 'six' is not a whole number",
    ),
    "scale": (
        lambda c: c["task"].update(input_scale="x"),
        "task: input_scale 'x' is not a number above 0",
    ),
    "dt": (lambda c: c["task"].update(dt=-1.0), "task: dt -1.0 is not a number above 0"),
    "bits": (lambda c: c["task"].update(message_bits=99), "task: message_bits 99"),
    "classes": (lambda c: c["task"].update(classes=["a"]), "are not 3 names, one per output"),
    "class": (lambda c: c["task"].update(classes=[1, 2, 3]), "are not 3 names"),
    "channels": (
        lambda c: c["samples"].update(inputs=torch.zeros(4, STEPS, 7, dtype=torch.uint8)),
        "samples: inputs (4, 11, 7), needs (sample, time, 6)",
    ),
    "real inputs": (
        lambda c: c["samples"].update(inputs=torch.zeros(4, STEPS, 6)),
        "samples: inputs is float32 (4, 11, 6), needs",
    ),
    "no output": (lambda c: c["samples"].pop("output"), "samples: needs inputs and output"),
    "output": (
        lambda c: c["samples"].update(output=torch.zeros(4, STEPS, 2)),
        "samples: output is float32 (4, 11, 2), needs (4, 11, 3)",
    ),
    "spikes": (
        lambda c: c["samples"].update({"spikes.0": torch.zeros(4, 3, 5, dtype=torch.uint8)}),
        "samples: spikes.0 is uint8 (4, 3, 5), needs (4, 2, 5)",
    ),
    "targets": (
        lambda c: c["samples"].update(targets=torch.zeros(3, dtype=torch.int64)),
        "samples: targets is int64 (3,), needs (4,) or (4, 11)",
    ),
    "lengths": (
        lambda c: c["samples"].update(lengths=torch.tensor([1, 2, 3, 12])),
        "samples: lengths 1..12 outside 0..11",
    ),
    "unknown": (
        lambda c: c["samples"].update(more=torch.zeros(1)),
        "samples: unknown entry 'more' (known: inputs",
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_wrong_entries(file: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    change, said = CHANGES[kind]
    content = torch.load(file, weights_only=True)
    change(content)
    torch.save(content, file)
    assert said in refused(file, capsys)


def test_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such file" in refused(tmp_path / "none.pt", capsys)
    assert "is a folder, not a trained model" in refused(tmp_path, capsys)


def test_tensors_that_want_a_gradient_are_read(file: Path) -> None:
    content = torch.load(file, weights_only=True)
    content["weights"]["layers.0.bias"].requires_grad_(True)
    torch.save(content, file)
    assert read_model(file).weights["layers.0.bias"].shape == (5,)
