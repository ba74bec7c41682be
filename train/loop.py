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

from ..export.checkpoint import ModelConfig, write_model
from ..export.errors import InputError
from ..export.network import READOUTS
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
    *,
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
    _check_fit(config, training, task)
    model = SRNN(config, training.engine).to(training.device)
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
            finished = _run_epoch(
                model, optimizer, training, task, state, stopping=stopping, on_batch=on_batch
            )
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
            if stopping() and state.epoch < training.epochs:
                raise Stopped
    model.load_weights(state.best_weights)
    model.eval()
    return model, state


def _check_fit(config: ModelConfig, training: TrainingConfig, task: Task) -> None:
    if training.truncate_steps and any(layer.bidirectional for layer in config.layers):
        raise InputError(
            "training.truncate_steps: a bidirectional layer needs whole sequences; set it to 0"
        )
    per_step = config.readout == "membrane"
    if per_step != task.per_step:
        labels = "a label at every step" if task.per_step else "one label a sequence"
        others = [name for name in READOUTS if (name == "membrane") == task.per_step]
        raise InputError(
            f"model.readout: {config.readout} does not fit task {task.name}, which has {labels}; "
            f"choose {' or '.join(others)}"
        )


def _run_epoch(
    model: SRNN,
    optimizer: torch.optim.Optimizer,
    training: TrainingConfig,
    task: Task,
    state: RunState,
    *,
    stopping: Callable[[], bool],
    on_batch: Report | None,
) -> bool:
    """Train from ``state.batch`` to the end of the epoch; False when a stop was asked for."""
    order = epoch_order(len(task.train), training.seed, state.epoch)
    batches = math.ceil(len(order) / training.batch_size)
    for index in range(state.batch, batches):
        chosen = order[index * training.batch_size : (index + 1) * training.batch_size]
        batch = make_batch(task.train, chosen, task.input_scale, training.device)
        try:
            measured = _train_batch(model, optimizer, batch, training)
        except FloatingPointError as error:
            raise InputError(
                f"training: {error} in epoch {state.epoch + 1}, batch {index + 1}; the last "
                "checkpoint is kept as it is; lower --learning-rate or set --clip-gradient 1.0"
            ) from None
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
    """Take one optimizer step, or one per chunk when truncated; return loss, accuracy and rate.

    Chunks in which no step counts yet are run without a step of the optimizer.

    Raises
    ------
    FloatingPointError
        The loss or its gradient is not finite; the weights are as before this step.
    """
    config = model.config
    steps = batch.inputs.shape[1]
    chunk = training.truncate_steps or steps
    past: list[Tensor] = []
    spikes, state = [], None
    for start in range(0, steps, chunk):
        optimizer.zero_grad(set_to_none=True)
        counts = config.readout == "last_membrane" or start + chunk > config.skip_steps
        with torch.set_grad_enabled(counts):
            outputs: Outputs = model(batch.inputs[:, start : start + chunk], batch.lengths, state)
        if counts:
            value = (
                _chunk_loss(model, past, outputs, batch, training.labelled_only)
                if chunk < steps
                else batch_loss(model, outputs, batch, training.labelled_only)[0]
            )
            _step(model, optimizer, value, training.clip_gradient)
        past.append(outputs.output.detach())
        spikes.append([s.detach() for s in outputs.spikes])
        state = tuple(tuple(part.detach() for part in layer) for layer in outputs.state)
    with torch.no_grad():
        joined = Outputs(
            torch.cat(past, 1), tuple(torch.cat(s, 1) for s in zip(*spikes, strict=True)), ()
        )
        whole, scores = batch_loss(model, joined, batch, training.labelled_only)
        hits = scores.argmax(-1) == batch.targets
        if hits.ndim == 2:
            hits = hits[counted_steps(joined.output, config.skip_steps, batch.lengths)]
        fired, updates = spike_counts(model, joined, batch)
    return {
        "loss": float(whole),
        "accuracy": float(hits.float().mean()),
        "firing_rate": float(fired.sum() / updates.sum()) if len(fired) else 0.0,
    }


def _step(
    model: SRNN, optimizer: torch.optim.Optimizer, value: Tensor, clip_gradient: float
) -> None:
    if not math.isfinite(value.item()):
        raise FloatingPointError(f"the loss became {value.item()}")
    value.backward()
    # A gradient that is not finite would silence neurons for good while the loss stays finite.
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip_gradient or math.inf)
    if not math.isfinite(norm.item()):
        raise FloatingPointError(f"the gradient became {norm.item()}")
    optimizer.step()


def _chunk_loss(
    model: SRNN, past: list[Tensor], outputs: Outputs, batch: Batch, labelled_only: bool
) -> Tensor:
    """Return the loss of a chunk: its own steps for streaming labels, else the readout so far."""
    config = model.config
    so_far = torch.cat((*past, outputs.output), 1)
    end = so_far.shape[1]
    lengths = None if batch.lengths is None else batch.lengths.clamp(max=end)
    scores = log_scores(config.readout, so_far, config.skip_steps, lengths)
    if scores.ndim == 2:
        return loss(scores, batch.targets)
    counted = counted_steps(so_far, config.skip_steps, lengths)
    if labelled_only and batch.valid is not None:
        counted = counted & batch.valid[:, :end]
    counted[:, : end - outputs.output.shape[1]] = False
    return loss(scores, batch.targets[:, :end], counted)


def _epoch_row(state: RunState, check: Evaluation, rate: float, seconds: float) -> dict[str, float]:
    samples = state.sums["samples"]
    return {
        "epoch": state.epoch + 1,
        **{
            f"train_{name}": state.sums[name] / samples
            for name in ("loss", "accuracy", "firing_rate")
        },
        "validation_loss": check.loss,
        **{f"validation_{name}": value for name, value in check.metrics.items()},
        "validation_firing_rate": check.firing_rate,
        "learning_rate": rate,
        "seconds": seconds,
    }


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a request to stop after the batch; the second stops."""
    asked = False

    def handle(_number: int, _frame: FrameType | None) -> None:
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
        yield lambda _name, _value, _step: None
        return
    writer = SummaryWriter(str(folder / "tensorboard"), purge_step=epoch + 1)
    try:
        yield writer.add_scalar
    finally:
        writer.close()
