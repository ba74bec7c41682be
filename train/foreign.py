"""Loading weights that other code trained into an ``SRNN``."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..export.checkpoint import (
    ModelConfig,
    declared_parameter,
    expected_weights,
)
from ..export.config import Delay
from ..export.errors import InputError
from ..export.suggest import check_known
from ..neurons.real import TIME_CONSTANT, FloatParameter
from .network import SRNN


def from_foreign_weights(
    config: ModelConfig,
    weights: Mapping[str, Any],
    mapping: Mapping[str, str | Sequence[str]],
    clip_time_constants: bool = False,
    engine: str = "events",
) -> SRNN:
    """Build an ``SRNN`` from weights with the names and layout of another program.

    Parameters
    ----------
    config
        The network, with the constants that the other file lacks: threshold, adaptation strength,
        initial adaptation, and the time constants of layers that are not mapped.
    weights
        Parameters by their names there: tensors or arrays, for example a PyTorch state dict. Time
        constants are in steps.
    mapping
        From srnn's names (``layers.0.weight``, see ``expected_weights``) to those names; several
        of them are summed, for networks with an input and a recurrent bias. A name that is not
        mapped takes the config's initial value if that is a constant; weights must be mapped,
        biases default to zero.
    clip_time_constants
        Move time constants into their range instead of refusing them, with a warning that says
        how many were changed and the first of them.
    engine
        As of ``SRNN``.

    Raises
    ------
    InputError
        A name that does not exist on one side, a shape that does not fit, a value that is not
        finite, a time constant out of range.

    Example
    -------
    ::

        state = torch.load("ecg_2021_0.859.pth", map_location="cpu", weights_only=True)
        model = from_foreign_weights(config, state, {
            "layers.0.weight": "i2h.weight", "layers.0.weight_rec": "h2h.weight",
            "layers.0.bias": ("i2h.bias", "h2h.bias"), "layers.0.tau_mem": "tau_m_h", ...})
    """
    expected = expected_weights(config)
    for name in mapping:
        check_known("weight of the network", name, expected, "mapping")
    found: dict[str, npt.NDArray[np.float32]] = {}
    for name, shape in expected.items():
        if name in mapping:
            sources = [mapping[name]] if isinstance(mapping[name], str) else list(mapping[name])
            found[name] = _summed(name, shape, [str(s) for s in sources], weights)
        else:
            found[name] = _default(config, name, shape)
        entry = declared_parameter(config, name)
        if entry is not None and entry.kind == TIME_CONSTANT:
            found[name] = _in_range(name, entry, found[name], clip_time_constants)
    model = SRNN(config, engine)
    model.load_weights(found)
    return model


def _in_range(
    name: str, entry: FloatParameter, taus: npt.NDArray[np.float32], clip: bool
) -> npt.NDArray[np.float32]:
    """Return time constants within the grid's range, changed with a warning, or refuse them."""
    low, high = entry.low, entry.high
    clipped = np.clip(taus, low, high).astype(np.float32)
    # float32 rounds the limits themselves.
    changed = np.flatnonzero(~np.isclose(taus, clipped, rtol=1e-6, atol=0) & np.isfinite(taus))
    if not changed.size:
        return taus
    first = changed[0]
    text = (
        f"{name}: {changed.size} of {taus.size} time constants lie outside {low:g}..{high:g} "
        f"steps, such as {taus[first]:g} of neuron {first}"
    )
    if not clip:
        raise InputError(f"{text}; clip_time_constants=True moves them into the range")
    warnings.warn(f"{text}, which became {clipped[first]:g}", stacklevel=3)
    return clipped


def _summed(
    name: str, shape: tuple[int, ...], sources: list[str], weights: Mapping[str, Any]
) -> npt.NDArray[np.float32]:
    total = np.zeros(shape, dtype=np.float32)
    for source in sources:
        check_known("weight", source, map(str, weights), f"mapping: {name}")
        value = weights[source]
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().float().numpy()
        try:
            array = np.asarray(value, dtype=np.float32)
        except (TypeError, ValueError):
            raise InputError(f"mapping: {source} holds no numbers") from None
        if array.shape != shape:
            raise InputError(f"mapping: {source} has shape {array.shape}, {name} needs {shape}")
        total = total + array
    return total


def _default(config: ModelConfig, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    parameter = name.rsplit(".", 1)[1]
    match = re.match(r"layers\.(\d+)\.", name)
    assert match is not None
    layer = config.layers[int(match.group(1))]
    if parameter in {"weight", "weight_rec"}:
        raise InputError(f"mapping: {name} must be mapped to a name of the given weights")
    if parameter == "bias":
        return np.zeros(shape, dtype=np.float32)
    entry = declared_parameter(config, name)
    initial = None if entry is None else layer.parameters.get(parameter, entry.initial)
    value = getattr(layer, parameter) if initial is None else initial
    if isinstance(value, Delay):
        return np.linspace(value.low, value.high, shape[0]).round().astype(np.float32)
    if not isinstance(value, (int, float)):
        if value.kind != "constant":
            raise InputError(
                f"mapping: {name} is not mapped and its initial value is {value.kind}, not constant"
            )
        value = value.mean
    return np.full(shape, value, dtype=np.float32)
