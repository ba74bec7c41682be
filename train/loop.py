"""The training loop, from a recipe to a ``model.pt``; read it from top to bottom."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from ..export.checkpoint import write_model
from ..export.errors import InputError
from ..tasks.base import Task
from .batches import Batch, epoch_order, make_batch
from .evaluate import Evaluation, batch_loss, evaluate, spike_counts
from .network import SRNN, Outputs
from .readout import counted_steps, log_scores, loss
from .recipe import Recipe, TrainingConfig
from .run import MODEL, RunState, check_same_recipe, read_run, restore, save_run
from .save import float_model

Report = Callable[[dict[str, float]], None]
"""Told of every batch: epoch, batch, batches, loss, accuracy, firing_rate of the epoch so far."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C: the run was saved and can be resumed."""


def make_optimizer(model: SRNN, config: TrainingConfig) -> torch.optim.Optimizer:
    """Return the optimizer, time constants in a group of their own."""
    tau = model.time_constants()
    known = {id(parameter) for parameter in tau}
    weights = [p for p in model.parameters() if p.requires_grad and id(p) not in known]
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": config.weight_decay, "factor": 1.0}
    ]
    if tau:
        groups.append({"params": tau, "weight_decay": 0.0, "factor": config.tau_rate})
    kinds = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "adamax": torch.optim.Adamax,
    }
    return kinds[config.optimizer](groups, lr=config.learning_rate)


def learning_rate(config: TrainingConfig, epoch: int) -> float:
    """Return the learning rate of an epoch (from 0) under the recipe's schedule."""
    if config.schedule == "step":
        factor = config.schedule_factor ** (epoch // config.schedule_epochs)
    elif config.schedule == "cosine":
        factor = 0.5 * (1 + math.cos(math.pi * epoch / config.epochs))
    elif config.schedule == "linear":
        factor = 1 - epoch / config.epochs
    else:
        factor = 1.0
    return config.learning_rate * factor


def fit(
    recipe: Recipe,
    task: Task,
    folder: Path,
    resume: bool = False,
    on_batch: Report | None = None,
    on_epoch: Report | None = None,
) -> tuple[SRNN, RunState]:
    """Train, and return the model with its best weights on the validation split.

    Parameters
    ----------
    recipe
        Everything that the run depends on.
    task
        The data; its test split is not touched here.
    folder
        Where checkpoint, model and metrics go.
    resume
        Continue from the folder's checkpoint, to the bits that an uninterrupted run gives.
    on_batch, on_epoch
        Told of progress.

    Raises
    ------
    InputError
        Settings that do not fit, a checkpoint that cannot be resumed, a loss that is not finite.
    Stopped
        Ctrl-C, after everything was saved.
    """
    training = recipe.training
    torch.manual_seed(training.seed)
    config = recipe.model.resolve(task.input_size, len(task.classes), task.skip_steps)
    if training.truncate_steps and any(layer.bidirectional for layer in config.layers):
        raise InputError(
            "training.truncate_steps: a bidirectional layer needs whole sequences; set it to 0"
        )
    model = SRNN(config).to(training.device)
    optimizer = make_optimizer(model, training)
    state = RunState()
    if resume:
        content = read_run(folder)
        check_same_recipe(content["recipe"], recipe)
        state = restore(content, model, optimizer)
    folder.mkdir(parents=True, exist_ok=True)

    with _scalars(folder, state.epoch) as log, _stop_requests() as stopping:
        while state.epoch < training.epochs:
            started = time.perf_counter()
            rate = learning_rate(training, state.epoch)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            model.train()
            finished = _run_epoch(model, optimizer, recipe, task, state, stopping, on_batch)
            if not finished:
                save_run(folder, recipe, model, optimizer, state)
                raise Stopped
            model.eval()
            check = evaluate(model, task, task.validation, device=training.device)
            row = _epoch_row(state, check, rate, time.perf_counter() - started)
            state.history.append(row)
            # Among epochs of equal accuracy the one with the smaller loss is the safer choice.
            score = (check.metrics["accuracy"], -check.loss)
            if score > (state.best_accuracy, -state.best_loss):
                state.best_accuracy, state.best_loss = check.metrics["accuracy"], check.loss
                state.best_epoch = state.epoch
                state.best_weights = model.weights()
                metrics = {"validation": check.metrics, "epochs": state.epoch + 1}
                write_model(folder / MODEL, float_model(model, task, recipe, metrics))
            state.epoch, state.batch, state.sums = state.epoch + 1, 0, {}
            save_run(folder, recipe, model, optimizer, state)
            for name, value in row.items():
                log(name, value, int(row["epoch"]))
            if on_epoch is not None:
                on_epoch(row)
    model.load_weights(state.best_weights)
    model.eval()
    return model, state


def _run_epoch(
    model: SRNN,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    task: Task,
    state: RunState,
    stopping: Callable[[], bool],
    on_batch: Report | None,
) -> bool:
    """Train from ``state.batch`` to the end of the epoch; False when a stop was asked for."""
    training = recipe.training
    order = epoch_order(len(task.train), training.seed, state.epoch)
    batches = math.ceil(len(order) / training.batch_size)
    for index in range(state.batch, batches):
        chosen = order[index * training.batch_size : (index + 1) * training.batch_size]
        batch = make_batch(task.train, chosen, task.input_scale, training.device)
        measured = _train_batch(model, optimizer, batch, training)
        if not math.isfinite(measured["loss"]):
            raise InputError(
                f"training: the loss became {measured['loss']} in epoch {state.epoch + 1}, batch "
                f"{index + 1}; the checkpoint before it is kept; lower --learning-rate or set "
                "--clip-gradient 1.0"
            )
        for name, value in measured.items():
            state.sums[name] = state.sums.get(name, 0.0) + value * len(chosen)
        state.sums["samples"] = state.sums.get("samples", 0.0) + len(chosen)
        state.batch = index + 1
        if on_batch is not None:
            means = {n: v / state.sums["samples"] for n, v in state.sums.items() if n != "samples"}
            on_batch({"epoch": state.epoch, "batch": state.batch, "batches": batches, **means})
        if stopping() and state.batch < batches:
            return False
    return True


def _train_batch(
    model: SRNN, optimizer: torch.optim.Optimizer, batch: Batch, training: TrainingConfig
) -> dict[str, float]:
    """Take one optimizer step, or one per chunk when truncated; return loss, accuracy and rate."""
    steps = batch.inputs.shape[1]
    chunk = training.truncate_steps or steps
    past: list[Tensor] = []
    spikes, state, value = [], None, torch.zeros(())
    for start in range(0, steps, chunk):
        optimizer.zero_grad(set_to_none=True)
        outputs: Outputs = model(batch.inputs[:, start : start + chunk], batch.lengths, state)
        if chunk == steps:
            value, scores = batch_loss(model, outputs, batch, training.labelled_only)
        else:
            value, scores = _chunk_loss(model, past, outputs, batch, training.labelled_only)
        value.backward()
        if training.clip_gradient:
            torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip_gradient)
        optimizer.step()
        past.append(outputs.output.detach())
        spikes.append([s.detach() for s in outputs.spikes])
        state = tuple(tuple(part.detach() for part in layer) for layer in outputs.state)
    with torch.no_grad():
        joined = Outputs(
            torch.cat(past, 1), tuple(torch.cat(s, 1) for s in zip(*spikes, strict=True)), ()
        )
        if chunk < steps:
            scores = log_scores(
                model.config.readout, joined.output, model.config.skip_steps, batch.lengths
            )
        hits = scores.argmax(-1) == batch.targets
        if hits.ndim == 2:
            hits = hits[counted_steps(joined.output, model.config.skip_steps, batch.lengths)]
        fired, updates = spike_counts(model, joined, batch)
    return {
        "loss": float(value.detach()),
        "accuracy": float(hits.float().mean()),
        "firing_rate": float(fired.sum() / updates.sum()) if len(fired) else 0.0,
    }


def _chunk_loss(
    model: SRNN, past: list[Tensor], outputs: Outputs, batch: Batch, labelled_only: bool
) -> tuple[Tensor, Tensor]:
    """Return the loss of a chunk: its own steps for streaming labels, else the readout so far."""
    config = model.config
    so_far = torch.cat((*past, outputs.output), 1)
    end = so_far.shape[1]
    lengths = None if batch.lengths is None else batch.lengths.clamp(max=end)
    scores = log_scores(config.readout, so_far, config.skip_steps, lengths)
    if scores.ndim == 2:
        return loss(scores, batch.targets), scores
    counted = counted_steps(so_far, config.skip_steps, lengths)
    if labelled_only and batch.valid is not None:
        counted = counted & batch.valid[:, :end]
    counted[:, : end - outputs.output.shape[1]] = False
    return loss(scores, batch.targets[:, :end], counted), scores


def _epoch_row(
    state: RunState, check: Evaluation, rate: float, seconds: float
) -> dict[str, float]:
    samples = max(state.sums.get("samples", 0.0), 1.0)
    row = {
        "epoch": float(state.epoch + 1),
        **{
            f"train_{name}": state.sums.get(name, 0.0) / samples
            for name in ("loss", "accuracy", "firing_rate")
        },
        "validation_loss": check.loss,
        **{f"validation_{name}": value for name, value in check.metrics.items()},
        "validation_firing_rate": check.firing_rate,
        "learning_rate": rate,
        "seconds": seconds,
    }
    row["epoch"] = state.epoch + 1
    return row


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or SIGTERM) into a request to stop after the batch; the second stops.
    """
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    try:
        old = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:
        # Signals can be handled in the main thread only; elsewhere the caller's rules stay.
        old = {}
    try:
        yield lambda: asked
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextmanager
def _scalars(folder: Path, epoch: int) -> Iterator[Callable[[str, float, int], None]]:
    """Yield a TensorBoard logger, or one that does nothing where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        yield lambda name, value, step: None
        return
    writer = SummaryWriter(str(folder / "tensorboard"), purge_step=epoch + 1)
    try:
        yield lambda name, value, step: writer.add_scalar(name, value, step)
    finally:
        writer.close()
