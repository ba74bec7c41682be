"""What every implementation trains: the sizes, inputs, targets and initial weights of a task.

Only NumPy is used, since it runs in every environment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Shape(NamedTuple):
    """A task's sizes.

    ``density`` of binary inputs, None for analog ones, uniform in 0 to 1; ``hidden`` sizes of the
    recurrent layers; ``labels_per_step``: whether targets are (batch, time), else (batch,).
    """

    name: str
    batch: int
    steps: int
    inputs: int
    density: float | None
    hidden: tuple[int, ...]
    classes: int
    labels_per_step: bool = False


SHAPES = {
    "shd": Shape("shd", 64, 250, 700, 0.02, (128,), 20),
    "ecg": Shape("ecg", 64, 1300, 4, 0.08, (36,), 6, labels_per_step=True),
    "smnist": Shape("smnist", 64, 784, 8, None, (64, 256), 10),
}


class UnavailableError(Exception):
    """An implementation cannot run here; the message says why."""


class Training(NamedTuple):
    """What an implementation's ``make`` returns.

    ``neuron``: which neuron, and what its gradient leaves out. ``step`` takes one training step,
    forward, loss and backward for all parameters, and returns the hidden layers' spikes, objects
    with ``mean()``. ``gradient``: all gradients of the last step as one vector, where they can be
    compared with other implementations of the same equations.
    """

    neuron: str
    step: Callable[[], Sequence[Any]]
    gradient: Callable[[], Floats] | None = None


class Gains(NamedTuple):
    """What sets the firing rates of a layer.

    ``inputs`` and ``recurrent`` multiply the initial weights, ``drive`` is the bias.
    """

    inputs: float
    recurrent: float
    drive: float


def draw(shape: Shape) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return inputs float32 (batch, time, channel) and targets, the same in every process."""
    rng = np.random.default_rng(1)
    inputs = rng.random((shape.batch, shape.steps, shape.inputs), np.float32)
    if shape.density is not None:
        inputs = (inputs < shape.density).astype(np.float32)
    labels = (shape.batch, shape.steps) if shape.labels_per_step else (shape.batch,)
    return inputs, rng.integers(shape.classes, size=labels)


class Weights(NamedTuple):
    """Initial weights of a layer: ``inputs`` (n, below), ``recurrent`` (n, n), ``bias`` (n,)."""

    inputs: Floats
    recurrent: Floats
    bias: Floats


def weights(shape: Shape, gains: Sequence[Gains]) -> tuple[list[Weights], Floats]:
    """Return the hidden layers' weights, and the readout's (classes, below).

    Xavier-uniform inputs and orthogonal recurrence, times the gains of the layer.
    """
    rng = np.random.default_rng(2)
    layers, below = [], shape.inputs

    def uniform(rows: int, columns: int) -> Floats:
        limit = np.sqrt(6 / (rows + columns))
        return rng.uniform(-limit, limit, (rows, columns)).astype(np.float32)

    for size, gain in zip(shape.hidden, gains, strict=True):
        orthogonal = np.linalg.qr(rng.standard_normal((size, size)))[0].astype(np.float32)
        layers.append(
            Weights(
                np.float32(gain.inputs) * uniform(size, below),
                np.float32(gain.recurrent) * orthogonal,
                np.full(size, gain.drive, np.float32),
            )
        )
        below = size
    return layers, uniform(shape.classes, below)
