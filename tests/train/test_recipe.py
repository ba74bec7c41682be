from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from paths import ROOT
from srnn import tasks
from srnn.export.checkpoint import LayerConfig
from srnn.export.errors import InputError
from srnn.train.network import SRNN
from srnn.train.recipe import Recipe, make_recipe, read_plain, recipe_names
from srnn.train.settings import override

PLAIN: dict[str, Any] = {
    "task": {"name": "digits", "options": {"window": 8}},
    "model": {
        "layers": [{"neuron": "alif", "size": 6}, {"neuron": "li"}],
        "surrogate": {"name": "gaussian"},
    },
    "training": {"epochs": 3},
}

SIZES = {
    "ecg": (4, 6, 10),
    "digits": (16, 10, 0),
    "smnist": (8, 10, 0),
    "psmnist": (4, 10, 0),
    "spoken-digits": (800, 10, 0),
}
"""Channels, classes and skipped steps of the tasks, for tasks without data here."""


def changed(*pairs: tuple[str, str]) -> Recipe:
    return make_recipe(override(PLAIN, pairs))


def test_recipes_are_those_that_ship() -> None:
    folder = ROOT / "train" / "recipes"
    assert recipe_names() == sorted(path.stem for path in folder.glob("*.toml"))
    assert {"digits", "digits-cuba", "ecg", "ecg-2020", "smnist", "psmnist"} <= set(recipe_names())


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_makes_a_network(name: str) -> None:
    recipe = make_recipe(read_plain(name))
    assert recipe.description
    sizes = SIZES.get(recipe.task.name, (3, 4, 0))
    config = recipe.model.resolve(*sizes)
    torch.manual_seed(0)
    model = SRNN(config, "loop")
    outputs = model((torch.rand(2, 12, sizes[0]) < 0.3).float())
    assert outputs.output.shape == (2, 12, sizes[1])
    assert bool(torch.isfinite(outputs.output).all())
    known = tasks.task_options(recipe.task.name)
    assert set(recipe.task.options) <= set(known)


@pytest.mark.parametrize(
    "name",
    [
        "digits",
        "digits-cuba",
        pytest.param("ecg", marks=pytest.mark.needs_data("qtdb_ecg")),
        pytest.param("ecg-2020", marks=pytest.mark.needs_data("qtdb_ecg")),
        pytest.param("spoken-digits", marks=pytest.mark.needs_data("fsdd")),
    ],
)
def test_recipes_fit_their_tasks(name: str, data_dir: Path) -> None:
    recipe = make_recipe(read_plain(name))
    task = tasks.load(recipe.task.name, data_dir, recipe.task.options)
    assert (task.input_size, len(task.classes), task.skip_steps) == SIZES[task.name]
    config = recipe.model.resolve(task.input_size, len(task.classes), task.skip_steps)
    assert config.layers[-1].size == len(task.classes)
    assert (config.readout == "membrane") == task.per_step


def test_defaults_fill_what_a_recipe_leaves_out() -> None:
    recipe = changed()
    assert (recipe.training.epochs, recipe.training.batch_size) == (3, 64)
    config = recipe.model.resolve(8, 10, 2)
    assert [layer.size for layer in config.layers] == [6, 10]
    assert (config.input_size, config.skip_steps, config.readout) == (8, 2, "membrane")
    assert config.surrogate.name == "gaussian"


def test_one_setting_of_a_table_leaves_its_other_defaults() -> None:
    layer = changed(("layers.0.tau_adp.std", "2")).model.resolve(8, 10, 0).layers[0]
    assert layer.tau_adp == replace(LayerConfig("alif", 6).tau_adp, std=2)
    assert layer.tau_adp.mean == 150


def test_settings_in_long_and_short_form() -> None:
    recipe = changed(
        ("epochs", "5"),
        ("training.batch-size", "7"),
        ("learning_rate", "1"),
        ("layers.0.size", "9"),
        ("model.layers.1.weight-gain", "2.5"),
        ("layers.0.tau_mem.mean", "11"),
        ("layers.0.recurrent", "true"),
        ("readout", "mean_softmax"),
        ("surrogate.name", "linear"),
        ("task.options.window", "4"),
        ("task.name", "psmnist"),
        ("labelled-only", "true"),
    )
    training, config = recipe.training, recipe.model.resolve(4, 10, 0)
    assert (training.epochs, training.batch_size, training.labelled_only) == (5, 7, True)
    assert training.learning_rate == 1.0
    assert isinstance(training.learning_rate, float)
    assert (config.layers[0].size, config.layers[1].weight_gain) == (9, 2.5)
    assert (config.layers[0].tau_mem.mean, config.layers[0].recurrent) == (11.0, True)
    assert (config.readout, config.surrogate.name) == ("mean_softmax", "linear")
    assert (recipe.task.name, recipe.task.options) == ("psmnist", {"window": 4})
    assert PLAIN["training"] == {"epochs": 3}
    assert PLAIN["model"]["layers"][0] == {"neuron": "alif", "size": 6}


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("epoch", "5", "unknown option '--epoch'; did you mean '--epochs'?"),
        ("training.learnin_rate", "5", "did you mean '--learning-rate'?"),
        ("layers.0.sise", "5", "unknown option '--layers.0.sise'; did you mean '--layers.0.size'?"),
        ("model.reedout", "5", "did you mean '--readout'?"),
        ("epochs.more", "5", "unknown option '--epochs.more'; did you mean '--epochs'?"),
        ("layers.2.size", "5", "there are 2 entries in model.layers, 0 to 1"),
        ("layers.-1.size", "5", "there are 2 entries in model.layers"),
        ("layers.².size", "5", "there are 2 entries in model.layers"),
        ("layers.0", "5", "name a setting of the layer, such as layers.0.size"),
        (
            "layers.0.size.more",
            "5",
            "--layers.0.size.more: no setting; model.layers.0.size is a value",
        ),
        ("layers.0.size.more.still", "5", "no setting; "),
        ("task.options.window.more", "5", "no setting; "),
        ("training.epochs", "many", "training.epochs: 'many' is not a whole number"),
        ("epochs", "2.5", "2.5 is not a whole number"),
        ("epochs", "true", "True is not a whole number"),
        ("epochs", "0", "epochs: 0 is below 1"),
        ("seed", str(2**63), "seed: 9223372036854775808 is above"),
        ("learning-rate", "0", "learning_rate: 0.0 is not above 0"),
        ("learning-rate", "nan", "training.learning_rate: nan is not a finite number"),
        ("learning-rate", "inf", "training.learning_rate: inf is not a finite number"),
        ("learning-rate", "1" + "0" * 400, "not a finite number"),
        ("clip-gradient", "-1", "clip_gradient: -1.0 is below 0"),
        ("labelled-only", "yes", "'yes' is not true or false"),
        ("readout", "3", "model.readout: 3 is not text"),
        ("optimizer", "admw", "training: unknown optimizer 'admw'; did you mean 'adamw'?"),
        ("schedule", "x", "unknown schedule 'x' (known: constant, step, cosine, linear)"),
        ("layers", "3", "model.layers: 3 is not a list"),
        ("layers.0.tau_mem.kind", "gauss", "unknown kind 'gauss' (known: constant"),
        ("layers.0.tau_mem", "20", "tau_mem: 20 is not a table"),
        (
            "layers.0.neuron",
            "alf",
            "model.layers.0: layer: unknown neuron 'alf'; did you mean 'alif'?",
        ),
        ("layers.1.size", "11", "model.layers.1.size: 11 output neurons for 10 classes"),
        ("surrogate.slop", "1", "model.surrogate: unknown setting 'slop'; did you mean 'slope'?"),
    ],
)
def test_settings_that_are_refused(path: str, text: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        changed((path, text)).model.resolve(8, 10, 0)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({**PLAIN, "modell": {}}, "recipe: unknown setting 'modell'; did you mean 'model'?"),
        ({"model": PLAIN["model"]}, "task: is missing"),
        ({**PLAIN, "model": 3}, "model: 3 is not a table of settings"),
        ({**PLAIN, "training": [1]}, "training: [1] is not a table"),
        ({**PLAIN, "model": {"layers": [3]}}, "model.layers.0: 3 is not a table"),
    ],
)
def test_tables_that_are_refused(plain: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        make_recipe(plain)
    assert said in str(raised.value)


def test_a_setting_of_a_model_that_is_no_table() -> None:
    for path in ("layers.0.size", "readout", "nonsense"):
        with pytest.raises(InputError, match=r"no setting; |unknown option"):
            override({**PLAIN, "model": 3}, [(path, "1")])


def test_files(tmp_path: Path) -> None:
    good, bad, binary = (tmp_path / name for name in ("a.toml", "b.toml", "c.toml"))
    good.write_text('[task]\nname = "digits"\n', encoding="utf-8")
    bad.write_text("[task\n", encoding="utf-8")
    binary.write_bytes(b"\xff\xfe\x00")
    assert read_plain(str(good)) == {"task": {"name": "digits"}}
    for name, said in (
        (str(bad), "not TOML"),
        (str(binary), "save it as UTF-8"),
        (str(tmp_path / "none.toml"), "no such file"),
        (str(tmp_path), "is a folder, not a recipe"),
        ("digts", "did you mean 'digits'?"),
    ):
        with pytest.raises(InputError, match=said.replace("?", r"\?")):
            read_plain(name)
