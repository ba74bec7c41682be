"""The ``model.pt`` format: a trained float model, self-describing, of plain values and tensors.

A file is one dictionary of plain values and tensors::

    format          "srnn-model"
    format_version  1
    config          ModelConfig as plain values
    weights         {"layers.0.weight": float32 (n, n_in), ...}, see ``expected_weights``
    task            {"name", "options", "encoder", "classes", "message_bits", "input_scale", "dt"}
    recipe          the recipe that made it, plain values
    metrics         what training measured, plain values
    samples         validation data with the float model's answers; may be empty: "inputs" integers
                    (N, T, C), "lengths" (N,), "targets" (N,) or (N, T), "valid" bool (N, T),
                    "output" float32 (N, T, n_out), "spikes.<layer>" bits packed along time
    versions        {"srnn", "torch", "python", ...}
    quantization    for a model trained on the grid: {"options": as in ``export/freeze.py``,
                    "doublings": by layer, how often each neuron's weight unit is doubled}; else {}
    neurons         only with neurons that are not srnn's own: by name {"digest", "origin"}

Time constants are stored in steps as the equations use them, not as the trainer's raw parameters.
"""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..neurons.identity import float_digest, origin
from ..neurons.registry import BUILT_IN_FLOAT
from .config import (
    DELAYS,
    FLOAT_NEURONS,
    Init,
    LayerConfig,
    ModelConfig,
    SurrogateConfig,
    declared_parameter,
    expected_weights,
)
from .errors import InputError
from .filekind import MODEL, check_kind
from .files import naming, replacing
from .grid import DELAY_MAX, MESSAGE_BITS_MAX
from .plain import build, shown
from .reading.torch_file import read_torch
from .suggest import check_known

__all__ = [
    "FLOAT_NEURONS",
    "FloatModel",
    "Init",
    "LayerConfig",
    "ModelConfig",
    "SurrogateConfig",
    "check_samples",
    "check_weights",
    "expected_weights",
    "read_model",
    "write_model",
]

FORMAT = "srnn-model"
FORMAT_VERSION = 1


def check_weights(config: ModelConfig, weights: Mapping[str, npt.NDArray[Any]]) -> None:
    """Check names, shapes and values of weights against a config.

    Raises
    ------
    InputError
        A missing, unexpected or wrongly shaped entry, a value that is not finite, a time constant
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
        if values.shape != shape or values.dtype.kind != "f":
            raise InputError(
                f"weights: {name} is {values.dtype} {values.shape}, needs float32 {shape}"
            )
        if not np.isfinite(values).all():
            bad = np.argwhere(~np.isfinite(values))[0].tolist()
            raise InputError(f"weights: {name}{bad} is {values[tuple(bad)]}, not a finite number")
        parameter = declared_parameter(config, name)
        if parameter is not None:
            _check_range(name, values, parameter.low, parameter.high, parameter.unit)
        elif name.rsplit(".", 1)[1] in DELAYS:
            _check_range(name, values, 0.0, DELAY_MAX, "steps")
            bad = np.flatnonzero(values != np.round(values))
            if bad.size:
                raise InputError(
                    f"weights: {name}[{bad[0]}] is {values[bad[0]]:g}, not a whole number of steps"
                )


def _check_range(name: str, values: npt.NDArray[Any], low: float, high: float, unit: str) -> None:
    # float32 rounds the limits themselves, hence the relative tolerance.
    slack_low, slack_high = 1e-6 * abs(low), 1e-6 * abs(high)
    bad = np.flatnonzero((values < low - slack_low) | (values > high + slack_high))
    if bad.size:
        raise InputError(
            f"weights: {name}[{bad[0]}] is {values[bad[0]]:g} {unit}".rstrip()
            + f", outside {low:g}..{high:g} ({bad.size} of {values.size} neurons)"
        )


@dataclass(frozen=True, eq=False)
class FloatModel:
    """A trained float model, the contents of a ``model.pt``; arrays are NumPy."""

    config: ModelConfig
    weights: dict[str, npt.NDArray[np.float32]]
    task: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    samples: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    quantization: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_weights(self.config, self.weights)
        for name in ("task", "recipe", "metrics", "versions", "quantization"):
            if not isinstance(getattr(self, name), dict):
                raise InputError(f"{name}: {shown(getattr(self, name))} is not a table")
        _check_task(self.task, self.config)
        if self.samples:
            check_samples(self.config, self.samples)


def _check_task(task: dict[str, Any], config: ModelConfig) -> None:
    bits, classes = task.get("message_bits", 0), task.get("classes", ())
    if not isinstance(bits, int) or not 0 <= bits <= MESSAGE_BITS_MAX:
        raise InputError(f"task: message_bits {shown(bits)} is not a number of bits")
    for name in ("input_scale", "dt"):
        value = task.get(name)
        if value is not None and not (isinstance(value, (int, float)) and 0 < value < math.inf):
            raise InputError(f"task: {name} {shown(value)} is not a number above 0")
    names = isinstance(classes, (list, tuple)) and all(isinstance(name, str) for name in classes)
    if not names or (classes and len(classes) != config.layers[-1].width):
        raise InputError(
            f"task: classes {shown(classes)} are not {config.layers[-1].width} names, one per "
            "output"
        )


def check_samples(config: ModelConfig, samples: Mapping[str, npt.NDArray[Any]]) -> None:
    """Check the samples of a ``model.pt`` against its config.

    Raises
    ------
    InputError
        An entry that is missing, unknown, or has another type, shape or range.
    """
    if "inputs" not in samples or "output" not in samples:
        raise InputError("samples: needs inputs and output")
    inputs = samples["inputs"]
    if inputs.ndim != 3 or inputs.shape[2] != config.input_size or 0 in inputs.shape:
        raise InputError(
            f"samples: inputs {inputs.shape}, needs (sample, time, {config.input_size})"
        )
    n, steps, _ = inputs.shape
    whole, floating = "iu", "f"
    wanted: dict[str, tuple[str, tuple[tuple[int, ...], ...]]] = {
        "inputs": (whole, (inputs.shape,)),
        "lengths": (whole, ((n,),)),
        "targets": (whole, ((n,), (n, steps))),
        "valid": ("b", ((n, steps),)),
        "output": (floating, ((n, steps, config.layers[-1].width),)),
        **{
            f"spikes.{index}": ("u", ((n, -(-steps // 8), layer.width),))
            for index, layer in enumerate(config.layers)
        },
    }
    for name, values in samples.items():
        check_known("entry", name, wanted, "samples")
        kinds, shapes = wanted[name]
        if values.dtype.kind not in kinds or values.shape not in shapes:
            needed = " or ".join(str(shape) for shape in shapes)
            raise InputError(f"samples: {name} is {values.dtype} {values.shape}, needs {needed}")
    lengths = samples.get("lengths")
    if lengths is not None and not ((lengths >= 0) & (lengths <= steps)).all():
        raise InputError(f"samples: lengths {lengths.min()}..{lengths.max()} outside 0..{steps}")
    if not np.isfinite(samples["output"]).all():
        raise InputError("samples: output holds values that are not finite")


def write_model(path: str | os.PathLike[str], model: FloatModel) -> None:
    """Write a ``model.pt``; the old file stays until the new one is complete and can be read.

    Raises
    ------
    InputError
        An entry, for example a metric, is not a plain value: the file could not be read again.
    """
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
        "quantization": model.quantization,
    }
    own = own_neurons(model.config)
    if own:
        content["neurons"] = own
    buffer = io.BytesIO()
    torch.save(_alike(content), buffer)
    content = buffer.getvalue()
    with replacing(path) as temporary:
        with naming(path, temporary, len(content)):
            temporary.write_bytes(content)
        try:
            read_model(temporary)
        except InputError as error:
            reason = str(error).removeprefix(f"{temporary}: ")
            raise InputError(f"{path}: not written, it could not be read again: {reason}") from None


def own_neurons(config: ModelConfig) -> dict[str, Any]:
    """Return digest and origin of the neurons that are not srnn's own, by name."""
    names = {layer.neuron for layer in config.layers if not layer.dense} - set(BUILT_IN_FLOAT)
    return {
        name: {"digest": float_digest(FLOAT_NEURONS[name]), "origin": origin(FLOAT_NEURONS[name])}
        for name in sorted(names)
    }


def _check_neurons(stored: Any, config: ModelConfig) -> None:
    """Refuse a model whose neurons compute something else than when it was made."""
    for name, found in own_neurons(config).items():
        given = stored.get(name) if isinstance(stored, Mapping) else None
        digest = given.get("digest") if isinstance(given, Mapping) else None
        if digest != found["digest"]:
            raise InputError(
                f"neurons: the file was made with another version of neuron {name} (step "
                f"{shown(digest)[:14]}), here it is {found['digest'][:12]}; give that version by "
                "--neurons FILE, or train again"
            )


def _alike(value: Any) -> Any:
    """Return an equal value of objects such that equal models give equal bytes.

    Pickle writes an object that occurs again as a reference, and an equal one as a copy; whether
    two texts are one object depends on where they were read.
    """
    kind = type(value)
    if kind is str:
        return sys.intern(value)
    if kind is dict:
        return {_alike(key): _alike(entry) for key, entry in value.items()}
    return kind(map(_alike, value)) if kind in {list, tuple} else value


def read_model(path: str | os.PathLike[str]) -> FloatModel:
    """Read and check a ``model.pt``.

    Raises
    ------
    InputError
        Not such a file, truncated, of a newer format version, or with wrong entries.
    """
    check_kind(path, MODEL)
    content = read_torch(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(
            f"{path}: not an srnn model; for weights of other code see "
            "srnn.train.from_foreign_weights"
        )
    version = content.get("format_version")
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise InputError(
            f"{path}: format version {shown(version)}, this srnn reads 1 to {FORMAT_VERSION}; "
            "update srnn"
        )
    entries = ("config", "weights", "task", "recipe", "metrics", "samples", "versions")
    missing = [name for name in entries if not isinstance(content.get(name), dict)]
    if missing:
        raise InputError(f"{path}: {', '.join(missing)} missing or not a table")
    try:
        config = build(ModelConfig, content["config"], "config")
        _check_neurons(content.get("neurons"), config)
        return FloatModel(
            config=config,
            weights=_arrays(content["weights"], "weights"),
            task=content["task"],
            recipe=content["recipe"],
            metrics=content["metrics"],
            samples=_arrays(content["samples"], "samples"),
            versions=content["versions"],
            # Files from before training on the grid do not have it.
            quantization=content.get("quantization", {}),
        )
    except InputError as error:
        # A name in the file may contain anything, even line breaks.
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None


def _arrays(tensors: dict[Any, Any], where: str) -> dict[str, npt.NDArray[Any]]:
    arrays = {}
    for name, tensor in tensors.items():
        try:
            arrays[str(name)] = tensor.detach().numpy()
        except (AttributeError, RuntimeError, TypeError):
            raise InputError(f"{where}: {name} is not a dense tensor") from None
    return arrays
