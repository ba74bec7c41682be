"""One batch of training: forward pass, loss, backward pass, optimizer step, measurements."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from .batches import Batch, steps_of
from .evaluate import Scored, batch_loss, spike_counts
from .faults import DivergedError, find_fault, gradient_norm, integers_needed
from .network import SRNN, Outputs
from .parallel import ALONE, Processes
from .readout import counted_steps, log_scores, loss, loss_terms, predictions
from .recipe import TrainingConfig

if TYPE_CHECKING:
    from .engine.events import Events


class Measured(NamedTuple):
    """Sums over a batch, which can be added over processes.

    ``loss`` over its ``terms``, ``hits`` among ``answers``, ``spikes`` in ``updates`` of neurons.
    """

    loss: float
    terms: float
    hits: float
    answers: float
    spikes: float
    updates: float

    def means(self) -> dict[str, float]:
        """Return loss, accuracy and firing rate."""
        return {
            "loss": self.loss / max(self.terms, 1),
            "accuracy": self.hits / max(self.answers, 1),
            "firing_rate": self.spikes / max(self.updates, 1),
        }


def train_batch(
    model: SRNN,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    training: TrainingConfig,
    *,
    processes: Processes = ALONE,
    weight: int = 1,
) -> Measured:
    """Take one optimizer step, or one per chunk when truncated.

    Chunks in which no step counts yet are run without an optimizer step. With several
    ``processes``, ``batch`` is this process's share, weighted by ``weight`` (``Share``).

    Raises
    ------
    DivergedError
        The loss or its gradient is not finite, or the gradient exploded; where that began is
        searched in this process's share (``faults.py``). The step was not taken.
    """
    config = model.config
    steps = batch.inputs.shape[1]
    chunk = training.truncate_steps or steps
    parts: list[Outputs] = []
    losses: list[Scored] = []
    for start in range(0, steps, chunk):
        optimizer.zero_grad(set_to_none=True)
        counts = config.readout == "last_membrane" or start + chunk > config.skip_steps
        whole = chunk >= steps
        inputs = batch.inputs if whole else steps_of(batch.inputs, start, start + chunk)
        state = parts[-1].state if parts else None
        lengths = _lengths_in(batch, start, inputs)
        with torch.set_grad_enabled(counts), integers_needed(model, training):
            outputs: Outputs = model(inputs, lengths, state, spikes=False, finite=False)
        if counts:
            if whole:
                scored = batch_loss(model, outputs, batch, training.labelled_only)
                scored = scored._replace(loss=scored.loss + rate_penalty(outputs, batch, training))
            else:
                past = [part.output for part in parts]
                scored = _chunk_loss(model, past, outputs, batch, training.labelled_only)
            terms = scored.terms * weight
            try:
                optimizer_step(
                    model,
                    optimizer,
                    scored.loss,
                    training.clip_gradient,
                    training.largest_gradient,
                    processes=processes,
                    terms=terms,
                )
            except DivergedError as error:
                of_gradient = error.of_gradient
                fault = find_fault(
                    model, inputs, lengths, state, training, start, of_gradient=of_gradient
                )
                raise DivergedError(str(error), fault, of_gradient=of_gradient) from None
            losses.append(Scored(scored.loss.detach(), terms, scored.scores.detach()))
        parts.append(_detached(outputs))
    return _measure(model, _joined(parts), losses, batch, weight)


def rate_penalty(outputs: Outputs, batch: Batch, training: TrainingConfig) -> Tensor | float:
    """Return the penalty on firing rates that is added to the loss.

    ``rate_weight`` times the sum over the spiking layers of the mean over their neurons of
    ``(r - target_rate)^2``, unless the target is 0, plus ``max(0, r - largest_rate)^2``; r is a
    neuron's spikes per step, averaged over the batch.
    """
    if not training.rate_weight:
        return 0.0
    samples, steps, _ = batch.inputs.shape
    ran = samples * steps if batch.lengths is None else int(batch.lengths.sum())
    total: Tensor | float = 0.0
    for counts in outputs.counts:
        if counts is None:
            continue
        rate = counts.sum(0) / max(ran, 1)
        total = total + torch.relu(rate - training.largest_rate).square().mean()
        if training.target_rate:
            total = total + (rate - training.target_rate).square().mean()
    return training.rate_weight * total


def _measure(
    model: SRNN, outputs: Outputs, losses: list[Scored], batch: Batch, weight: int
) -> Measured:
    scores = losses[-1].scores
    # A sequence's loss is that of its last chunk, which depends on all of it.
    counted_losses = losses if scores.ndim == 3 else losses[-1:]
    predicted = predictions(scores, outputs.output)
    hits = predicted == batch.targets
    answers = hits.numel()
    if hits.ndim == 2:
        counted = counted_steps(outputs.output, model.config.skip_steps, batch.lengths)
        hits = hits & counted
        answers = int(counted.sum())
    spikes, updates = spike_counts(model, outputs, batch)
    return Measured(
        loss=sum(float(one.loss) * one.terms for one in counted_losses),
        terms=sum(one.terms for one in counted_losses),
        hits=float(hits.sum()) * weight,
        answers=answers * weight,
        spikes=sum(spikes) * weight,
        updates=sum(updates) * weight,
    )


def optimizer_step(
    model: SRNN,
    optimizer: torch.optim.Optimizer,
    value: Tensor,
    clip_gradient: float,
    largest_gradient: float = math.inf,
    *,
    processes: Processes = ALONE,
    terms: float = 1.0,
) -> None:
    """Take an optimizer step for a mean loss over ``terms``, joined over processes, then clipped.

    Raises
    ------
    DivergedError
        The loss or its gradient is not finite, or the norm of the clipped gradient is above
        ``largest_gradient``; no step was taken, and the parameters hold the gradient.
    """
    value.backward()
    parameters = [p for p in model.parameters() if p.requires_grad]
    total = processes.join_gradients(parameters, value.detach(), terms).item()
    # Checked after the sum over processes, so that all of them stop at the same step.
    if not math.isfinite(total):
        raise DivergedError(f"the loss became {total}")
    limit = clip_gradient or math.inf
    try:
        norm = torch.nn.utils.clip_grad_norm_(parameters, limit, error_if_nonfinite=True).item()
    except RuntimeError:
        # A gradient that is not finite would silence neurons forever while the loss stays finite.
        norm, limit = gradient_norm(model), math.inf
        if not math.isfinite(norm):
            raise DivergedError(f"the gradient became {norm}", of_gradient=True) from None
    if min(norm, limit) > largest_gradient:
        raise DivergedError(
            f"the gradient exploded (norm {norm:.3g}, largest_gradient {largest_gradient:g})",
            of_gradient=True,
        )
    optimizer.step()


def _chunk_loss(
    model: SRNN, past: list[Tensor], outputs: Outputs, batch: Batch, labelled_only: bool
) -> Scored:
    """Return the loss of a chunk: its own steps for streaming labels, else the readout so far."""
    config = model.config
    so_far = torch.cat((*past, outputs.output), 1)
    end = so_far.shape[1]
    lengths = None if batch.lengths is None else batch.lengths.clamp(max=end)
    scores = log_scores(config.readout, so_far, config.skip_steps, lengths)
    if scores.ndim == 2:
        return Scored(loss(scores, batch.targets), len(scores), scores)
    counted = counted_steps(so_far, config.skip_steps, lengths)
    if labelled_only and batch.valid is not None:
        counted = counted & batch.valid[:, :end]
    counted[:, : end - outputs.output.shape[1]] = False
    terms = loss_terms(scores, counted)
    return Scored(loss(scores, batch.targets[:, :end], counted), terms, scores)


def _lengths_in(batch: Batch, start: int, inputs: Tensor | Events) -> Tensor | None:
    """Return how many steps of a chunk each sample has."""
    if batch.lengths is None:
        return None
    return (batch.lengths - start).clamp(0, inputs.shape[1])


def _detached(outputs: Outputs) -> Outputs:
    return Outputs(
        outputs.output.detach(),
        (),
        tuple(tuple(part.detach() for part in layer) for layer in outputs.state),
        tuple(None if counts is None else counts.detach() for counts in outputs.counts),
    )


def _joined(parts: list[Outputs]) -> Outputs:
    if len(parts) == 1:
        return parts[0]
    counts = zip(*(part.counts for part in parts), strict=True)
    return Outputs(
        torch.cat([part.output for part in parts], 1),
        (),
        parts[-1].state,
        tuple(None if any(c is None for c in layer) else sum(layer) for layer in counts),  # type: ignore[arg-type]
    )
