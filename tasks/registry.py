"""The table of tasks, and loading one by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, get_type_hints

import numpy as np

from ..export.plain import build
from ..export.suggest import check_known
from .arrays import ArraysOptions, load_arrays
from .base import Task
from .digits import DigitsOptions, load_digits_task
from .ecg import EcgOptions, load_ecg
from .errors import DataError
from .event_lists import EventLists
from .heidelberg import ShdOptions, SscOptions, load_shd, load_ssc
from .memory import NAME as MEMORY
from .mnist import PSMnistOptions, SMnistOptions, load_psmnist, load_smnist
from .plain import parse_value
from .spoken_digits import SpokenDigitsOptions, load_spoken_digits


@dataclass(frozen=True)
class TaskEntry:
    """A task in the table.

    Parameters
    ----------
    loader
        Loads it from its options, a folder or None, and whether to download.
    options
        The dataclass of its options.
    summary
        What it is, in one line.
    data
        Which files it needs, and how one gets them, in a few words.
    """

    loader: Callable[[Any, str | os.PathLike[str] | None, bool], Task]
    options: type
    summary: str
    data: str


TASKS: dict[str, TaskEntry] = {
    "ecg": TaskEntry(
        load_ecg, EcgOptions, "QTDB electrocardiogram, a label at every step", "--download"
    ),
    "digits": TaskEntry(
        load_digits_task,
        DigitsOptions,
        "scikit-learn's 8x8 digits, pixel by pixel, 64 steps",
        "in scikit-learn",
    ),
    "smnist": TaskEntry(
        load_smnist, SMnistOptions, "MNIST pixel by pixel, 784 steps", "--download"
    ),
    "psmnist": TaskEntry(
        load_psmnist,
        PSMnistOptions,
        "MNIST pixel by pixel in a stored random order, 784 steps",
        "--download",
    ),
    "spoken-digits": TaskEntry(
        load_spoken_digits,
        SpokenDigitsOptions,
        "Free Spoken Digit Dataset, ten digits by six speakers, as spikes of mel bands",
        "--download",
    ),
    "shd": TaskEntry(
        load_shd,
        ShdOptions,
        "Spiking Heidelberg Digits: spoken digits, 700 cochlea units",
        "by hand, in shd/",
    ),
    "ssc": TaskEntry(
        load_ssc,
        SscOptions,
        "Spiking Speech Commands: 35 spoken words, 700 cochlea units",
        "by hand, in ssc/",
    ),
    "arrays": TaskEntry(
        load_arrays,
        ArraysOptions,
        "your own sequences from .npz, HDF5, CSV or .ts files",
        "your own files",
    ),
}
"""The tasks by name."""


def load(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    options: Mapping[str, Any] | None = None,
    download: bool = False,
) -> Task:
    """Load a task.

    Parameters
    ----------
    name
        Its name in ``TASKS``.
    data_dir
        Folder of its files, or a root that contains that folder; else ``SRNN_DATA`` and the cache.
    options
        Options by name, plain values; defaults for the others. The options in
        ``Task.description`` load the same task again.
    download
        Fetch missing files into the cache.

    Raises
    ------
    DataError
        An unknown name or option, a value of another type or out of range, or files that are
        missing or damaged.
    """
    entry = _entry(name)
    given = dict(options or {})
    for field in fields(entry.options):
        if field.default is MISSING and field.name not in given:
            raise DataError(
                f"{name}.{field.name}: is missing; give --task.options.{field.name} or the option "
                f"{field.name!r} in Python (docs/TASKS.md)"
            )
    task = entry.loader(build(entry.options, given, name, DataError), data_dir, download)
    for part, split in task.splits().items():
        inputs = split.inputs
        if len(split) and not (
            len(inputs.sources) if isinstance(inputs, EventLists) else np.any(inputs)
        ):
            raise DataError(
                f"{name}, {part} split: every input of its {len(split)} sequences is 0; choose a "
                "lower threshold, another encoding, or check the unit of the file's times"
            )
    return task


def task_options(name: str) -> dict[str, Any]:
    """Return a task's options with their defaults, plain values; None for required ones.

    The meaning of each is in the docstring of the task's options class, ``TASKS[name].options``.
    """
    return {
        f.name: None if f.default is MISSING else f.default for f in fields(_entry(name).options)
    }


def options_from_text(name: str, pairs: Sequence[str]) -> dict[str, Any]:
    """Read options from ``name=value`` texts of a command line.

    Raises
    ------
    DataError
        No ``=``, an unknown option, or a value of another type.
    """
    entry = _entry(name)
    hints = get_type_hints(entry.options)
    values: dict[str, Any] = {}
    for pair in pairs:
        key, found, text = pair.partition("=")
        if not found:
            raise DataError(f"{name}: option {pair!r} has no '='; write name=value")
        values[key] = parse_value(text, hints[key]) if key in hints else text
    check_options(name, values)
    return values


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options that a task does not have, or not with these values; no file is read.

    Options that must be given may be missing still.

    Raises
    ------
    DataError
        An unknown name or option, or a value of another type or range.
    """
    kind = _entry(name).options
    required = {f.name: "-" for f in fields(kind) if f.default is MISSING}
    build(kind, {**required, **options}, name, DataError)


def _entry(name: str) -> TaskEntry:
    if name == MEMORY:
        raise DataError(
            "task memory: its data were given in Python; go on there, with the same data to "
            "make_recipe and fit(..., resume=True)"
        )
    check_known("task", name, TASKS, error=DataError)
    return TASKS[name]
