"""The float model on a split: loss, accuracy, firing rate, predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..export.readout import predictions as integer_predictions
from ..tasks.base import Split, Task
from ..tasks.metrics import accuracy
from .batches import Batch, Feed, make_feed
from .network import SRNN, Outputs
from .parallel import ALONE, Processes
from .readout import counted_steps, loss_and_scores, loss_terms, predictions


@dataclass(frozen=True)
class Evaluation:
    """The result of evaluating a split.

    ``metrics`` as ``srnn.tasks.metrics.accuracy`` names them; ``firing_rate``: spikes per neuron
    and step over all spiking layers, without padding; ``layer_rates``: the same by layer.
    """

    loss: float
    metrics: dict[str, float]
    firing_rate: float
    layer_rates: tuple[float, ...]
    predictions: npt.NDArray[np.int64]


class Scored(NamedTuple):
    """A batch's loss, the mean over ``terms`` samples or steps, and its scores."""

    loss: Tensor
    terms: int
    scores: Tensor


def batch_loss(model: SRNN, outputs: Outputs, batch: Batch, labelled_only: bool = False) -> Scored:
    """Return the loss of a batch, and scores whose largest is the answer."""
    config = model.config
    valid = batch.valid if labelled_only else None
    value, scores = loss_and_scores(
        config.readout,
        outputs.output,
        batch.targets,
        config.skip_steps,
        batch.lengths,
        valid,
        compiled=model.engine == "events",
    )
    counted = None
    if scores.ndim == 3:
        counted = counted_steps(outputs.output, config.skip_steps, batch.lengths)
        counted = counted if valid is None else counted & valid
    return Scored(value, loss_terms(scores, counted), scores)


def spike_counts(model: SRNN, outputs: Outputs, batch: Batch) -> tuple[list[float], list[float]]:
    """Return spikes and neuron-steps of each spiking layer, without padding."""
    samples, steps, _ = outputs.output.shape
    running = samples * steps if batch.lengths is None else int(batch.lengths.sum())
    spikes, updates = [], []
    for index in model.spiking_layers:
        counts = outputs.counts[index]
        assert counts is not None
        # Each count is exact in float32; their sum may not be.
        spikes.append(float(counts.detach().sum(dtype=torch.float64)))
        updates.append(float(running * counts.shape[1]))
    return spikes, updates


def _answers(outputs: Outputs, scores: Tensor) -> npt.NDArray[np.int64]:
    """Return the classes; for integers from float64, as in every later stage."""
    if outputs.integers is None:
        return predictions(scores, outputs.output).cpu().numpy()
    run = outputs.integers
    return integer_predictions(run.network, run.output, run.lengths)


@torch.no_grad()
def evaluate(
    model: SRNN,
    task: Task,
    split: Split,
    batch_size: int = 256,
    device: str = "cpu",
    *,
    feed: Feed | None = None,
    processes: Processes = ALONE,
) -> Evaluation:
    """Run the float model over a split in batches.

    ``feed``: the split as an earlier ``make_feed`` returned it, to avoid repeating that. With
    several ``processes`` each runs a part of the split, and all return the same result.
    """
    if feed is None:
        feed = make_feed(split, task.input_scale, device, model=model)
    layers = len(model.spiking_layers)
    sums = np.zeros(2 + 2 * layers)
    predicted: list[npt.NDArray[np.int64]] = []
    for batch in feed.in_order(batch_size, *processes.part(len(split))):
        outputs = model(batch.inputs, batch.lengths, spikes=False)
        scored = batch_loss(model, outputs, batch)
        predicted.append(_answers(outputs, scored.scores))
        spikes, updates = spike_counts(model, outputs, batch)
        sums += (float(scored.loss) * scored.terms, scored.terms, *spikes, *updates)
    total, terms, *counts = processes.sum(sums.tolist())
    spikes, updates = np.array(counts[:layers]), np.array(counts[layers:])
    every = np.concatenate([part for parts in processes.gather(predicted) for part in parts])
    return Evaluation(
        loss=total / max(terms, 1),
        metrics=accuracy(every, split, model.config.skip_steps),
        firing_rate=float(spikes.sum() / max(updates.sum(), 1)),
        layer_rates=tuple((spikes / np.maximum(updates, 1)).tolist()),
        predictions=every,
    )
