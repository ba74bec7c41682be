"""A recipe that holds its data trains like one whose data lie in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from srnn.export import InputError, read_model
from srnn.tasks import load, task_from_arrays
from srnn.train import fit, make_recipe
from train_helpers import one_thread, task  # noqa: F401  a fixture

PLAIN: dict[str, Any] = {
    "model": {
        "readout": "mean_softmax",
        "layers": [{"neuron": "alif", "size": 8, "recurrent": True, "threshold": 0.1},
                   {"neuron": "li"}],
    },
    "training": {"epochs": 2, "batch_size": 8, "bundle_samples": 4},
}  # fmt: skip


def data(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(40) % 3
    return (rng.random((40, 15, 4)) < 0.1 + 0.2 * labels[:, None, None]).astype(np.uint8), labels


def test_data_in_memory_train_as_those_of_a_file(tmp_path: Path) -> None:
    x, y = data()
    np.savez(tmp_path / "own.npz", inputs=x, labels=y)
    model, state = fit(make_recipe(PLAIN, data=(x, y)), folder=tmp_path / "memory")
    options = {"train": "own.npz"}
    recipe = make_recipe({**PLAIN, "task": {"name": "arrays", "options": options}})
    other, _ = fit(recipe, load("arrays", tmp_path, options), tmp_path / "file")
    for name, weight in model.weights().items():
        assert np.array_equal(weight, other.weights()[name])
    stored = read_model(tmp_path / "memory" / "model.pt")
    assert stored.recipe["task"]["name"] == stored.task["name"] == "memory"
    assert stored.recipe["task"]["options"]["sha256"]
    assert state.epoch == 2


def test_a_run_resumes_on_the_same_data_alone(tmp_path: Path) -> None:
    recipe = make_recipe(PLAIN, data=data())
    whole, _ = fit(recipe, folder=tmp_path / "whole")
    short = make_recipe({**PLAIN, "training": {**PLAIN["training"], "epochs": 1}}, data=data())
    fit(short, folder=tmp_path / "run")
    with pytest.raises(InputError, match="sha256 was"):
        fit(make_recipe(PLAIN, data=data(1)), folder=tmp_path / "run", resume=True)
    resumed, _ = fit(recipe, folder=tmp_path / "run", resume=True)
    for name, weight in resumed.weights().items():
        assert np.array_equal(weight, whole.weights()[name])


def test_options_encode_the_data_and_those_of_another_task_are_left_out() -> None:
    x, y = data()
    own = {"options": {"encoding": "slope", "validation_fraction": 0.4}}
    recipe = make_recipe({**PLAIN, "task": own}, data=(x, y))
    assert recipe.task.options["encoding"] == "slope"
    digits = {"name": "digits", "options": {"window": 8}}
    recipe = make_recipe({**PLAIN, "task": digits}, data=(x, y))
    assert recipe.task.name == "memory"
    assert "window" not in recipe.plain()["task"]["options"]


def test_a_task_of_ones_own_is_taken_as_it_is(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    own = task()
    fit(make_recipe(PLAIN, data=own))
    assert read_model(tmp_path / "runs" / "tiny" / "model.pt").task["name"] == "tiny"
    with pytest.raises(InputError, match="the recipe names task digits; load it"):
        fit(make_recipe({**PLAIN, "task": {"name": "digits"}}), folder=tmp_path)
    with pytest.raises(InputError, match="labels of shape"):
        make_recipe(PLAIN, data=(np.zeros((3, 4, 2)), np.zeros(2, int)))
    assert task_from_arrays(data()).name == "memory"
