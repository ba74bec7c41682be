"""The training loop, from a recipe to a ``model.pt``."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from ..export.checkpoint import FloatModel, ModelConfig, write_model
from ..export.compiling import clock
from ..export.errors import InputError
from ..export.network import READOUTS, Network
from ..export.trace import Trace
from ..tasks.base import Task
from .batches import Feed, epoch_order, make_feed
from .evaluate import Evaluation, evaluate
from .event_file import scalars
from .network import SRNN
from .parallel import ALONE, Processes
from .recipe import DataInMemory, Recipe, TrainingConfig
from .run import MODEL, Checkpoints, RunState, check_same_recipe, read_run, restore
from .run_folder import RunFolder, holding
from .save import float_model
from .step import Measured, train_batch
from .stopping import Stopped, stop_requests
from .watch import Watch

if TYPE_CHECKING:
    from .integer import OnGrid

__all__ = ["Report", "Stopped", "fit", "learning_rate", "make_optimizer"]

CALIBRATION_SAMPLES = 64
"""Training samples on which the weight units of the grid are chosen, at every epoch."""

Simulate = Callable[[Network, npt.NDArray[Any], "npt.NDArray[Any] | None"], Trace]
Report = Callable[[dict[str, float]], None]
"""Called for every batch: epoch, batch, batches, and the epoch's loss, accuracy, firing_rate."""


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
    task: Task | None = None,
    folder: Path | str | None = None,
    resume: bool = False,
    *,
    on_batch: Report | None = None,
    on_epoch: Report | None = None,
    processes: Processes = ALONE,
    simulate: Simulate | None = None,
    start: FloatModel | None = None,
) -> tuple[SRNN, RunState]:
    """Train, and return the model with its best weights on the validation split.

    Parameters
    ----------
    recipe
        Everything that the run depends on.
    task
        The data; its test split is not touched here. None: those that ``make_recipe`` was given.
    folder
        Folder for checkpoint, model and metrics; None: ``runs/`` and the task's name.
    resume
        Continue from the folder's checkpoint, with the same bits as an uninterrupted run; on
        another number of processes, with the same batches and equations, equal up to the order of
        float sums.
    on_batch, on_epoch
        Called with the progress.
    processes
        The processes that share the batches (``parallel.joined``); the first one writes the files.
    simulate
        ``run(network, inputs, lengths) -> Trace`` with all states, which training on the grid
        calls; None: ``srnn.simulate``.
    start
        A trained model of the same layers whose weights are the initial ones.

    Raises
    ------
    InputError
        Settings that do not fit, a checkpoint that cannot be resumed; another training that writes
        into the folder; the folder was removed meanwhile.
    DivergedError
        A loss, gradient or weight that is not finite, or a gradient that exploded; the message says
        where that began. The files are those of the last checkpoint.
    Stopped
        Ctrl-C, SIGTERM or SIGHUP in any process, after everything was saved.
    ProcessLostError
        Another process ended; the last checkpoint stays unchanged.
    """
    task = _data(recipe) if task is None else task
    folder = Path("runs") / task.name if folder is None else Path(folder)
    with ExitStack() as stack:
        held = processes.together(
            lambda: stack.enter_context(holding(folder, writes=processes.first))
        )
        return _fit(
            recipe, task, held, resume,
            on_batch=on_batch, on_epoch=on_epoch, processes=processes, simulate=simulate,
            start=start,
        )  # fmt: skip


def _fit(  # noqa: PLR0912, PLR0915
    recipe: Recipe,
    task: Task,
    held: RunFolder,
    resume: bool,
    *,
    on_batch: Report | None,
    on_epoch: Report | None,
    processes: Processes,
    simulate: Simulate | None,
    start: FloatModel | None,
) -> tuple[SRNN, RunState]:
    training, folder = recipe.training, held.path
    device = processes.device(training.device)
    torch.manual_seed(training.seed)
    config = recipe.model.resolve(task.input_size, len(task.classes), task.skip_steps)
    _check_fit(config, training, task, processes)
    model = SRNN(config, training.engine)
    if start is not None:
        _start_from(model, start)
    model = model.to(device)
    if training.quantize:
        model.grid = _grid(config, recipe, task, simulate)
    optimizer = make_optimizer(model, training)
    state = RunState()
    if resume:
        content = processes.from_first(lambda: read_run(folder))
        check_same_recipe(content["recipe"], recipe)
        state = restore(content, model, optimizer)
        _set_doublings(model, state.doublings)
    processes.same_parameters(model)
    train, validation = (
        make_feed(split, task.input_scale, device, model=model)
        for split in (task.train, task.validation)
    )
    watch = Watch(model, training, processes, folder)
    checkpoints = Checkpoints(
        folder, recipe, model, optimizer, writes=processes.first, check=held.check
    )

    with (
        scalars(folder, state.epoch, writes=processes.first) as log,
        stop_requests() as stopping,
    ):
        while state.epoch < training.epochs:
            started = clock()
            rate = learning_rate(training, state.epoch)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            model.train()
            if state.batch == 0:
                _calibrate(model, task, state, watch)
            finished = _run_epoch(
                model, optimizer, training, train, state,
                watch=watch, stopping=stopping, on_batch=on_batch,
            )  # fmt: skip
            watch.weights(state)
            if not finished:
                checkpoints.save(state)
                raise Stopped
            model.eval()
            with watch.integers(state, initial=False):
                check = evaluate(
                    model, task, task.validation,
                    device=device, feed=validation, processes=processes,
                )  # fmt: skip
            if not math.isfinite(check.loss):
                watch.validation(validation, check.loss, state)
            row = _epoch_row(state, check, rate, clock() - started)
            state.history.append(row)
            # Of epochs with equal accuracy, the one with the smaller loss is the safer choice.
            score = (check.metrics["accuracy"], -check.loss)
            if score > (state.best_accuracy, -state.best_loss):
                state.best_accuracy, state.best_loss = check.metrics["accuracy"], check.loss
                state.best_epoch = state.epoch
                state.best_weights, state.best_doublings = model.weights(), state.doublings
                if processes.first:
                    held.check()
                    metrics = {"validation": check.metrics, "epochs": state.epoch + 1}
                    write_model(folder / MODEL, float_model(model, task, recipe, metrics))
            state.epoch, state.batch, state.sums = state.epoch + 1, 0, {}
            stop = processes.any(stopping())
            if stop or state.epoch == training.epochs or checkpoints.due():
                checkpoints.save(state)
            for name, value in row.items():
                log(name, value, int(row["epoch"]))
            if on_epoch is not None:
                on_epoch(row)
            if stop and state.epoch < training.epochs:
                raise Stopped
    model.load_weights(state.best_weights)
    _set_doublings(model, state.best_doublings)
    model.eval()
    return model, state


def _data(recipe: Recipe) -> Task:
    if not isinstance(recipe.task, DataInMemory) or recipe.task.task is None:
        raise InputError(
            f"fit: the recipe names task {recipe.task.name}; load it with srnn.tasks.load, or give "
            "make_recipe the data"
        )
    return recipe.task.task


def _grid(config: ModelConfig, recipe: Recipe, task: Task, simulate: Simulate | None) -> OnGrid:
    from .integer import OnGrid

    return OnGrid(config, recipe.quantization, task.description(), simulate or _simulated)


def _simulated(network: Network, inputs: Any, lengths: Any) -> Trace:
    from ..simulate.simulator import run

    return run(network, inputs, lengths, record="states")


def _set_doublings(model: SRNN, doublings: list[list[int]]) -> None:
    if model.grid is not None and doublings:
        model.grid.doublings = [np.array(count, np.int64) for count in doublings]


def _calibrate(model: SRNN, task: Task, state: RunState, watch: Watch) -> None:
    """Double the weight units that the weights have outgrown, so that no state saturates."""
    if model.grid is None:
        return
    part = task.train.take(np.arange(min(CALIBRATION_SAMPLES, len(task.train))))
    with watch.integers(state, initial=state.epoch == 0):
        model.grid.calibrate(model.weights(), np.asarray(part.inputs), part.lengths)
    state.doublings = [count.tolist() for count in model.grid.doublings]


def _start_from(model: SRNN, start: FloatModel) -> None:
    was, now = (
        [(layer.neuron, layer.size, layer.recurrent, layer.bidirectional) for layer in layers]
        for layers in (start.config.layers, model.config.layers)
    )
    if was != now or start.config.input_size != model.config.input_size:
        raise InputError(
            f"start: the model has {start.config.input_size} inputs and layers {was}, the recipe "
            f"{model.config.input_size} and {now} (neuron, size, recurrent, bidirectional)"
        )
    model.load_weights(start.weights)


def _check_fit(
    config: ModelConfig, training: TrainingConfig, task: Task, processes: Processes
) -> None:
    if training.batch_size < processes.size:
        raise InputError(
            f"training.batch_size: {training.batch_size} is below the {processes.size} processes "
            "that share a batch; raise it or start fewer"
        )
    if training.rate_weight and processes.size > 1:
        raise InputError(
            f"training.rate_weight: {training.rate_weight:g} needs the firing rates of a whole "
            "batch, which several processes do not share; start one process"
        )
    if training.truncate_steps and any(layer.bidirectional for layer in config.layers):
        raise InputError(
            "training.truncate_steps: a bidirectional layer needs whole sequences; set it to 0"
        )
    if training.truncate_steps and any(x.delay.high or x.delay_rec.high for x in config.layers):
        raise InputError(
            "training.truncate_steps: with delays a sequence cannot continue from a state, which "
            "does not hold the messages in transit; set it to 0"
        )
    per_step = config.readout == "membrane"
    if per_step != task.per_step:
        labels = "a label at every step" if task.per_step else "one label per sequence"
        others = [name for name in READOUTS if (name == "membrane") == task.per_step]
        raise InputError(
            f"model.readout: {config.readout} does not fit task {task.name}, which has {labels}; "
            f"choose {' or '.join(others)}"
        )


def _run_epoch(
    model: SRNN,
    optimizer: torch.optim.Optimizer,
    training: TrainingConfig,
    feed: Feed,
    state: RunState,
    *,
    watch: Watch,
    stopping: Callable[[], bool],
    on_batch: Report | None,
) -> bool:
    """Train from ``state.batch`` to the end of the epoch; False when a stop was asked for."""
    processes = watch.processes
    order = epoch_order(len(feed), training.seed, state.epoch)
    batches = math.ceil(len(order) / training.batch_size)
    for index in range(state.batch, batches):
        chosen = order[index * training.batch_size : (index + 1) * training.batch_size]
        share = processes.share(chosen)
        batch = feed.batch(share.indices)
        with watch.batch(state, share.indices):
            own = train_batch(
                model, optimizer, batch, training, processes=processes, weight=share.weight
            )
        for name, value in Measured(*processes.sum(own)).means().items():
            state.sums[name] = state.sums.get(name, 0.0) + value * len(chosen)
        state.sums["samples"] = state.sums.get("samples", 0.0) + len(chosen)
        state.batch = index + 1
        if on_batch is not None:
            means = {n: v / state.sums["samples"] for n, v in state.sums.items() if n != "samples"}
            on_batch({"epoch": state.epoch, "batch": state.batch, "batches": batches, **means})
        if processes.any(stopping()) and state.batch < batches:
            return False
    return True


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
