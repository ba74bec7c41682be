"""The samples that a command runs: the bundled ones of a ``model.net``, or a task's."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..export.errors import InputError
from ..export.network import Network
from ..export.netx import read_samples


@dataclass(frozen=True, eq=False)
class Inputs:
    """Samples to run.

    ``inputs`` int32 (batch, time, channel), ``lengths`` int64 (batch,); ``output`` the bundled
    expected output int32 (batch, time, n_out), or None; ``source`` says where they are from.
    """

    inputs: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    output: npt.NDArray[np.int32] | None
    source: str

    def cut(self, samples: int | None, steps: int | None) -> Inputs:
        """Return the first ``samples`` samples and the first ``steps`` steps of each."""
        count = len(self.inputs) if samples is None else samples
        longest = self.inputs.shape[1] if steps is None else min(steps, self.inputs.shape[1])
        lengths = np.minimum(self.lengths[:count], longest)
        output = None if self.output is None else self.output[:count, :longest].copy()
        if output is not None:
            output[np.arange(output.shape[1])[None] >= lengths[:, None]] = 0
        return Inputs(self.inputs[:count, :longest], lengths, output, self.source)


def bundled_inputs(path: str | os.PathLike[str]) -> Inputs:
    """Return the samples that a ``model.net`` carries.

    Raises
    ------
    InputError
        It carries none.
    """
    samples = read_samples(path)
    if samples is None:
        raise InputError(
            f"{os.fspath(path)}: carries no samples; name a task (--task NAME --data DIR)"
        )
    return Inputs(samples.inputs, samples.lengths, samples.output, "bundled samples")


def task_inputs(
    network: Network, name: str, data: str | os.PathLike[str] | None, split: str, count: int
) -> Inputs:
    """Return the first ``count`` samples of a task's split, encoded as the network was trained on.

    The options that the network's file holds are used where it was trained on that task.

    Raises
    ------
    InputError
        The task has no such split, or gives other inputs than the network takes.
    DataError
        No such task, or its data is missing or damaged.
    """
    from .. import tasks

    options = network.task.get("options") if network.task.get("name") == name else None
    task = tasks.load(name, data_dir=data, options=options)
    splits = task.splits()
    if split not in splits:
        raise InputError(f"split {split!r} is not one of {', '.join(splits)}")
    if (task.input_size, task.message_bits) != (network.input_size, network.message_bits):
        raise InputError(
            f"task {name}: {task.input_size} channels of {task.message_bits} message bits, the "
            f"network takes {network.input_size} of {network.message_bits}"
        )
    whole = splits[split]
    part = whole.take(np.arange(min(count, len(whole))))
    return Inputs(
        np.asarray(part.inputs).astype(np.int32),
        part.step_counts(),
        None,
        f"{name}, {split} split",
    )
