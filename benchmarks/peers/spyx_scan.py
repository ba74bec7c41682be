"""Spyx: its neurons under ``jax.lax.scan``, compiled as a whole; input products hoisted."""

# pyright: reportMissingImports=false

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .shapes import Gains, Shape, Training, UnavailableError, draw, weights

# JAX reads its flags at the first import.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=true")

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from spyx import axn
from spyx import nn as spyx

DISTRIBUTIONS = ("spyx", "jax")
DECAY, TRACE_DECAY = float(np.exp(-1 / 20)), float(np.exp(-1 / 150))
GAINS = {
    "rlif": {
        "shd": (Gains(3.0, 1.0, 0.0),),
        "ecg": (Gains(3.8, 1.0, 0.0),),
        "smnist": (Gains(0.63, 1.0, 0.0), Gains(2.0, 1.0, 0.0)),
    },
    "alif": {
        "shd": (Gains(3.8, 1.0, 0.0),),
        "ecg": (Gains(4.7, 1.0, 0.0),),
        "smnist": (Gains(0.8, 1.0, 0.0), Gains(2.5, 1.0, 0.0)),
    },
}
NEURONS = {
    "rlif": "LIF, no adaptation, a decay per neuron",
    "alif": "ALIF, decays per neuron, feedback added to it",
}


class Recurrent(nnx.Module):
    """A layer of RLIF, or of ALIF with a recurrent product of its own."""

    def __init__(self, way: str, size: int, w: Any, rngs: nnx.Rngs) -> None:
        self.size, self.way = size, way
        self.weight = nnx.Param(jnp.asarray(w.inputs.T))
        self.bias = nnx.Param(jnp.asarray(w.bias))
        self.weight_rec = nnx.Param(jnp.asarray(w.recurrent.T))
        spike = axn.superspike()
        if way == "rlif":
            self.neuron = spyx.RLIF((size,), activation=spike, rngs=rngs)
            self.neuron.recurrent_w = self.weight_rec
        else:
            self.neuron = spyx.ALIF((size,), activation=spike, rngs=rngs)
            self.neuron.gamma[...] = jnp.full((size,), TRACE_DECAY)
        self.neuron.beta[...] = jnp.full((size,), DECAY)

    def __call__(self, signal: Any) -> Any:
        """Run over (time, batch, channel) and return the spikes."""
        drive = signal @ self.weight[...] + self.bias[...]
        batch = signal.shape[1]

        def step(carry: Any, current: Any) -> tuple[Any, Any]:
            state, spikes = carry
            if self.way == "alif":
                current = current + spikes @ self.weight_rec[...]
            spikes, state = self.neuron(current, state)
            return (state, spikes), spikes

        first = (self.neuron.initial_state(batch), jnp.zeros((batch, self.size)))
        return jax.lax.scan(step, first, drive)[1]


class Network(nnx.Module):
    """Recurrent layers and leaky integrators."""

    def __init__(self, way: str, shape: Shape) -> None:
        rngs = nnx.Rngs(0)
        layers, readout = weights(shape, GAINS[way][shape.name])
        self.hidden = nnx.List(
            [Recurrent(way, n, w, rngs) for n, w in zip(shape.hidden, layers, strict=True)]
        )
        self.weight = nnx.Param(jnp.asarray(readout.T))
        self.bias = nnx.Param(jnp.zeros(shape.classes))
        self.readout = spyx.LI((shape.classes,), rngs=rngs)
        self.readout.beta[...] = jnp.full((shape.classes,), DECAY)

    def __call__(self, signal: Any) -> tuple[Any, list[Any]]:
        """Run over (time, batch, channel): the readout's membranes, and all spikes."""
        spikes = []
        for layer in self.hidden:
            signal = layer(signal)
            spikes.append(signal)
        drive = signal @ self.weight[...] + self.bias[...]

        def step(state: Any, current: Any) -> tuple[Any, Any]:
            membrane, state = self.readout(current, state)
            return state, membrane

        first = self.readout.initial_state(signal.shape[1])
        return jax.lax.scan(step, first, drive)[1], spikes


def make(way: str, shape: Shape, threads: int, device: str) -> Training:
    """Return the training step, compiled at its first call."""
    del threads
    if device == "cuda" and not any(d.platform == "gpu" for d in jax.devices()):
        raise UnavailableError("jax sees no GPU")
    graph, parameters = nnx.split(Network(way, shape), nnx.Param)
    inputs, targets = draw(shape)
    signal = jnp.asarray(inputs.transpose(1, 0, 2))
    labels = jnp.asarray(targets.T if shape.labels_per_step else targets)

    def loss(values: Any, signal: Any, labels: Any) -> tuple[Any, list[Any]]:
        outputs, spikes = nnx.merge(graph, values)(signal)
        scores = outputs if shape.labels_per_step else outputs.mean(0)
        every = optax.softmax_cross_entropy_with_integer_labels(scores, labels)
        return every.mean(), spikes

    gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))

    def step() -> Sequence[Any]:
        (_, spikes), _ = jax.block_until_ready(gradient(parameters, signal, labels))
        return spikes

    return Training(NEURONS[way], step)
