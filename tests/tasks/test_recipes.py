"""Every recipe trains from three seeds, in float and on the grid, with finite numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from heidelberg_files import write_shd, write_ssc
from srnn import tasks
from srnn.simulate.simulator import run
from srnn.tasks import Task
from srnn.train.loop import fit
from srnn.train.recipe import Recipe, make_recipe, read_plain, recipe_names
from torch.optim.optimizer import register_optimizer_step_pre_hook

pytestmark = pytest.mark.extra("train")

BATCH, STEPS = 6, 3
"""Samples per batch, and batches: a few, since faults of an untrained network occur early."""
LARGEST = 1e4
"""Norm far above all of these gradients; by default training stops at 1e9."""
FOLDERS = {"ecg": "qtdb_ecg", "smnist": "mnist", "psmnist": "mnist", "spoken-digits": "fsdd"}
"""Real data, for the tasks that need it."""


def sensor_file(folder: Path) -> Path:
    """Three classes of two noisy waves, like those of a user of ``arrays``."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    phase = rng.uniform(0, 2 * math.pi, (60, 1, 2))
    waves = np.sin(np.arange(80)[:, None] * (0.1 + 0.1 * labels[:, None, None]) + phase)
    path = folder / "sensors.npz"
    np.savez(path, inputs=waves + rng.normal(0, 0.1, waves.shape), labels=labels)
    return path


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Batches are too small to share between threads, and the machine may be busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in the layout of the tasks whose data is not available."""
    folder = tmp_path_factory.mktemp("data")
    write_ssc(write_shd(folder))
    sensor_file(folder)
    return folder


def task_of(recipe: Recipe, made: Path, data_dir: Path) -> Task:
    """Some samples of a recipe's task, drawn from all of its training data."""
    name, options = recipe.task.name, dict(recipe.task.options)
    if name == "arrays":
        options["train"] = str(made / "sensors.npz")
    whole = tasks.load(name, made if name in {"shd", "ssc"} else data_dir, options)
    chosen = np.random.default_rng(0).permutation(len(whole.train))[: BATCH * STEPS]
    few = np.arange(min(len(whole.validation), BATCH))
    return replace(whole, train=whole.train.take(chosen), validation=whole.validation.take(few))


def marked(name: str) -> Any:
    folder = FOLDERS.get(make_recipe(read_plain(name)).task.name)
    return pytest.param(name, marks=pytest.mark.needs_data(folder)) if folder else name


@pytest.mark.slow
@pytest.mark.parametrize("name", [marked(name) for name in recipe_names()])
def test_it_trains_from_three_seeds(name: str, made: Path, data_dir: Path, tmp_path: Path) -> None:
    recipe = make_recipe(read_plain(name))
    task = task_of(recipe, made, data_dir)
    norms: list[float] = []

    def measure(optimizer: torch.optim.Optimizer, *_: object) -> None:
        gradients = [
            p.grad.double().norm()
            for group in optimizer.param_groups
            for p in group["params"]
            if p.grad is not None
        ]
        norms.append(float(torch.stack(gradients).norm()))

    handle = register_optimizer_step_pre_hook(measure)
    try:
        for quantize in (False, True):
            for seed in range(3):
                training = replace(
                    recipe.training, seed=seed, epochs=1, batch_size=BATCH, bundle_samples=1,
                    quantize=quantize,
                    # The chip resets its state before every sequence: no recipe truncates on the
                    # grid.
                    truncate_steps=0 if quantize else recipe.training.truncate_steps,
                )  # fmt: skip
                norms.clear()
                model, state = fit(
                    replace(recipe, training=training), task, tmp_path / f"{seed}{quantize}",
                    simulate=lambda *given: run(*given, record="states"),
                )  # fmt: skip
                assert len(norms) >= min(STEPS, len(task.train) // BATCH)
                # A gradient of 0 would be as dead as an infinite one.
                assert all(0 < norm < LARGEST for norm in norms), (seed, quantize, norms)
                assert all(math.isfinite(value) for value in state.history[0].values())
                for weight, value in model.weights().items():
                    assert np.isfinite(value).all(), weight
    finally:
        handle.remove()
