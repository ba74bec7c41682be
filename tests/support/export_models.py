"""Float models, made without training, for the tests of the exporter."""

from __future__ import annotations

from typing import Any

import numpy as np
from srnn.export.checkpoint import FloatModel, LayerConfig, ModelConfig, expected_weights
from srnn.export.config import DELAYS

RANGES = {
    "tau_mem": (2.0, 60.0),
    "tau_adp": (5.0, 300.0),
    "tau_syn": (1.0, 15.0),
    "threshold": (0.05, 0.6),
    "adaptation": (0.1, 2.0),
    "bias": (-0.1, 0.1),
}


def config(*layers: LayerConfig, inputs: int = 6, **settings: Any) -> ModelConfig:
    return ModelConfig(inputs, layers, **{"readout": "membrane", **settings})


def weights(of: ModelConfig, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights, every parameter different for every neuron."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in expected_weights(of).items():
        layer, parameter = name.removeprefix("layers.").split(".", 1)
        if parameter in DELAYS:
            spread = getattr(of.layers[int(layer)], parameter)
            found[name] = rng.integers(spread.low, spread.high + 1, shape).astype(np.float32)
            continue
        low, high = RANGES.get(parameter.rsplit(".", 1)[-1], (-1.0, 1.0))
        found[name] = rng.uniform(low, high, shape).astype(np.float32)
    return found


def float_model(
    *layers: LayerConfig, inputs: int = 6, seed: int = 0, task: Any = None, **changes: Any
) -> FloatModel:
    """A model of these layers; ``changes`` replace weights, with two underscores for a dot."""
    made = config(*layers, inputs=inputs)
    replaced = {
        name.replace("__", "."): np.asarray(value, dtype=np.float32)
        for name, value in changes.items()
    }
    return FloatModel(made, {**weights(made, seed), **replaced}, task=task or {})


def spikes(seed: int, batch: int, steps: int, channels: int = 6, rate: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random((batch, steps, channels)) < rate).astype(np.uint8)
