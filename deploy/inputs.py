"""The samples that a command runs: the bundled ones of a ``model.net``, or a task's."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..export.console import plain
from ..export.errors import InputError
from ..export.network import Network
from ..export.netx import read_samples


@dataclass(frozen=True, eq=False)
class Inputs:
    """Samples to run.

    ``inputs`` int32 (batch, time, channel), ``lengths`` int64 (batch,); ``output`` the bundled
    expected output int32 (batch, time, n_out), or None; ``source`` says where they are from.
    ``targets`` int64 (batch,) or (batch, time) are labels, ``valid`` bool (batch, time) the steps
    that are labelled, or None; accuracies leave out the first ``skip_steps``.
    """

    inputs: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    output: npt.NDArray[np.int32] | None
    source: str
    targets: npt.NDArray[np.int64] | None = None
    valid: npt.NDArray[np.bool_] | None = None
    skip_steps: int = 0

    def accuracy(self, predictions: npt.NDArray[np.int64]) -> dict[str, float]:
        """Return the accuracies of class indices, (batch,) or (batch, time).

        Empty where there are no labels, labels of a kind other than the answers, or a sample
        without a step that counts.
        """
        from ..tasks.base import Split
        from ..tasks.metrics import accuracy

        targets = self.targets
        if targets is None or targets.shape != predictions.shape:
            return {}
        if self.lengths.min() <= self.skip_steps:
            return {}
        valid = self.valid if targets.ndim == 2 else None
        split = Split(self.inputs, targets, self.lengths, valid)
        return accuracy(predictions, split, self.skip_steps)

    def cut(self, samples: int | None, steps: int | None) -> Inputs:
        """Return the first ``samples`` samples and the first ``steps`` steps of each."""
        count = len(self.inputs) if samples is None else samples
        longest = self.inputs.shape[1] if steps is None else min(steps, self.inputs.shape[1])
        lengths = np.minimum(self.lengths[:count], longest)
        output = None if self.output is None else self.output[:count, :longest].copy()
        if output is not None:
            output[np.arange(output.shape[1])[None] >= lengths[:, None]] = 0
        targets = None if self.targets is None else self.targets[:count]
        if targets is not None and targets.ndim == 2:
            targets = targets[:, :longest]
        return replace(
            self,
            inputs=self.inputs[:count, :longest],
            lengths=lengths,
            output=output,
            targets=targets,
            valid=None if self.valid is None else self.valid[:count, :longest],
        )


def bundled_inputs(path: str | os.PathLike[str], skip_steps: int = 0) -> Inputs:
    """Return the samples that a ``model.net`` carries; accuracies leave out ``skip_steps``.

    Raises
    ------
    InputError
        It carries none.
    """
    samples = read_samples(path)
    if samples is None:
        raise InputError(
            f"{os.fspath(path)}: holds no samples; name a task (--task NAME --data DIR)"
        )
    return Inputs(
        samples.inputs,
        samples.lengths,
        samples.output,
        "bundled samples",
        samples.targets,
        samples.valid,
        skip_steps,
    )


def task_inputs(
    network: Network,
    *,
    name: str | None,
    data: str | os.PathLike[str] | None,
    split: str,
    count: int | None,
    download: bool = False,
) -> Inputs:
    """Return the first ``count`` samples of a task's split, encoded as the network was trained on.

    ``count`` None stands for all. ``name`` None stands for the task that the network's file names;
    the options in the file are used where it was trained on that task. ``split`` is train,
    validation or test.

    Raises
    ------
    InputError
        The file names no task, or the task's inputs are not those that the network takes.
    DataError
        No such task, or its data is missing or damaged.
    """
    from .. import tasks

    stored = network.task
    name = stored.get("name") if name is None else name
    if name is None:
        raise InputError("--task: the network's file names no task; give one")
    same = name == stored.get("name")
    task = tasks.load(name, data, stored.get("options", {}) if same else {}, download)
    if (task.input_size, task.message_bits) != (network.input_size, network.message_bits):
        raise InputError(
            f"task {name}: {task.input_size} channels of {task.message_bits} message bits, the "
            f"network takes {network.input_size} of {network.message_bits}"
        )
    if same and plain(task.description()).get("encoder") != plain(stored.get("encoder")):
        raise InputError(
            f"task {name}: encodes its data differently from the training of this network; use the "
            "version of srnn that trained it"
        )
    whole = task.splits()[split]
    part = whole.take(np.arange(len(whole) if count is None else min(count, len(whole))))
    return Inputs(
        np.asarray(part.inputs).astype(np.int32),
        part.step_counts(),
        None,
        f"{name}, {split} split",
        part.targets,
        part.valid,
        task.skip_steps,
    )
