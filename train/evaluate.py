"""The float model on a split: loss, accuracy, firing rate, predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..tasks.base import Split, Task
from ..tasks.metrics import accuracy
from .batches import Batch, in_batches
from .network import SRNN, Outputs
from .readout import counted_steps, loss_and_scores


@dataclass(frozen=True)
class Evaluation:
    """What a split gave.

    ``metrics`` as ``srnn.tasks.metrics.accuracy`` names them; ``firing_rate``: spikes per neuron
    and step over all spiking layers, padding left out; ``layer_rates``: the same by layer.
    """

    loss: float
    metrics: dict[str, float]
    firing_rate: float
    layer_rates: tuple[float, ...]
    predictions: npt.NDArray[np.int64]


def batch_loss(
    model: SRNN, outputs: Outputs, batch: Batch, labelled_only: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the loss of a batch, and scores whose largest is the answer."""
    return loss_and_scores(
        model.config.readout,
        outputs.output,
        batch.targets,
        model.config.skip_steps,
        batch.lengths,
        batch.valid if labelled_only else None,
        compiled=model.engine == "events",
    )


def spike_counts(model: SRNN, outputs: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return spikes and neuron-steps of each spiking layer, padding left out."""
    spikes, updates = [], []
    running = counted_steps(outputs.output, 0, batch.lengths)
    for index in model.spiking_layers:
        layer = outputs.spikes[index]
        spikes.append((layer * running[..., None]).sum().detach())
        updates.append(running.sum() * layer.shape[2])
    if not spikes:
        return torch.zeros(0), torch.zeros(0)
    return torch.stack(spikes).double(), torch.stack(updates).double()


@torch.no_grad()
def evaluate(
    model: SRNN, task: Task, split: Split, batch_size: int = 256, device: str = "cpu"
) -> Evaluation:
    """Run the float model over a split in batches."""
    total, predictions = 0.0, []
    spikes = updates = torch.zeros(len(model.spiking_layers), dtype=torch.float64)
    for indices, batch in in_batches(task, split, batch_size, device):
        outputs = model(batch.inputs, batch.lengths)
        value, scores = batch_loss(model, outputs, batch)
        total += float(value) * len(indices)
        predictions.append(scores.argmax(-1).cpu().numpy())
        more_spikes, more_updates = spike_counts(model, outputs, batch)
        spikes, updates = spikes + more_spikes.cpu(), updates + more_updates.cpu()
    predicted = np.concatenate(predictions)
    return Evaluation(
        loss=total / max(len(split), 1),
        metrics=accuracy(predicted, split, model.config.skip_steps),
        firing_rate=float(spikes.sum() / updates.sum()) if len(spikes) else 0.0,
        layer_rates=tuple((spikes / updates.clamp(min=1)).tolist()),
        predictions=predicted,
    )
