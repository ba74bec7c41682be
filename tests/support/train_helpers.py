"""Small networks and tasks that the tests of training share."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest
import torch
from srnn.export.config import Init, LayerConfig, ModelConfig
from srnn.tasks import Split, Task
from srnn.train.layers import Direction, SpikingLayer
from srnn.train.network import SRNN
from srnn.train.recipe import Recipe, make_recipe

NAMES = ("alif", "alif_relu", "lif", "cuba_lif", "li")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """These networks are too small to share between threads, and the machine may be busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def layer(neuron: str, size: int = 5, **settings: Any) -> LayerConfig:
    """A layer of several time scales that spikes now and then on unit inputs."""
    defaults: dict[str, Any] = {
        "threshold": 0.2,
        "adaptation": 0.7,
        "weight_gain": 2.0,
        "tau_mem": Init("log_uniform", low=2.0, high=30.0),
        "tau_adp": Init("log_uniform", low=5.0, high=60.0),
        "tau_syn": Init("log_uniform", low=1.0, high=8.0),
    }
    return LayerConfig(neuron=neuron, size=size, **{**defaults, **settings})


def network(*layers: LayerConfig, inputs: int = 3, seed: int = 0, **settings: Any) -> SRNN:
    """A network that runs by the loop, which the engine is held to."""
    torch.manual_seed(seed)
    model = SRNN(ModelConfig(input_size=inputs, layers=layers, **settings), "loop")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.1)
    return model


def graph(output: torch.Tensor) -> collections.Counter[str]:
    """Autograd nodes behind a tensor, by kind."""
    seen, todo = set(), [output.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        todo.extend(parent for parent, _ in node.next_functions)
    return collections.Counter(type(node).__name__ for node in seen)


def direction(model: SRNN, back: bool = False) -> Any:
    """The first layer's weights and neurons in one direction of time."""
    first = cast(SpikingLayer, model.layers[0])
    return first.backward_direction if back else first.forward_direction


def values(direction: Direction) -> dict[str, np.ndarray]:
    """Weights and per-neuron parameters in the precision of the module."""
    found: dict[str, torch.Tensor] = {"weight": direction.weight, "bias": direction.bias}
    if direction.recurrent_weight is not None:
        found["weight_rec"] = direction.recurrent_weight
    found.update(direction.neuron.parameter_values())
    return {name: value.detach().numpy() for name, value in found.items()}


def signals(seed: int, batch: int, steps: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.3, 1.0, (batch, steps, channels))


def split(
    seed: int,
    size: int,
    steps: int = 12,
    *,
    per_step: bool = False,
    ragged: bool = False,
    classes: int = 3,
) -> Split:
    """Three channels of spikes; the class is the channel that fires most."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes, (size, steps) if per_step else size)
    chosen = target if per_step else np.repeat(target[:, None], steps, 1)
    rate = np.where(np.arange(3) == chosen[..., None], 0.7, 0.15)
    inputs = (rng.random((size, steps, 3)) < rate).astype(np.uint8)
    lengths = rng.integers(steps // 2, steps + 1, size) if ragged else None
    if lengths is not None:
        inputs = inputs * (np.arange(steps) < lengths[:, None])[..., None].astype(np.uint8)
    valid = rng.random((size, steps)) < 0.9 if per_step else None
    return Split(inputs, target, lengths, valid)


def task(skip_steps: int = 0, **settings: Any) -> Task:
    return Task(
        "tiny",
        train=split(1, 24, **settings),
        validation=split(2, 10, **settings),
        test=split(3, 10, **settings),
        classes=("a", "b", "c"),
        skip_steps=skip_steps,
    )


def recipe(readout: str = "mean_softmax", **training: Any) -> Recipe:
    """A recurrent layer of eight and an output layer of the kind that the readout needs."""
    last = "alif" if readout == "spike_count" else "li"
    return make_recipe(
        {
            "task": {"name": "tiny"},
            "model": {
                "readout": readout,
                "layers": [
                    {
                        "neuron": "alif",
                        "size": 8,
                        "recurrent": True,
                        "threshold": 0.1,
                        "adaptation": 0.5,
                        "tau_mem": {"kind": "log_uniform", "low": 2.0, "high": 20.0},
                    },
                    {"neuron": last, "threshold": 0.1, "weight_gain": 3.0},
                ],
            },
            "training": {"batch_size": 8, "epochs": 2, "bundle_samples": 4, **training},
        }
    )
