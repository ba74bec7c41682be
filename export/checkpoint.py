"""The ``model.pt`` format: a trained float model, self-describing, read with ``weights_only=True``.

A file is one dictionary of plain values and tensors::

    format          "srnn-model"
    format_version  1
    config          ModelConfig as plain values
    weights         {"layers.0.weight": float32 (n, n_in), ...}, see ``expected_weights``
    task            {"name", "options", "encoder", "classes", "message_bits", "input_scale", "dt"}
    recipe          the recipe that made it, plain values
    metrics         what training measured, plain values
    samples         {"inputs", "lengths", "targets", "valid", "output", "spikes.<layer>"}, validation data with
                    the float model's answers; may be empty
    versions        {"srnn", "torch", "python", ...}

Time constants are stored in steps as the equations use them, not as the trainer's raw parameters.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .files import replace_file
from .network import READOUTS
from .plain import build

FORMAT = "srnn-model"
FORMAT_VERSION = 1

FLOAT_NEURONS: dict[str, tuple[str, ...]] = {
    "alif": ("tau_mem", "tau_adp", "threshold", "adaptation"),
    "alif_relu": ("tau_mem", "tau_adp", "threshold", "adaptation"),
    "lif": ("tau_mem", "threshold"),
    "cuba_lif": ("tau_syn", "tau_mem", "threshold"),
    "li": ("tau_mem",),
}
"""Float neurons and their per-neuron parameters; the equations are in ``train/neurons.py``."""

TIME_CONSTANTS = ("tau_mem", "tau_adp", "tau_syn")
TAU_MIN, TAU_MAX = 0.2, 4095.0
"""Range of time constants in steps: what a 12-bit decay code can still tell apart."""


@dataclass(frozen=True)
class Init:
    """Initial time constants of a population, in steps.

    ``kind``: ``constant`` (``mean``), ``normal`` (``mean``, ``std``), ``uniform`` or ``log_uniform``
    (``low``, ``high``). Values are clipped to the range of time constants.
    """

    kind: str = "constant"
    mean: float = 20.0
    std: float = 0.0
    low: float = 3.0
    high: float = 200.0

    def __post_init__(self) -> None:
        if self.kind not in {"constant", "normal", "uniform", "log_uniform"}:
            raise InputError(
                f"initial time constants: kind {self.kind!r} is not one of constant, normal, "
                "uniform, log_uniform"
            )
        for name in ("mean", "low", "high"):
            if not getattr(self, name) > 0:
                raise InputError(
                    f"initial time constants: {name} {getattr(self, name)} is not above 0 steps"
                )
        if self.std < 0 or self.high < self.low:
            raise InputError(
                f"initial time constants: std {self.std} below 0 or high {self.high} below low "
                f"{self.low}"
            )


@dataclass(frozen=True)
class SurrogateConfig:
    """The surrogate gradient by name; None stands for that surrogate's default.

    The formulas, and which parameters each of them has, are in ``train/surrogate.py``.
    """

    name: str = "multi_gaussian"
    gamma: float | None = None
    width: float | None = None
    height: float | None = None
    scale: float | None = None
    slope: float | None = None


@dataclass(frozen=True)
class LayerConfig:
    """One layer of the float model.

    ``threshold`` is b0 and ``adaptation`` beta of the paper, as initial values for all neurons;
    ``initial_adaptation`` is the trace b before the first step. ``weight_init``: ``xavier_uniform``,
    ``xavier_normal``, ``kaiming_normal`` or ``uniform`` (torch's default); ``recurrent_init`` also
    ``orthogonal`` and ``zero``. ``weight_gain`` and ``recurrent_gain`` multiply the initial weights.
    """

    neuron: str = "alif"
    size: int = 64
    recurrent: bool = False
    bidirectional: bool = False
    threshold: float = 0.01
    adaptation: float = 1.8
    initial_adaptation: float = 0.0
    tau_mem: Init = field(default_factory=Init)
    tau_adp: Init = field(default_factory=lambda: Init(mean=150.0))
    tau_syn: Init = field(default_factory=lambda: Init(mean=5.0))
    train_time_constants: bool = True
    weight_init: str = "xavier_uniform"
    weight_gain: float = 1.0
    recurrent_init: str = "orthogonal"
    recurrent_gain: float = 1.0

    def __post_init__(self) -> None:
        if self.neuron not in FLOAT_NEURONS:
            raise InputError(
                f"layer: neuron {self.neuron!r} is not one of {', '.join(FLOAT_NEURONS)}"
            )
        if self.size < 1:
            raise InputError(f"layer: size {self.size} is below 1")
        if self.threshold < 0 or self.adaptation < 0 or self.initial_adaptation < 0:
            raise InputError("layer: threshold, adaptation and initial_adaptation must not be negative")
        if self.recurrent and self.neuron == "li":
            raise InputError("layer: an li readout does not spike, so it cannot be recurrent")
        inits = ("xavier_uniform", "xavier_normal", "kaiming_normal", "uniform")
        if self.weight_init not in inits:
            raise InputError(
                f"layer: weight_init {self.weight_init!r} is not one of {', '.join(inits)}"
            )
        inits = (*inits, "orthogonal", "zero")
        if self.recurrent_init not in inits:
            raise InputError(
                f"layer: recurrent_init {self.recurrent_init!r} is not one of {', '.join(inits)}"
            )

    @property
    def width(self) -> int:
        """Number of outputs: twice the size where the layer runs in both directions."""
        return 2 * self.size if self.bidirectional else self.size


@dataclass(frozen=True)
class ModelConfig:
    """The float network: input channels, layers from the input up, readout and surrogate."""

    input_size: int
    layers: tuple[LayerConfig, ...]
    readout: str = "membrane"
    skip_steps: int = 0
    surrogate: SurrogateConfig = field(default_factory=SurrogateConfig)

    def __post_init__(self) -> None:
        if self.input_size < 1:
            raise InputError(f"model: input_size {self.input_size} is below 1")
        if not self.layers:
            raise InputError("model: has no layers")
        if self.readout not in READOUTS:
            raise InputError(f"model: readout {self.readout!r} is not one of {', '.join(READOUTS)}")
        for index, layer in enumerate(self.layers):
            last = index == len(self.layers) - 1
            if layer.neuron == "li" and not last:
                raise InputError(f"layer {index}: li does not spike and must come last")
            if layer.bidirectional and (index > 0 or last):
                raise InputError(f"layer {index}: only a first layer below others can be bidirectional")
        if self.readout == "spike_count" and self.layers[-1].neuron == "li":
            raise InputError("model: readout spike_count needs a last layer that spikes, not li")

    def input_width(self, index: int) -> int:
        """Number of sources of layer ``index``."""
        return self.input_size if index == 0 else self.layers[index - 1].width


def expected_weights(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a model's weights.

    Layer i has ``layers.i.weight`` (n, n_in), ``layers.i.bias`` (n,), ``layers.i.weight_rec`` (n, n)
    where recurrent, and its neuron's parameters (n,). A bidirectional layer has them twice, as
    ``layers.0.forward.*`` and ``layers.0.backward.*``.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for index, layer in enumerate(config.layers):
        directions = ("forward.", "backward.") if layer.bidirectional else ("",)
        for direction in directions:
            prefix = f"layers.{index}.{direction}"
            shapes[f"{prefix}weight"] = (layer.size, config.input_width(index))
            shapes[f"{prefix}bias"] = (layer.size,)
            if layer.recurrent:
                shapes[f"{prefix}weight_rec"] = (layer.size, layer.size)
            for name in FLOAT_NEURONS[layer.neuron]:
                shapes[f"{prefix}{name}"] = (layer.size,)
    return shapes


def check_weights(config: ModelConfig, weights: Mapping[str, npt.NDArray[Any]]) -> None:
    """Check names, shapes and values of weights against a config.

    Raises
    ------
    InputError
        A missing, superfluous or wrongly shaped entry, a value that is not finite, a time constant
        out of range, a negative threshold or adaptation.
    """
    expected = expected_weights(config)
    missing, superfluous = set(expected) - set(weights), set(weights) - set(expected)
    if missing or superfluous:
        raise InputError(
            "weights: "
            + "; ".join(
                f"{word} {', '.join(sorted(names))}"
                for word, names in (("missing", missing), ("not known", superfluous))
                if names
            )
        )
    for name, shape in expected.items():
        values = np.asarray(weights[name])
        if values.shape != shape:
            raise InputError(f"weights: {name} has shape {values.shape}, needs {shape}")
        if not np.isfinite(values).all():
            bad = np.argwhere(~np.isfinite(values))[0].tolist()
            raise InputError(f"weights: {name}{bad} is {values[tuple(bad)]}, not a finite number")
        parameter = name.rsplit(".", 1)[1]
        if parameter in TIME_CONSTANTS:
            _check_range(name, values, TAU_MIN, TAU_MAX, "steps")
        elif parameter in {"threshold", "adaptation"}:
            _check_range(name, values, 0.0, float("inf"), "")


def _check_range(
    name: str, values: npt.NDArray[Any], low: float, high: float, unit: str
) -> None:
    # float32 rounds the limits themselves, hence the relative tolerance.
    bad = np.flatnonzero((values < low * (1 - 1e-6)) | (values > high * (1 + 1e-6)))
    if bad.size:
        raise InputError(
            f"weights: {name}[{bad[0]}] is {values[bad[0]]:g} {unit}".rstrip()
            + f", outside {low:g}..{high:g} ({bad.size} of {values.size} neurons)"
        )


@dataclass(frozen=True, eq=False)
class FloatModel:
    """A trained float model as a ``model.pt`` holds it; arrays are NumPy."""

    config: ModelConfig
    weights: dict[str, npt.NDArray[np.float32]]
    task: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    samples: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_weights(self.config, self.weights)


def write_model(path: str | os.PathLike[str], model: FloatModel) -> None:
    """Write a ``model.pt``; the old file stays until the new one is complete."""
    import torch

    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "config": asdict(model.config),
        "weights": {name: torch.from_numpy(np.array(w)) for name, w in model.weights.items()},
        "task": model.task,
        "recipe": model.recipe,
        "metrics": model.metrics,
        "samples": {name: torch.from_numpy(np.array(s)) for name, s in model.samples.items()},
        "versions": model.versions,
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    replace_file(path, buffer.getvalue())


def read_model(path: str | os.PathLike[str]) -> FloatModel:
    """Read and check a ``model.pt``.

    Raises
    ------
    InputError
        Not such a file, truncated, of a newer format version, or with wrong entries.
    """
    import torch

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            f"{path}: damaged, or holds Python objects instead of plain values and tensors"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise InputError(f"{path}: truncated or not a model.pt ({reason})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(
            f"{path}: not an srnn model; for weights of other code see srnn.train.from_foreign_weights"
        )
    version = content.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION or version < 1:
        raise InputError(
            f"{path}: format version {version}, this srnn reads 1 to {FORMAT_VERSION}; update srnn"
        )
    try:
        return FloatModel(
            config=build(ModelConfig, content["config"], "config"),
            weights={name: tensor.numpy() for name, tensor in content["weights"].items()},
            samples={name: tensor.numpy() for name, tensor in content["samples"].items()},
            **{f.name: content[f.name] for f in fields(FloatModel) if f.name in _PLAIN},
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: entry missing or of a wrong type: {error}") from None


_PLAIN = {"task", "recipe", "metrics", "versions"}
