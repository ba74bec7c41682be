"""Readouts and losses of the float model; the torch form of ``export/readout.py``."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..export.config import READOUTS
from ..export.suggest import check_known

VECTOR_CLASSES = 16
"""Number of classes from which torch's log_softmax is vectorised on the CPU; measured."""


def counted_steps(output: Tensor, skip_steps: int, lengths: Tensor | None) -> Tensor:
    """Return which steps count, bool (batch, time): from ``skip_steps`` to each sample's length."""
    batch, steps, _ = output.shape
    step = torch.arange(steps, device=output.device)
    ends = (
        torch.full((batch, 1), steps, device=output.device)
        if lengths is None
        else lengths.to(output.device)[:, None]
    )
    return (step >= skip_steps) & (step < ends)


def log_scores(
    kind: str, output: Tensor, skip_steps: int = 0, lengths: Tensor | None = None
) -> Tensor:
    """Return log-probabilities: (batch, time, class) for ``membrane``, else (batch, class).

    ``membrane``: log_softmax of the membrane of every step. ``mean_softmax``: log of the mean over
    the counted steps of the softmax. ``spike_count``: log_softmax of the count. ``last_membrane``:
    log_softmax of the membrane at the last step.

    Raises
    ------
    InputError
        Another readout.
    """
    check_known("readout", kind, READOUTS)
    if kind == "membrane":
        return _log_softmax(output)
    if kind == "last_membrane":
        batch, steps, _ = output.shape
        if lengths is None:
            return functional.log_softmax(output[:, -1], dim=1)
        last = (lengths.to(output.device) - 1).clamp(0, steps - 1)
        return functional.log_softmax(output[torch.arange(batch), last], dim=1)
    counted = counted_steps(output, skip_steps, lengths)
    if kind == "spike_count":
        return functional.log_softmax((output * counted[..., None]).sum(1), dim=1)
    masked = _log_softmax(output).masked_fill(~counted[..., None], -torch.inf)
    return torch.logsumexp(masked, dim=1) - torch.log(counted.sum(1, keepdim=True).clamp(min=1))


def _log_softmax(output: Tensor) -> Tensor:
    """Return log_softmax over the classes of (batch, time, class)."""
    if output.device.type == "cpu" and output.shape[2] < VECTOR_CLASSES:
        # Over so few classes torch takes one row at a time; with time as last axis, whole vectors.
        return functional.log_softmax(output.transpose(1, 2), dim=1).transpose(1, 2)
    return functional.log_softmax(output, dim=2)


def loss_and_scores(  # noqa: PLR0917
    kind: str,
    output: Tensor,
    targets: Tensor,
    skip_steps: int = 0,
    lengths: Tensor | None = None,
    valid: Tensor | None = None,
    compiled: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the mean negative log-likelihood and scores whose largest is the answer.

    Parameters
    ----------
    kind, output, skip_steps, lengths
        As of ``log_scores``.
    targets
        int64 (batch, time) for ``membrane``, else (batch,).
    valid
        bool (batch, time): steps that may count in ``membrane``; all when None.
    compiled
        Use the compiled loss of ``train/engine`` if there is one; the value is the same up to the
        order of sums.
    """
    counted = counted_steps(output, skip_steps, lengths)
    if kind == "membrane" and valid is not None:
        counted = counted & valid
    if compiled and output.dtype == torch.float32 and output.device.type == "cpu":
        from .engine.losses import KINDS, readout_loss

        if kind in KINDS:
            return readout_loss(kind, output, targets, counted)
    scores = log_scores(kind, output, skip_steps, lengths)
    return loss(scores, targets, counted if scores.ndim == 3 else None), scores


def loss(scores: Tensor, targets: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return the mean negative log-likelihood.

    ``scores`` (batch, class) with targets (batch,), or (batch, time, class) with targets (batch,
    time) and ``counted`` bool (batch, time), the steps that are averaged.
    """
    if scores.ndim == 2:
        return functional.nll_loss(scores, targets)
    every = functional.nll_loss(scores.transpose(1, 2), targets, reduction="none")
    if counted is None:
        return every.mean()
    return (every * counted).sum() / counted.sum().clamp(min=1)


def loss_terms(scores: Tensor, counted: Tensor | None = None) -> int:
    """Return how many terms the mean of ``loss`` has."""
    if scores.ndim == 3 and counted is not None:
        return int(counted.sum())
    return scores[..., 0].numel()


def predictions(scores: Tensor, output: Tensor) -> Tensor:
    """Return the class of the largest score, int64 (batch,), or (batch, time) for ``membrane``."""
    # From membranes, which rank the classes like their scores and are contiguous by class.
    return scores.argmax(1) if scores.ndim == 2 else output.argmax(2)
