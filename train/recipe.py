"""Recipes: one TOML file holds everything that a training run depends on.

A recipe has the tables ``[task]``, ``[model]`` with ``[[model.layers]]``, ``[training]`` and
``[quantization]``; every setting is a field of the dataclasses here, in ``export/config.py`` and in
``export/freeze.py``, and every one can be overridden from the command line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..export.checkpoint import FLOAT_NEURONS, LayerConfig, ModelConfig, SurrogateConfig
from ..export.errors import InputError
from ..export.filekind import RECIPE, check_kind
from ..export.freeze import Quantization
from ..export.plain import build
from ..export.reading.text import read_toml, read_toml_file
from ..export.suggest import check_known, unknown

if TYPE_CHECKING:
    from ..tasks.base import Task
    from ..tasks.memory import Data

OPTIMIZERS = ("adam", "adamw", "adamax")
BASELINES = ("none", "relu", "rnn", "gru", "lstm")
ENGINES = ("events", "loop")
"""``events``: compiled and exact, for float32 on the CPU (``train/engine``); elsewhere the loop.
``loop``: plain PyTorch operations, step by step."""
SCHEDULES = ("constant", "step", "cosine", "linear")
SEED_MAX = 2**63 - 1
RATE_MAX = 1e6
"""Larger rates make no sense, and products of rates could overflow float32."""
GRADIENT_MAX = 1e18
"""Largest ``largest_gradient``: the square that Adam stores still fits float32."""


@dataclass(frozen=True)
class TaskConfig:
    """Which data.

    Parameters
    ----------
    name
        Name of the task (docs/TASKS.md).
    options
        Options of the task, by name.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DataInMemory(TaskConfig):
    """Data that were given to ``make_recipe``: the task itself, beside its name and options."""

    task: Task | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class ModelRecipe:
    """The network without the sizes that the task determines.

    Parameters
    ----------
    layers
        Layers from the input up. Settings of each are those of ``LayerConfig``; a last layer
        without ``size`` gets one neuron per class.
    readout
        How answers are read: membrane, mean_softmax, spike_count, last_membrane.
    surrogate
        Surrogate gradient of the spikes.
    baseline
        Network to train in the place of the layers: none, relu, rnn, gru, lstm. It does not spike
        and has the same sizes. ``relu`` is the paper's control, the same neurons with graded
        activations; ``rnn``, ``gru`` and ``lstm`` are torch's layers below a linear readout
        (``train/dense.py``).
    """

    layers: tuple[dict[str, Any], ...]
    readout: str = "membrane"
    surrogate: SurrogateConfig = field(default_factory=SurrogateConfig)
    baseline: str = "none"

    def __post_init__(self) -> None:
        check_known("baseline", self.baseline, BASELINES, "model")

    def check(self) -> None:
        """Refuse what no task can make right, so that it is found before data is loaded.

        Raises
        ------
        InputError
            As ``resolve``, but for the number of classes.
        """
        self.resolve(1, self.layers[-1].get("size", 1) if self.layers else 1, 0)

    def resolve(self, input_size: int, classes: int, skip_steps: int) -> ModelConfig:
        """Return the full config for a task.

        Raises
        ------
        InputError
            A setting that is unknown or out of range, or an output size other than the classes.
        """
        layers = [dict(layer) for layer in self.layers]
        if layers:
            layers[-1].setdefault("size", classes)
        built = tuple(
            build(LayerConfig, layer, f"model.layers.{index}") for index, layer in enumerate(layers)
        )
        built = baseline_layers(built, self.baseline)
        if built and built[-1].size != classes:
            raise InputError(
                f"model.layers.{len(built) - 1}.size: {built[-1].size} output neurons for "
                f"{classes} classes; leave the size of the last layer out"
            )
        return ModelConfig(
            input_size=input_size,
            layers=built,
            readout=self.readout,
            skip_steps=skip_steps,
            surrogate=self.surrogate,
        )


def baseline_layers(layers: tuple[LayerConfig, ...], baseline: str) -> tuple[LayerConfig, ...]:
    """Return the layers of a baseline (one of ``BASELINES``) of the same sizes.

    Raises
    ------
    InputError
        A layer that the baseline has no counterpart of, or no hidden layer.
    """
    if baseline == "none":
        return layers
    if baseline == "relu":
        return tuple(_relu(index, layer) for index, layer in enumerate(layers))
    if len(layers) < 2:
        raise InputError(f"model.baseline: {baseline} needs a hidden layer; the recipe has none")
    *hidden, readout = layers
    for index, layer in enumerate(hidden):
        if layer.bidirectional:
            raise InputError(
                f"model.layers.{index}: is bidirectional, and the baseline {baseline} is not"
            )
    return (
        *(LayerConfig(neuron=baseline, size=layer.size) for layer in hidden),
        LayerConfig(neuron="linear", size=readout.size),
    )


def _relu(index: int, layer: LayerConfig) -> LayerConfig:
    if layer.neuron == "lif":
        return replace(layer, neuron="alif_relu", adaptation=0.0)
    if layer.neuron == "alif":
        return replace(layer, neuron="alif_relu")
    if not layer.dense and FLOAT_NEURONS[layer.neuron].SPIKING:
        raise InputError(
            f"model.layers.{index}: {layer.neuron} has no graded form; the baseline relu takes "
            "alif, lif"
        )
    return layer


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Parameters
    ----------
    epochs
        Passes over the training data.
    batch_size
        Sequences per step of the optimizer.
    learning_rate
        Learning rate at the start.
    tau_rate
        Learning rate of the time constants relative to learning_rate. It is on the raw scale of
        ``train/time_constants.py``.
    optimizer
        One of adam, adamw, adamax.
    weight_decay
        Weight decay of the optimizer.
    schedule
        Course of the learning rate: constant, step, cosine, linear. ``step`` multiplies it by
        ``schedule_factor`` every ``schedule_epochs``; ``cosine`` and ``linear`` fall to zero over
        all epochs.
    schedule_epochs
        Epochs between the changes of the schedule step.
    schedule_factor
        Factor of each change of the schedule step.
    clip_gradient
        Largest norm of the whole gradient; 0: not clipped.
    largest_gradient
        Norm of the gradient, after clipping, above which training stops.
    truncate_steps
        Backward pass and optimizer step every so many time steps; 0: at the end.
    labelled_only
        Leave unlabelled steps out of the loss.
    bundle_samples
        Validation samples that go into model.pt with the model's answers.
    seed
        Seed of the initial weights and of the order of the training data.
    threads
        CPU threads of a process; 0: torch's choice. Of several processes each then has an equal
        part of the cores.
    device
        Device of torch: cpu, cuda, cuda:1.
    engine
        How layers run through time: events (compiled), loop (plain PyTorch).
    quantize
        Train on the chip's integers (``train/integer.py``), as [quantization] says.
    rate_weight
        Weight of the firing rates in the loss; 0: none. It multiplies the mean squared deviation
        of the neurons' rates, averaged over a batch, from ``target_rate``, and of what of them is
        above ``largest_rate``.
    target_rate
        Firing rate to approach, spikes per step; 0: none.
    largest_rate
        Firing rate above which rate_weight counts, spikes per step.
    """

    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 1e-2
    tau_rate: float = 1.0
    optimizer: str = "adam"
    weight_decay: float = 0.0
    schedule: str = "constant"
    schedule_epochs: int = 100
    schedule_factor: float = 0.5
    clip_gradient: float = 0.0
    largest_gradient: float = 1e9
    truncate_steps: int = 0
    labelled_only: bool = False
    bundle_samples: int = 16
    seed: int = 0
    threads: int = 0
    device: str = "cpu"
    engine: str = "events"
    quantize: bool = False
    rate_weight: float = 0.0
    target_rate: float = 0.0
    largest_rate: float = 1.0

    def __post_init__(self) -> None:  # noqa: PLR0912
        for name, low in (
            ("epochs", 1),
            ("batch_size", 1),
            ("schedule_epochs", 1),
            ("truncate_steps", 0),
            ("bundle_samples", 0),
            ("seed", 0),
            ("threads", 0),
        ):
            if getattr(self, name) < low:
                raise InputError(f"{name}: {getattr(self, name)} is below {low}")
        for name in ("learning_rate", "tau_rate", "weight_decay"):
            if getattr(self, name) > RATE_MAX:
                raise InputError(f"{name}: {getattr(self, name):g} is above {RATE_MAX:g}")
        for name in ("learning_rate", "schedule_factor"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}: {getattr(self, name)} is not above 0")
        for name in ("target_rate", "largest_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name}: {getattr(self, name)} is outside 0..1 spikes per step")
        for name in ("tau_rate", "weight_decay", "clip_gradient", "rate_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name}: {getattr(self, name)} is below 0")
        if not 0 < self.largest_gradient <= GRADIENT_MAX:
            raise InputError(
                f"largest_gradient: {self.largest_gradient:g} is outside 0..{GRADIENT_MAX:g}, "
                "beyond which optimizers cannot square it in float32"
            )
        if self.seed > SEED_MAX:
            raise InputError(f"seed: {self.seed} is above {SEED_MAX}")
        check_known("optimizer", self.optimizer, OPTIMIZERS)
        check_known("engine", self.engine, ENGINES)
        check_known("schedule", self.schedule, SCHEDULES)
        if self.rate_weight and self.truncate_steps:
            raise InputError(
                f"rate_weight: firing rates are those of whole sequences; set truncate_steps "
                f"{self.truncate_steps} to 0"
            )
        if self.quantize:
            self._check_grid()

    def _check_grid(self) -> None:
        if self.device != "cpu":
            raise InputError(f"quantize: training on the grid runs on the cpu, not {self.device}")
        if self.truncate_steps:
            raise InputError(
                f"quantize: truncate_steps {self.truncate_steps} continues from a state, but the "
                "chip resets its state before every sequence; set it to 0"
            )


@dataclass(frozen=True)
class Recipe:
    """One experiment.

    Parameters
    ----------
    task
        Which data.
    model
        The network.
    training
        How to train.
    quantization
        How weights become integers, in training with quantize and in srnn-export.
    description
        What the recipe is, in one line.
    """

    task: TaskConfig
    model: ModelRecipe
    training: TrainingConfig = field(default_factory=TrainingConfig)
    quantization: Quantization = field(default_factory=Quantization)
    description: str = ""

    def plain(self) -> dict[str, Any]:
        """Return plain values, as files hold them: of data in memory, name and options."""
        return asdict(replace(self, task=TaskConfig(self.task.name, self.task.options)))


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with srnn."""
    folder = resources.files("srnn.train.recipes")
    return sorted(f.name[: -len(".toml")] for f in folder.iterdir() if f.name.endswith(".toml"))


def read_plain(name_or_path: str) -> dict[str, Any]:
    """Read a recipe by name, or a TOML file by path, as plain values.

    Raises
    ------
    InputError
        No such recipe or file, or not TOML.
    """
    path = Path(name_or_path)
    names = recipe_names()
    if name_or_path not in names and path.exists():
        check_kind(path, RECIPE)
    if name_or_path.endswith(".toml") or "/" in name_or_path:
        return read_toml_file(path)
    if name_or_path in names:
        bundled = resources.files("srnn.train.recipes").joinpath(f"{name_or_path}.toml")
        return read_toml(bundled.read_text("utf-8"), name_or_path)
    raise InputError(
        f"{unknown('recipe', name_or_path, names)}; a file of your own is given by its path, "
        "my.toml"
    )


def make_recipe(
    plain: Mapping[str, Any], where: str = "recipe", data: Task | Data | None = None
) -> Recipe:
    """Build and check a recipe from plain values.

    Parameters
    ----------
    plain
        The tables of a recipe, as ``read_plain`` returns them.
    where
        Leads to the values in messages.
    data
        Data in memory in place of the table ``task``: a ``Task``, or what ``task_from_arrays`` of
        ``srnn.tasks`` takes for training, such as a pair of inputs (sample, time, channel) and
        labels. ``plain["task"]["options"]`` then say how they are encoded; the options of another
        task (``plain["task"]["name"]``) are left out. ``fit(recipe)`` trains on them.

    Raises
    ------
    InputError
        A setting that is unknown (with a suggestion), of another type, or out of range; data that
        cannot be used.
    """
    if data is not None:
        plain = {**plain, "task": _in_memory(data, plain.get("task", {}))}
    try:
        recipe = build(Recipe, plain)
        recipe.model.check()
        return recipe
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _in_memory(data: Task | Data, table: Mapping[str, Any]) -> DataInMemory:
    from ..tasks.base import Task
    from ..tasks.memory import NAME, task_from_arrays

    if not isinstance(data, Task):
        own = table.get("name", NAME) in {NAME, "arrays"}
        data = task_from_arrays(data, options=table.get("options") if own else None)
    return DataInMemory(data.name, data.options, data)


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """Return the recipe with another seed."""
    return replace(recipe, training=replace(recipe.training, seed=seed))
