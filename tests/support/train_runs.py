"""Training runs in separate processes, and the comparison of two runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from srnn.export.checkpoint import read_model
from srnn.train.run import METRICS, MODEL, read_run
from train_helpers import (
    one_thread,  # noqa: F401  a fixture
)


def same_runs(one: Path, other: Path) -> None:
    same(read_run(one), read_run(other))
    models = [read_model(folder / MODEL) for folder in (one, other)]
    same(models[0].weights, models[1].weights)
    same(models[0].samples, models[1].samples)
    tables = [(folder / METRICS).read_text().splitlines() for folder in (one, other)]
    assert len(tables[0]) == len(tables[1])
    for a, b in zip(*tables, strict=True):
        assert a.rsplit(",", 1)[0] == b.rsplit(",", 1)[0]


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def torchrun(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TORCHRUN, *map(str, words)],
        env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def ours(errors: str) -> list[str]:
    """The lines that this project wrote to standard error, among torchrun's own."""
    return [line for line in errors.splitlines() if line.startswith("srnn-train: ")]


def same(one: Any, other: Any, where: str = "") -> None:
    """Assert equal bits in everything but wall time."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert list(one) == list(other), where
        for key in one:
            if key != "seconds":
                same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            same(a, b, f"{where}.{index}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, err_msg=where)
    else:
        assert one == other, where


TORCHRUN = [
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
]  # fmt: skip
