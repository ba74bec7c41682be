"""The same equations in six ways: loops of PyTorch, compiled loops, and the engine.

All compute ``SRNN`` with adaptive neurons from the same weights, and every gradient in full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from srnn.export.config import LayerConfig, ModelConfig
from srnn.train.engine import Events, set_threads
from srnn.train.layers import Direction, SpikingLayer
from srnn.train.network import SRNN
from srnn.train.readout import loss_and_scores
from srnn.train.surrogate import make_surrogate, spike
from torch import Tensor

from . import parts
from .shapes import Floats, Shape, Training, UnavailableError, draw

DISTRIBUTIONS = ("torch", "numba")
GAINS = {"shd": (3.0, 0.05), "ecg": (5.0, 0.3), "smnist": (1.0, 0.2)}
"""Gain of the input weights, and the bias, of the hidden layers: they set the firing rates."""
UNROLLED = 10
"""Largest number of steps in one compiled function."""


def network(shape: Shape, engine: str) -> SRNN:
    """Return the shape's network, always with the same weights."""
    torch.manual_seed(0)
    gain, drive = GAINS[shape.name]
    hidden = [LayerConfig("alif", size, recurrent=True, weight_gain=gain) for size in shape.hidden]
    readout = "membrane" if shape.labels_per_step else "mean_softmax"
    config = ModelConfig(shape.inputs, (*hidden, LayerConfig("li", shape.classes)), readout)
    model = SRNN(config, engine)
    for layer in directions(model)[:-1]:
        torch.nn.init.constant_(layer.bias, drive)
    return model


def directions(model: SRNN) -> list[Direction]:
    """Return the layers' weights and neurons."""
    return [cast(SpikingLayer, layer).forward_direction for layer in model.layers]


Output = tuple[Tensor, Sequence[Tensor]]


def published(model: SRNN, inputs: Tensor) -> Output:
    """Run as the paper's code does: products and decays of all layers inside the time step."""
    surrogate = make_surrogate(model.config.surrogate)
    layers = directions(model)
    state = [
        layer.neuron.initial_state(inputs.new_zeros(len(inputs), layer.neuron.size))
        for layer in layers
    ]
    outputs: list[list[Tensor]] = [[] for _ in layers]
    for t in range(inputs.shape[1]):
        signal = inputs[:, t, :]
        for index, layer in enumerate(layers):
            neuron, last = layer.neuron, state[index]
            current = torch.nn.functional.linear(signal, layer.weight, layer.bias)
            if layer.recurrent_weight is not None:
                current = current + torch.nn.functional.linear(last[-1], layer.recurrent_weight)
            gain = neuron.current_gain()
            assert gain is not None
            state[index] = neuron.step(
                last, gain * current, neuron.coefficients(), lambda v: spike(v, surrogate)
            )
            signal = state[index][-1]
            outputs[index].append(signal)
    every = [torch.stack(x, 1) for x in outputs]
    return every[-1], every[:-1]


def unrolled_layer(layer: Direction, surrogate: Any, count: int) -> Callable[[Tensor], Tensor]:
    """Return a layer over (batch, time, below) whose steps are compiled ``count`` at a time."""
    neuron = layer.neuron

    def advance(
        currents: tuple[Tensor, ...],
        state: tuple[Tensor, ...],
        recurrent: Tensor | None,
        coefficients: tuple[Tensor, ...],
    ) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        found = []
        for current in currents:
            drive = current if recurrent is None else torch.addmm(current, state[-1], recurrent)
            state = neuron.step(state, drive, coefficients, lambda v: spike(v, surrogate))
            found.append(state[-1])
        return found, state

    compiled = torch.compile(advance, dynamic=False, fullgraph=True)

    def run(signal: Tensor) -> Tensor:
        gain = neuron.current_gain()
        assert gain is not None
        drive = torch.nn.functional.linear(signal, gain[:, None] * layer.weight, gain * layer.bias)
        recurrent = None
        if layer.recurrent_weight is not None:
            recurrent = (gain[:, None] * layer.recurrent_weight).t()
        coefficients = neuron.coefficients()
        currents = drive.unbind(1)
        state = neuron.initial_state(currents[0])
        found: list[Tensor] = []
        for t in range(0, len(currents), count):
            some, state = compiled(currents[t : t + count], state, recurrent, coefficients)
            found += some
        return torch.stack(found, 1)

    return run


def unrolled(model: SRNN, steps: int, limit: int) -> Callable[[Tensor], Output]:
    """Return the network with compiled steps, the most up to ``limit`` that divide ``steps``."""
    count = max(k for k in range(1, limit + 1) if steps % k == 0)
    # One function per layer and size; the default gives up after a few.
    torch._dynamo.config.recompile_limit = 64
    torch._dynamo.reset()
    surrogate = make_surrogate(model.config.surrogate)
    layers = [unrolled_layer(layer, surrogate, count) for layer in directions(model)]

    def run(inputs: Tensor) -> Output:
        spikes, signal = [], inputs
        for layer in layers:
            signal = layer(signal)
            spikes.append(signal)
        return signal, spikes[:-1]

    return run


def engine(model: SRNN, inputs: Tensor | Events) -> Output:
    """Run the network as training does: it needs how often neurons fired, not when."""
    result = model(inputs, spikes=False)
    steps = inputs.shape[1]
    return result.output, [counts / steps for counts in result.counts[:-1] if counts is not None]


def make(way: str, shape: Shape, threads: int, device: str) -> Training:
    """Return the training step of one way."""
    parts.prepare(threads, device)
    fast = way in {"engine", "events"}
    if fast and device == "cpu":
        # torch's OpenMP threads would spin on the engine's cores.
        torch.set_num_threads(1)
        set_threads(threads)
    model = network(shape, "events" if fast else "loop").to(device)
    inputs, targets = parts.data(shape, device, time_first=False)
    if way == "events":
        if device != "cpu":
            raise UnavailableError("event lists are in the CPU's memory")
        if shape.density is None:
            raise UnavailableError("analog inputs")
        events = Events.from_dense(draw(shape)[0])
        run: Callable[[], Output] = lambda: engine(model, events)  # noqa: E731
    elif way in {"loop", "engine"}:
        run = lambda: engine(model, inputs)  # noqa: E731
    elif way == "published":
        run = lambda: published(model, inputs)  # noqa: E731
    else:
        limit = {"compile": 1, "unrolled": UNROLLED}[way]
        compiled = unrolled(model, shape.steps, limit)
        run = lambda: compiled(inputs)  # noqa: E731

    def criterion(outputs: Tensor) -> Tensor:
        return loss_and_scores(model.config.readout, outputs, targets, compiled=fast)[0]

    def gradient() -> Floats:
        found = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        return torch.cat(found).cpu().numpy()

    step = parts.step([model], run, criterion, device)
    return Training("ALIF, exact gradient, time constants per neuron trained", step, gradient)
