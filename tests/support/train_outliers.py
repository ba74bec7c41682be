"""Data with one sample that diverges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from srnn.tasks import Split, Task
from srnn.train.recipe import Recipe
from train_helpers import one_thread, recipe, task  # noqa: F401


def with_outlier(data: Task, part: str, sample: int) -> Task:
    """One sample of a split overflows float32; all others are nearly 0."""
    own = getattr(data, part)
    scaled = {
        name: replace(old, inputs=old.inputs.astype(np.int32))
        for name, old in data.splits().items()
    }
    inputs = scaled[part].inputs.copy()
    inputs[sample, 7, 1] = 2**31 - 1
    scaled[part] = Split(inputs, own.targets)
    return replace(data, message_bits=24, input_scale=1e31, **scaled)


def readout_alone(**training: Any) -> Recipe:
    """A leaky integrator that reads the input, so that the input shows in the loss."""
    plain = recipe(**training)
    return replace(plain, model=replace(plain.model, layers=plain.model.layers[1:]))


def silent(data: Task) -> Task:
    """The task without any input."""
    return replace(data, **{n: replace(s, inputs=s.inputs * 0) for n, s in data.splits().items()})
