"""``srnn-train --show`` and ``--list``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from srnn.export.reading.text import read_toml
from srnn.tasks import TASKS
from srnn.train.cli import main
from srnn.train.recipe import make_recipe, read_plain, recipe_names
from srnn.train.settings import override
from srnn.train.show import as_toml, complete


@pytest.mark.parametrize("name", recipe_names())
def test_what_show_prints_is_the_same_recipe(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--show"]) == 0
    text = capsys.readouterr().out
    file = tmp_path / "my.toml"
    file.write_text(text, encoding="utf-8")
    recipe, again = make_recipe(read_plain(name)), make_recipe(read_plain(str(file)))
    assert complete(again) == complete(recipe)
    assert again.model.resolve(5, 10, 3) == recipe.model.resolve(5, 10, 3)
    assert (again.training, again.quantization) == (recipe.training, recipe.quantization)
    assert main([str(file), "--show"]) == 0
    assert capsys.readouterr().out == text


def test_every_setting_stands_there_under_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["digits", "--show", "--epochs", "7", "--layers.1.tau_mem.mean", "33"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line in (
        "epochs = 7", "truncate_steps = 0", "window = 16", "validation = 0.2",
        "tau_mem.mean = 33.0", "delay_rec.high = 0", "headroom = 0.8", "# size = (not set)",
        'surrogate.name = "multi_gaussian"',
    ):  # fmt: skip
        assert lines[lines.index(line) - 1].startswith("# ")
    # A terminal of 80 columns breaks none of them.
    assert max(len(line) for line in lines if not line.startswith("description")) <= 80


def test_an_option_that_must_be_given_is_named() -> None:
    assert "# train = (not set)" in as_toml(make_recipe(read_plain("arrays")))


def test_a_baseline_and_texts_survive() -> None:
    plain = override(read_plain("digits"), [("baseline", "lstm")])
    plain["description"] = 'quotes " and \\ and \u00fc'
    recipe = make_recipe(plain)
    again = make_recipe(read_toml(as_toml(recipe), "shown"))
    assert (again.description, again.model.baseline) == (plain["description"], "lstm")


def test_json_has_the_same_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["digits", "--show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["training"]["truncate_steps"] == 0
    assert shown["task"]["options"] == {"window": 16, "validation": 0.2, "test": 0.2, "seed": 0}
    assert shown["model"]["layers"][0]["tau_syn"]["mean"] == 5.0
    assert "size" not in shown["model"]["layers"][1]


def test_the_recipes_are_listed_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == recipe_names()
    (digits,) = [line for line in lines if line.startswith("digits ")]
    assert "256r" in digits
    assert TASKS["digits"].data in digits
    assert read_plain("digits")["description"] in digits
    assert main(["--list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["recipes"]
    assert [row["recipe"] for row in rows] == recipe_names()
    assert all(row["description"] and row["layers"] for row in rows)
