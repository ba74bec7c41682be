"""From a trained ``SRNN`` to the contents of a ``model.pt``."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..export.checkpoint import FloatModel
from ..tasks.base import Split, Task
from .batches import make_batch
from .network import SRNN
from .recipe import Recipe


def float_model(
    model: SRNN,
    task: Task,
    recipe: Recipe | None = None,
    metrics: dict[str, Any] | None = None,
    *,
    sample_split: Split | None = None,
    sample_count: int | None = None,
) -> FloatModel:
    """Collect the contents of a ``model.pt``.

    Parameters
    ----------
    model
        The trained network.
    task
        Its task, whose description is stored in the file.
    recipe, metrics
        How the model was made and what was measured; plain values.
    sample_split, sample_count
        Source and number of the bundled samples; None: the first validation samples, as many as the
        recipe says.
    """
    if sample_count is None:
        sample_count = 16 if recipe is None else recipe.training.bundle_samples
    split = task.validation if sample_split is None else sample_split
    return FloatModel(
        config=model.config,
        weights=model.weights(),
        task=task.description(),
        recipe={} if recipe is None else asdict(recipe),
        metrics=metrics or {},
        samples=bundle_samples(model, task, split, min(sample_count, len(split))),
        versions={
            "srnn": version("srnn"),
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
        quantization={} if model.grid is None else model.grid.description(),
    )


@torch.no_grad()
def bundle_samples(
    model: SRNN, task: Task, split: Split, count: int
) -> dict[str, npt.NDArray[Any]]:
    """Run the first ``count`` samples of a split and keep inputs and the float model's answers.

    Returns ``inputs`` (count, time, channel) integers, ``lengths``, ``targets``, ``valid`` if the
    task has it, ``output`` float32 (count, time, n_out), and ``spikes.<layer>`` of every spiking
    layer, bits packed along time: uint8 (count, ceil(time / 8), n).
    """
    if count == 0:
        return {}
    indices = np.arange(count)
    part = split.take(indices)
    device = str(next(model.parameters()).device)
    batch = make_batch(split, indices, task.input_scale, device)
    outputs = model(batch.inputs, batch.lengths)
    steps = part.inputs.shape[1]
    samples: dict[str, npt.NDArray[Any]] = {
        "inputs": np.ascontiguousarray(part.inputs),
        "lengths": np.full(count, steps) if part.lengths is None else part.lengths,
        "targets": part.targets,
        "output": outputs.output.cpu().numpy(),
    }
    if part.valid is not None:
        samples["valid"] = part.valid
    for index in model.spiking_layers:
        bits = outputs.spikes[index].cpu().numpy().astype(np.uint8)
        samples[f"spikes.{index}"] = np.packbits(bits, axis=1)
    return samples
