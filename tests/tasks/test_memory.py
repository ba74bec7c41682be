"""Arrays in memory give the task that the same arrays in a file give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from srnn.tasks import DataError, Task, load, task_from_arrays


def arrays(count: int = 40, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    inputs = rng.normal(labels[:, None, None], 1.0, (count, 12, 2))
    return {"inputs": inputs, "labels": labels}


def same(one: Task, other: Task) -> None:
    for part, split in one.splits().items():
        theirs = other.splits()[part]
        for name in ("inputs", "targets", "lengths", "valid"):
            assert np.array_equal(getattr(split, name), getattr(theirs, name)), (part, name)
    assert (one.classes, one.encoder, one.message_bits) == (
        other.classes, other.encoder, other.message_bits,
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["graded", "level_crossing", "slope"])
def test_arrays_in_memory_are_those_of_a_file(encoding: str, tmp_path: Path) -> None:
    table = {**arrays(), "lengths": np.resize([12, 9, 10], 40)}
    np.savez(tmp_path / "own.npz", **table)
    given = {"encoding": encoding, "validation_fraction": 0.3, "seed": 4, "dt": 0.01}
    file = load("arrays", tmp_path, {"train": "own.npz", **given})
    task = task_from_arrays(table, options=given)
    same(task, file)
    assert task.dt == file.dt == 0.01
    kept = {n: v for n, v in file.options.items() if n not in {"train", "validation", "test"}}
    assert {n: v for n, v in task.options.items() if n != "sha256"} == kept


def test_splits_of_their_own_are_kept(tmp_path: Path) -> None:
    parts = [arrays(30), arrays(9, 1), arrays(12, 2)]
    names = ("train", "validation", "test")
    for name, table in zip(names, parts, strict=True):
        np.savez(tmp_path / f"{name}.npz", **table)
    options = {"encoding": "graded"}
    file = load("arrays", tmp_path, {**options, **{name: f"{name}.npz" for name in names}})
    pairs = [(table["inputs"], table["labels"]) for table in parts]
    task = task_from_arrays(*pairs, options=options)
    same(task, file)
    assert [len(split) for split in task.splits().values()] == [30, 9, 12]


@pytest.mark.extra("train")
def test_tensors_are_taken_and_other_data_are_told() -> None:
    import torch

    table = arrays()
    real = torch.tensor(table["inputs"], requires_grad=True)
    pair = (real, torch.tensor(table["labels"]))
    one = task_from_arrays(pair, options={"encoding": "slope"})
    same(one, task_from_arrays(table, options={"encoding": "slope"}))
    table["inputs"][3, 2, 1] += 1e-9
    other = task_from_arrays(table, options={"encoding": "slope"})
    assert one.options["sha256"] != other.options["sha256"]


@pytest.mark.parametrize(
    ("data", "options", "line"),
    [
        (np.zeros((3, 4, 2)), {}, "give a pair of inputs and labels"),
        ({"inputs": np.zeros((3, 4, 2))}, {}, "no 'labels'"),
        ((np.zeros((3, 4)), np.zeros(3, int)), {}, r"inputs of shape \(3, 4\)"),
        ((np.zeros((3, 4, 2)), np.zeros(2, int)), {}, "labels of shape"),
        (([[1, 2], [3]], [0, 1]), {}, "rows of different lengths; give one array"),
        (arrays(), {"train": "x.npz"}, "option train: names a file"),
        (arrays(), {"encodin": "graded"}, "did you mean 'encoding'"),
    ],
)
def test_what_cannot_be_used_is_one_line(data: Any, options: dict[str, Any], line: str) -> None:
    with pytest.raises(DataError, match=line) as error:
        task_from_arrays(data, options=options)
    assert "\n" not in str(error.value)


def test_a_task_in_memory_is_not_loaded_by_name() -> None:
    with pytest.raises(DataError, match="its data were given in Python"):
        load("memory")
