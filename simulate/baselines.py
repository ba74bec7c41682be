"""Trained dense baselines to compare with a spiking network: their cost and accuracy.

``srnn-train RECIPE --model.baseline lstm`` trains one; its ``model.pt`` says its layers and the
accuracy that training measured on each split.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from ..export.checkpoint import read_model
from ..export.config import ModelConfig
from ..export.errors import InputError
from ..export.network import Network
from .operations import FormulaLayer

_KINDS = {"rnn": "rnn", "gru": "gru", "lstm": "lstm", "linear": "linear", "li": "li"}
"""The formulas' names for the layers of a dense baseline; only the readout ``li`` has a decay."""


@dataclass(frozen=True)
class Baseline:
    """A trained dense network: its name with its sizes, its layers, its accuracy or None."""

    name: str
    layers: tuple[FormulaLayer, ...]
    accuracy: float | None


def read_baselines(
    paths: Sequence[str | os.PathLike[str]], network: Network, split: str | None
) -> tuple[Baseline, ...]:
    """Read baselines of a network's task.

    Parameters
    ----------
    paths
        Files ``model.pt``.
    network
        The network that they are compared with.
    split
        Split whose recorded accuracy counts; None where the network ran on no split, so that no
        accuracy can be compared.

    Raises
    ------
    InputError
        Not a ``model.pt``; a spiking model; a model that was trained on another task.
    """
    return tuple(_read(path, network, split) for path in paths)


def _read(path: str | os.PathLike[str], network: Network, split: str | None) -> Baseline:
    model = read_model(path)
    own, other = network.task.get("name"), model.task.get("name")
    if own != other:
        raise InputError(
            f"{path}: a baseline of task {other}, the network is of {own}; give a baseline of {own}"
        )
    recorded = model.metrics.get(split) if split is not None else None
    accuracy = recorded.get("accuracy") if isinstance(recorded, dict) else None
    if not isinstance(accuracy, (int, float)) or not 0 <= accuracy <= 1:
        accuracy = None
    return Baseline(*_layers(path, model.config), accuracy)


def _layers(
    path: str | os.PathLike[str], config: ModelConfig
) -> tuple[str, tuple[FormulaLayer, ...]]:
    kinds = [layer.neuron for layer in config.layers]
    spiking = [kind for kind in kinds if kind not in _KINDS]
    hidden = [kind for kind in kinds if kind not in {"linear", "li"}]
    if spiking or not hidden:
        raise InputError(
            f"{path}: layers of {', '.join(kinds)}; a baseline has layers of rnn, gru or lstm: "
            "srnn-train RECIPE --model.baseline lstm"
        )
    layers = tuple(
        FormulaLayer(
            _KINDS[layer.neuron],
            config.input_width(index),
            layer.size,
            layer.neuron in {"rnn", "gru", "lstm"},
        )
        for index, layer in enumerate(config.layers)
    )
    sizes = "-".join(str(size) for size in (config.input_size, *(x.size for x in config.layers)))
    return f"{'-'.join(dict.fromkeys(hidden)).upper()}, trained, {sizes}", layers
