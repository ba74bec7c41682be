"""Recipes: one TOML file holds everything that a training run depends on.

A recipe has the tables ``[task]``, ``[model]`` with ``[[model.layers]]``, ``[training]`` and
``[quantization]``; every setting is a field of the dataclasses here, in ``export/config.py`` and in
``export/freeze.py``, and every one can be overridden from the command line.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from ..export.checkpoint import LayerConfig, ModelConfig, SurrogateConfig
from ..export.errors import InputError
from ..export.freeze import Quantization
from ..export.plain import build, join, suggest

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
    """Which data: a task's name and its options (see ``srnn.tasks``)."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DataInMemory(TaskConfig):
    """Data that were given to ``make_recipe``: the task itself, beside its name and options."""

    task: Task | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class ModelRecipe:
    """The network without the sizes that the task determines.

    A last layer without ``size`` gets one neuron per class. ``baseline`` puts a network that does
    not spike in the place of the layers, of the same sizes, for comparison: ``relu``, the paper's
    control, the same neurons with graded activations; ``rnn``, ``gru`` or ``lstm``, torch's layers
    below a linear readout (``train/dense.py``).
    """

    layers: tuple[dict[str, Any], ...]
    readout: str = "membrane"
    surrogate: SurrogateConfig = field(default_factory=SurrogateConfig)
    baseline: str = "none"

    def __post_init__(self) -> None:
        if self.baseline not in BASELINES:
            raise InputError(f"baseline: {self.baseline!r}{suggest(self.baseline, BASELINES)}")

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
    if layer.neuron == "cuba_lif":
        raise InputError(
            f"model.layers.{index}: cuba_lif has no graded form; the baseline relu takes alif, lif"
        )
    return replace(layer, neuron="alif_relu") if layer.neuron == "alif" else layer


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    ``tau_rate``: learning rate of the time constants relative to ``learning_rate`` (on the raw
    scale of ``train/time_constants.py``). ``schedule``: ``constant``; ``step``, times
    ``schedule_factor`` every ``schedule_epochs``; ``cosine`` or ``linear`` to zero over all epochs.
    ``clip_gradient``: largest norm of the whole gradient, 0 for none. ``largest_gradient``: norm,
    after clipping, above which training stops. ``truncate_steps``: backward
    and optimizer step every so many time steps, 0 for whole sequences. ``labelled_only``: leave
    unlabelled steps out of the loss. ``bundle_samples``: validation samples that go into
    ``model.pt`` with the model's answers. ``threads``: CPU threads of a process, 0 for torch's
    choice or, of several processes, an equal part of the cores. ``engine``: one of ``ENGINES``, how
    layers run through time. ``quantize``: train on the chip's grid (``train/integer.py``), as
    ``[quantization]`` says. ``rate_weight`` times the mean squared deviation of the neurons' firing
    rates from ``target_rate`` (0 for none), and of what of them is above ``largest_rate``, is added
    to the loss; rates are spikes per step, averaged over a batch.
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
        if self.optimizer not in OPTIMIZERS:
            raise InputError(f"optimizer: {self.optimizer!r}{suggest(self.optimizer, OPTIMIZERS)}")
        if self.engine not in ENGINES:
            raise InputError(f"engine: {self.engine!r}{suggest(self.engine, ENGINES)}")
        if self.schedule not in SCHEDULES:
            raise InputError(f"schedule: {self.schedule!r}{suggest(self.schedule, SCHEDULES)}")
        if self.rate_weight and self.truncate_steps:
            raise InputError(
                f"rate_weight: firing rates are those of whole sequences; set truncate_steps "
                f"{self.truncate_steps} to 0"
            )
        if self.quantize:
            self._check_grid()

    def _check_grid(self) -> None:
        if self.engine != "events" or self.device != "cpu":
            raise InputError(
                f"quantize: training on the grid needs the engine events on the cpu, not "
                f"{self.engine} on {self.device}"
            )
        if self.truncate_steps:
            raise InputError(
                f"quantize: truncate_steps {self.truncate_steps} continues from a state, but the "
                "chip resets its state before every sequence; set it to 0"
            )


@dataclass(frozen=True)
class Recipe:
    """One experiment."""

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
    if name_or_path.endswith(".toml") or "/" in name_or_path:
        path = Path(name_or_path)
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise InputError(f"{path}: not a text file in UTF-8") from None
    elif name_or_path in (names := recipe_names()):
        text = (
            resources.files("srnn.train.recipes")
            .joinpath(f"{name_or_path}.toml")
            .read_text("utf-8")
        )
    else:
        raise InputError(
            f"recipe {name_or_path!r}: no such recipe{suggest(name_or_path, names)}; "
            "a file of your own is given by its path, my.toml"
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name_or_path}: not TOML: {error}") from None


def override(plain: dict[str, Any], assignments: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the plain recipe with settings replaced, as ``("training.epochs", "5")``.

    A path may be written in full (``model.layers.0.size``, ``task.options.window``), or short:
    ``epochs`` for a field of ``[training]``, ``layers.0.size`` or ``readout`` for the model's.
    Values are TOML literals; anything else is text.

    Raises
    ------
    InputError
        A path that does not exist, with a suggestion; a layer that does not exist.
    """
    result = _copy(plain)
    for path, text in assignments:
        parts = _full_path(path, result)
        target: Any = result
        for index, part in enumerate(parts[:-1]):
            if isinstance(target, list):
                if not part.isdecimal() or int(part) >= len(target):
                    raise InputError(
                        f"--{path}: there are {len(target)} entries in {'.'.join(parts[:index])}, "
                        f"0 to {len(target) - 1}"
                    )
                target = target[int(part)]
            elif isinstance(target, dict):
                target = target.setdefault(part, _default(parts[: index + 1]))
            else:
                break
        if isinstance(target, list):
            raise InputError(f"--{path}: name a setting of the layer, such as {path}.size")
        if not isinstance(target, dict):
            raise InputError(f"--{path}: no such setting; what it is part of is {target!r}")
        target[parts[-1]] = _literal(text)
    return result


def _default(parts: Sequence[str]) -> dict[str, Any]:
    """Return the settings that a table holds which a recipe leaves out, so that one can change."""
    if len(parts) == 4 and parts[1] == "layers":
        for setting in fields(LayerConfig):
            if setting.name == parts[3] and setting.default_factory is not MISSING:
                return asdict(setting.default_factory())
    return {}


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(entry) for key, entry in value.items()}
    return [_copy(entry) for entry in value] if isinstance(value, list) else value


def _literal(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _full_path(path: str, plain: Mapping[str, Any]) -> list[str]:
    parts = path.replace("-", "_").split(".")
    training = {f.name for f in fields(TrainingConfig)}
    model = {f.name for f in fields(ModelRecipe)}
    if parts[0] in training and len(parts) == 1:
        return ["training", *parts]
    if parts[0] in model:
        parts = ["model", *parts]
    grid = {f.name for f in fields(Quantization)}
    known = {
        "training": training,
        "model": model,
        "task": {"name", "options"},
        "quantization": grid,
    }
    if len(parts) > 1 and parts[0] in known and parts[1] in known[parts[0]]:
        if parts[:2] == ["model", "layers"] and len(parts) > 3:
            layer_fields = {f.name for f in fields(LayerConfig)}
            if parts[3] not in layer_fields:
                raise InputError(f"--{path}: no such setting{suggest(parts[3], layer_fields)}")
        return parts
    stack = plain.get("model")
    layers = len(stack.get("layers", ())) if isinstance(stack, dict) else 0
    every = training | {join(table, name) for table, names in known.items() for name in names}
    every |= {f"layers.{i}.{f.name}" for i in range(layers) for f in fields(LayerConfig)}
    raise InputError(f"--{path}: no such setting{suggest('.'.join(parts), every)}")


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
        return build(Recipe, plain)
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
