"""Float against integer on the samples of a ``model.pt``: accuracy, spikes, predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .checkpoint import FloatModel
from .errors import InputError
from .network import Network
from .readout import predictions, readout_scores
from .trace import Trace


@dataclass(frozen=True)
class Parity:
    """The differences between the integer network and the float model on the same samples.

    ``float_accuracy`` and ``integer_accuracy``: fraction of correct answers, of steps from
    ``skip_steps`` on for streaming labels; None without targets. ``answers`` and
    ``changed_predictions``: how many answers there are and how many differ. ``equal_spikes``: by
    layer name, the fraction of spikes that occur in both networks, ``both / either``.
    ``float_spikes``, ``integer_spikes``: their numbers.
    """

    samples: int
    answers: int
    changed_predictions: int
    float_accuracy: float | None
    integer_accuracy: float | None
    equal_spikes: dict[str, float]
    float_spikes: dict[str, int]
    integer_spikes: dict[str, int]

    @property
    def accuracy_loss(self) -> float | None:
        """Accuracy lost, in percentage points; negative if the integers are more accurate."""
        if self.float_accuracy is None or self.integer_accuracy is None:
            return None
        return 100.0 * (self.float_accuracy - self.integer_accuracy)


def compare_with_float(model: FloatModel, network: Network, trace: Trace) -> Parity:
    """Compare an integer run of the model's bundled samples with the float answers stored there.

    Parameters
    ----------
    model
        A model with samples, and the float model's output and spikes for them.
    network
        Its integer network.
    trace
        The network's run of those samples, spikes recorded.
    """
    samples, lengths = model.samples, trace.lengths
    readout = network.readout
    float_scores = readout_scores(
        readout.kind, samples["output"].astype(np.float64), readout.skip_steps, lengths
    )
    float_answers = np.argmax(float_scores, axis=-1)
    integer_answers = predictions(network, trace.output, lengths)
    counted = answer_mask(float_answers, lengths, readout.skip_steps)
    targets = samples.get("targets")
    if targets is not None and targets.shape != float_answers.shape:
        raise InputError(
            f"samples: targets {targets.shape}, but readout {readout.kind} gives one answer per "
            f"{'step' if readout.per_step else 'sample'}, {float_answers.shape}; give targets of "
            "that shape or leave them out"
        )
    equal, float_count, integer_count = {}, {}, {}
    for index, (layer, recorded) in enumerate(zip(network.layers, trace.layers, strict=True)):
        packed = samples.get(f"spikes.{index}")
        if packed is None or recorded.spikes is None:
            continue
        steps = recorded.spikes.shape[1]
        real = np.unpackbits(packed, axis=1, count=steps).astype(bool)
        real &= (np.arange(steps) < lengths[:, None])[..., None]
        whole = recorded.spikes.astype(bool)
        either = int((real | whole).sum())
        equal[layer.name] = float((real & whole).sum() / either) if either else 1.0
        float_count[layer.name], integer_count[layer.name] = int(real.sum()), int(whole.sum())
    return Parity(
        samples=len(lengths),
        answers=int(counted.sum()),
        changed_predictions=int((float_answers != integer_answers)[counted].sum()),
        float_accuracy=_accuracy(float_answers, targets, counted),
        integer_accuracy=_accuracy(integer_answers, targets, counted),
        equal_spikes=equal,
        float_spikes=float_count,
        integer_spikes=integer_count,
    )


def answer_mask(
    answers: npt.NDArray[Any], lengths: npt.NDArray[np.int64], skip_steps: int
) -> npt.NDArray[np.bool_]:
    """Return which answers count: all, or the steps from ``skip_steps`` to a sample's length."""
    if answers.ndim == 1:
        return np.ones(answers.shape, dtype=bool)
    step = np.arange(answers.shape[1])
    return (step >= skip_steps) & (step < lengths[:, None])


def _accuracy(
    answers: npt.NDArray[Any],
    targets: npt.NDArray[Any] | None,
    counted: npt.NDArray[np.bool_],
) -> float | None:
    if targets is None or not counted.any():
        return None
    return float((answers == targets)[counted].mean())
