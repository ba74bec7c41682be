"""From a trained ``SRNN`` to the contents of a ``model.pt``."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..export.checkpoint import FloatModel
from ..tasks.base import Split, Task
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
    samples = bundle_samples(model, task, split, min(sample_count, len(split)))
    return collected(
        model, samples, task.description(), {} if recipe is None else recipe.plain(), metrics or {}
    )


def collected(
    model: SRNN,
    samples: dict[str, npt.NDArray[Any]],
    task: dict[str, Any],
    recipe: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
) -> FloatModel:
    """Return the contents of a ``model.pt``; all but the weights are given."""
    return FloatModel(
        config=model.config,
        weights=model.weights(),
        task=task,
        recipe=recipe or {},
        metrics=metrics or {},
        samples=samples,
        versions={
            "srnn": version("srnn"),
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
        quantization={} if model.grid is None else model.grid.description(),
    )


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
    part = split.take(np.arange(count))
    samples: dict[str, npt.NDArray[Any]] = {
        "inputs": np.ascontiguousarray(part.inputs),
        "targets": part.targets,
    }
    if part.lengths is not None:
        samples["lengths"] = part.lengths
    if part.valid is not None:
        samples["valid"] = part.valid
    return with_answers(model, samples, task.input_scale)


@torch.no_grad()
def with_answers(
    model: SRNN, samples: dict[str, npt.NDArray[Any]], input_scale: float = 1.0
) -> dict[str, npt.NDArray[Any]]:
    """Return samples (``inputs`` and what else there is) with the float model's answers.

    Without ``lengths`` all samples have every step.
    """
    weight = next(model.parameters())
    count, steps, _ = samples["inputs"].shape
    lengths = samples.get("lengths")
    inputs = torch.from_numpy(samples["inputs"]).to(weight.device).to(weight.dtype)
    outputs = model(
        inputs * input_scale if input_scale != 1.0 else inputs,
        None if lengths is None else torch.from_numpy(lengths),
    )
    found = {
        **samples,
        "lengths": np.full(count, steps) if lengths is None else lengths,
        "output": outputs.output.float().cpu().numpy(),
    }
    for index in model.spiking_layers:
        bits = outputs.spikes[index].cpu().numpy().astype(np.uint8)
        found[f"spikes.{index}"] = np.packbits(bits, axis=1)
    return found
