"""A training run on disk: what ``--resume`` continues from, and the logs.

A run's folder holds ``checkpoint.pt`` (everything that the next step depends on), ``model.pt`` (the
weights that were best on the validation split), ``metrics.csv``, TensorBoard events, and an empty
``.lock`` (``run_folder.py``), which stays.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..export.errors import InputError
from ..export.files import replace_file
from ..export.reading.torch_file import read_torch
from .network import SRNN
from .recipe import ModelRecipe, Recipe, TaskConfig
from .run_folder import CHECKPOINT, METRICS
from .run_folder import MODEL as MODEL  # noqa: PLC0414 others take it from here

FORMAT = "srnn-run"
FORMAT_VERSION = 1


@dataclass
class RunState:
    """The progress of a run: in ``epoch``, before batch ``batch``, with that epoch's sums so far.

    ``doublings``, and those of the best weights: for a run on the grid (``OnGrid``), else empty.
    """

    epoch: int = 0
    batch: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1
    best_accuracy: float = -1.0
    best_loss: float = 0.0
    best_weights: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    doublings: list[list[int]] = field(default_factory=list)
    best_doublings: list[list[int]] = field(default_factory=list)


CHECKPOINT_SHARE = 0.05
"""Largest share of a run's time spent on checkpoints if epochs are short."""


class Checkpoints:
    """Writes a run's checkpoint and metrics; if killed, either the old or the new ones remain.

    Parameters
    ----------
    folder
        The run's folder; made if it is missing.
    recipe, model, optimizer
        What the checkpoint holds in addition to the progress.
    writes
        False in a process that does not write the files.
    check
        Called before anything is written; refuses it by raising.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        model: SRNN,
        optimizer: torch.optim.Optimizer,
        *,
        writes: bool = True,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._check = check
        self._folder, self._recipe = folder, recipe
        self._model, self._optimizer = model, optimizer
        self._writes = writes
        self._next = 0.0
        if writes:
            folder.mkdir(parents=True, exist_ok=True)

    def due(self) -> bool:
        """Return whether the last one is old enough that another costs little next to training."""
        return time.monotonic() >= self._next

    def save(self, state: RunState) -> None:
        """Write the checkpoint and the metrics."""
        if not self._writes:
            return
        self._check()
        started = time.monotonic()
        content = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "recipe": self._recipe.plain(),
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "random_state": torch.get_rng_state(),
            "state": {
                **asdict(state),
                "best_weights": {n: torch.from_numpy(w) for n, w in state.best_weights.items()},
            },
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        replace_file(self._folder / CHECKPOINT, buffer.getvalue())
        write_metrics(self._folder / METRICS, state.history)
        ended = time.monotonic()
        self._next = ended + (ended - started) / CHECKPOINT_SHARE


def write_metrics(path: Path, history: list[dict[str, float]]) -> None:
    """Write one row per epoch."""
    text = io.StringIO()
    if history:
        writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
    replace_file(path, text.getvalue())


def read_run(folder: Path) -> dict[str, Any]:
    """Read a checkpoint.

    Raises
    ------
    InputError
        There is no checkpoint, or it is damaged or of a newer version.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        raise InputError(f"{path}: no such file, nothing to resume")
    try:
        content = read_torch(path)
    except InputError as error:
        raise InputError(f"{error}; start again with --overwrite") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not a checkpoint of srnn-train")
    if content.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path}: format version {content.get('format_version')}, this srnn reads "
            f"{FORMAT_VERSION}"
        )
    tables = ("recipe", "model", "optimizer", "state")
    missing = [name for name in tables if not isinstance(content.get(name), dict)]
    if missing or not isinstance(content.get("random_state"), torch.Tensor):
        raise InputError(
            f"{path}: {', '.join(missing) or 'random_state'} missing or malformed; start "
            "again with --overwrite"
        )
    return content


def restore(content: dict[str, Any], model: SRNN, optimizer: torch.optim.Optimizer) -> RunState:
    """Load a checkpoint into a model and its optimizer, and return the progress of the run.

    Raises
    ------
    InputError
        Its weights or entries do not fit such a run, or a weight is not finite.
    """
    values = content["state"]
    try:
        model.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])
        best = {n: w.numpy() for n, w in values["best_weights"].items()}
        state = RunState(**{**values, "best_weights": best})
        torch.set_rng_state(content["random_state"])
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"resume: the checkpoint does not fit this network ({reason}); start again with "
            "--overwrite"
        ) from None
    for name, values in content["model"].items():
        if not bool(torch.isfinite(values).all()):
            raise InputError(
                f"resume: {name} in the checkpoint is not finite; start again with --overwrite"
            )
    return state


def check_same_recipe(stored: dict[str, Any], recipe: Recipe) -> None:
    """Refuse to resume with settings that would have given another run.

    Epochs may increase if the schedule does not depend on them; device, threads, engine and the
    gradient at which training stops may change.

    Raises
    ------
    InputError
        A setting differs, with both values.
    """
    free = {"training.device", "training.threads", "training.engine", "description"}
    free.add("training.largest_gradient")
    if recipe.training.schedule in {"constant", "step"}:
        free.add("training.epochs")
    # Settings that did not exist when the run began have their defaults.
    was, now = (
        {**_flat(Recipe(TaskConfig(""), ModelRecipe(())).plain()), **_flat(stored)},
        _flat(recipe.plain()),
    )
    changed = [
        f"{name} was {was.get(name)!r}, is {now.get(name)!r}"
        for name in sorted(set(was) | set(now))
        if name not in free and was.get(name) != now.get(name)
    ]
    if changed:
        raise InputError(f"resume: other settings than the run's: {'; '.join(changed)}")


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, (list, tuple)):
        entries = enumerate(value)
    else:
        return {path: value}
    flat: dict[str, Any] = {}
    for key, entry in entries:
        flat.update(_flat(entry, f"{path}.{key}" if path else str(key)))
    return flat
