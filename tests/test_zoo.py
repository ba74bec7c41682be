"""The networks in zoo/ give the bits in them and the accuracies that zoo/networks.toml has."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from paths import ROOT
from srnn.export.checkpoint import read_model
from srnn.export.netx import read_net, read_samples
from srnn.export.quantize import quantize
from srnn.export.trace import compare
from srnn.simulate import reference
from srnn.simulate.cli import main
from srnn.simulate.evaluate import evaluate
from srnn.simulate.simulator import run
from srnn.tasks import load
from srnn.train.recipe import make_recipe, read_plain
from srnn.train.settings import override

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ZOO = ROOT / "zoo"
NETWORKS: dict[str, dict[str, Any]] = tomllib.loads((ZOO / "networks.toml").read_text())
NAMES = sorted(NETWORKS)
WITH_MODEL = [name for name in NAMES if NETWORKS[name]["model"]]
DATA = {"ecg": "qtdb_ecg", "spoken-digits": "fsdd"}


def test_every_file_is_listed_and_all_are_small() -> None:
    files = [*ZOO.glob("*.net"), *ZOO.glob("*.pt")]
    assert sorted(file.name for file in files) == sorted(
        [*(f"{name}.net" for name in NAMES), *(f"{name}.pt" for name in WITH_MODEL)]
    )
    assert sum(file.stat().st_size for file in files) <= 1_000_000
    text = (ZOO / "README.md").read_text(encoding="utf-8")
    for name, network in NETWORKS.items():
        assert f"| `{name}.net` " in text
        assert f"`srnn-train {network['train']}`" in text
        assert f"{100 * network['test']:.2f} %" in text


@pytest.mark.parametrize("name", NAMES)
def test_bundled_samples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = ZOO / f"{name}.net"
    network, samples = read_net(file), read_samples(file)
    assert samples is not None
    fast = run(network, samples.inputs, samples.lengths)
    assert np.array_equal(fast.output, samples.output)
    slow = reference.run(network, samples.inputs, samples.lengths)
    assert sum(row.different for row in compare(fast, slow)) == 0
    assert main([str(file)]) == 0
    assert f"accuracy {NETWORKS[name]['bundled']:.4f} (of these samples)" in capsys.readouterr().out


@pytest.mark.parametrize("name", WITH_MODEL)
def test_the_network_is_what_export_makes_of_the_model(name: str) -> None:
    model, network = read_model(ZOO / f"{name}.pt"), read_net(ZOO / f"{name}.net")
    # Trained on the grid: nothing is calibrated, so no simulator is asked for.
    made, _ = quantize(model, None, run, np.zeros((0, 1, network.input_size), np.int64), None)
    inputs = model.samples["inputs"].astype(np.int64)
    ours, theirs = (run(n, inputs, model.samples["lengths"]) for n in (made, network))
    assert sum(row.different for row in compare(ours, theirs)) == 0


@pytest.mark.parametrize("name", WITH_MODEL)
def test_the_command_is_the_one_that_made_it(name: str) -> None:
    recipe, *words = NETWORKS[name]["train"].split()
    words = [word for word in words if word != "--quantize"]
    settings = [(words[i].removeprefix("--"), words[i + 1]) for i in range(0, len(words), 2)]
    asked = make_recipe(override(read_plain(recipe), [*settings, ("training.quantize", "true")]))
    stored = read_model(ZOO / f"{name}.pt").recipe
    assert stored["training"]["seed"] == asked.training.seed
    assert stored["training"]["epochs"] == asked.training.epochs
    assert stored["training"]["quantize"]
    sizes = [layer.get("size") for layer in stored["model"]["layers"]]
    assert sizes[0] == asked.model.layers[0]["size"]


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.needs_data(DATA[n])] if n in DATA else []) for n in NAMES],
)
def test_recorded_accuracy_on_the_test_split(name: str, request: pytest.FixtureRequest) -> None:
    network = read_net(ZOO / f"{name}.net")
    folder = request.getfixturevalue("data_dir") if name in DATA else None
    task = load(network.task["name"], folder, options=network.task["options"])
    found = evaluate(network, task.test, skip_steps=task.skip_steps).metrics["accuracy"]
    assert round(found, 4) == NETWORKS[name]["test"]
