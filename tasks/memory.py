"""Data in memory as a task, on the same terms as the files of ``arrays``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export.plain import build
from .arrays import ArraysOptions, make_task
from .base import Task
from .errors import DataError
from .recordings import Recordings, from_arrays

Data = Mapping[str, Any] | Sequence[Any]
"""Inputs (sample, time, channel) and labels, or a table of arrays as an ``.npz`` holds."""

NAME = "memory"
FILES = ("train", "validation", "test")


def task_from_arrays(
    train: Data,
    validation: Data | None = None,
    test: Data | None = None,
    options: Mapping[str, Any] | None = None,
) -> Task:
    """Make a task of arrays or tensors in memory.

    Parameters
    ----------
    train, validation, test
        Pairs of inputs (sample, time, channel) and labels, (sample,) or (sample, time); or tables
        with ``inputs``, ``labels`` and if wanted ``lengths`` or ``offsets``, as docs/TASKS.md
        describes them for ``.npz`` files. What is None is drawn from the training data.
    options
        Those of ``arrays`` that name no file: ``encoding``, ``validation_fraction``, ``seed``...

    Raises
    ------
    DataError
        Data or options that cannot be used, or that do not fit together.

    Example
    -------
    ::

        task = task_from_arrays((x, y), options={"encoding": "level_crossing", "dt": 0.004})
    """
    given = dict(options or {})
    for name in FILES:
        if name in given:
            raise DataError(f"{NAME}, option {name}: names a file; give the arrays instead")
    parts = {"train": train, "validation": validation, "test": test}
    tables = {name: _table(data, name) for name, data in parts.items() if data is not None}
    built = build(ArraysOptions, {**given, **dict.fromkeys(tables, NAME)}, NAME, DataError)
    recordings = {name: _recordings(table, name) for name, table in tables.items()}
    kept = {name: value for name, value in asdict(built).items() if name not in FILES}
    described = {**kept, "sha256": _digest(tables)}
    return make_task(NAME, recordings, built, described)


def _table(data: Data, name: str) -> dict[str, npt.NDArray[Any]]:
    if isinstance(data, Mapping):
        table = dict(data)
    elif isinstance(data, (tuple, list)) and len(data) == 2:
        table = {"inputs": data[0], "labels": data[1]}
    else:
        raise DataError(f"{NAME}, {name}: give a pair of inputs and labels, or a table of arrays")
    return {str(key): _array(value, f"{NAME}, {name}: {key}") for key, value in table.items()}


def _array(value: Any, where: str) -> npt.NDArray[Any]:
    # A tensor may have a gradient or lie on another device.
    value = value.detach().cpu().numpy() if hasattr(value, "detach") else value
    try:
        return np.asarray(value)
    except ValueError:
        raise DataError(
            f"{where}: rows of different lengths; give one array of all steps with offsets"
        ) from None


def _recordings(table: dict[str, npt.NDArray[Any]], name: str) -> Recordings:
    return from_arrays(table, f"{NAME}, {name}")


def _digest(tables: dict[str, dict[str, npt.NDArray[Any]]]) -> str:
    """Return what tells other data, so that a run is not resumed on them."""
    found = hashlib.sha256()
    for part, table in sorted(tables.items()):
        for name, array in sorted(table.items()):
            found.update(f"{part} {name} {array.dtype} {array.shape};".encode())
            found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
