"""The float model in NumPy, float64: the answers of a network before quantization.

Training has its own implementation, fast and with gradients; this one needs no torch, and serves
models that contain no answers, such as those of NIR.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..neurons.real import coefficients_of, sends
from .checkpoint import FloatModel
from .errors import InputError
from .freeze import FloatLayer, float_layers
from .grid import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class FloatRun:
    """``membranes`` float64 and ``spikes`` bool (None for a readout), (batch, time, n) per layer.

    With a hard reset the membrane is the one after the reset, as in a trace.
    """

    membranes: tuple[FloatArray, ...]
    spikes: tuple[npt.NDArray[np.bool_] | None, ...]


def run_float(model: FloatModel, inputs: npt.NDArray[Any]) -> FloatRun:
    """Run a float model over integer inputs (batch, time, channel), all steps.

    Raises
    ------
    InputError
        A layer that is dense, bidirectional or graded.
    """
    layers = float_layers(model.config, model.weights, model.task)
    signal = inputs.astype(np.float64)
    membranes, spikes = [], []
    for layer in layers:
        membrane, sent = _run_layer(layer, signal)
        membranes.append(membrane)
        spikes.append(sent)
        if sent is not None:
            signal = sent.astype(np.float64)
    return FloatRun(tuple(membranes), tuple(spikes))


def with_answers(
    model: FloatModel, samples: dict[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """Return samples with the answers of the float model, as in a ``model.pt``."""
    ran = run_float(model, samples["inputs"])
    last = ran.spikes[-1] if model.config.readout == "spike_count" else ran.membranes[-1]
    if last is None:
        raise InputError("readout spike_count needs a last layer that spikes")
    found = {**samples, "output": last.astype(np.float32)}
    for index, sent in enumerate(ran.spikes):
        if sent is not None:
            found[f"spikes.{index}"] = np.packbits(sent, axis=1)
    return found


def _run_layer(
    layer: FloatLayer, signal: FloatArray
) -> tuple[FloatArray, npt.NDArray[np.bool_] | None]:
    neuron, config = layer.neuron, layer.config
    c = SimpleNamespace(**coefficients_of(neuron, layer.parameters), bias=layer.bias)
    gain = neuron.gain(c)
    gain = np.ones(1) if gain is None else gain
    bias = np.zeros(1) if neuron.BIAS_IN_STEP else gain * layer.bias
    batch, steps, _ = signal.shape
    shape = (batch, config.size)
    state = SimpleNamespace(
        **{
            name: np.full(shape, getattr(config, neuron.INITIAL.get(name, ""), 0.0))
            for name in neuron.STATES
        }
    )
    spiking = sends(neuron)
    membranes = np.empty((batch, steps, config.size))
    spikes = np.zeros(membranes.shape, dtype=bool)
    below, itself = _Waiting(layer.delay), _Waiting(layer.delay_rec)
    for step in range(steps):
        arriving = below.due(signal[:, step] @ layer.weight.T)
        if layer.recurrent_weight is not None:
            arriving = arriving + itself.due(state.s @ layer.recurrent_weight.T)
        state = SimpleNamespace(**neuron.step(c, state, gain * arriving + bias, _spike))
        membranes[:, step] = state.v
        if spiking:
            spikes[:, step] = state.s > 0
    return membranes, spikes if spiking else None


def _spike(x: FloatArray) -> FloatArray:
    return (x > 0).astype(np.float64)


class _Waiting:
    """Sums that reach neurons after ``delay`` (n,) steps; None for immediately."""

    def __init__(self, delay: IntArray | None) -> None:
        self._delay = delay
        self._lines: deque[FloatArray] = deque(maxlen=1 if delay is None else int(delay.max()) + 1)

    def due(self, line: FloatArray) -> FloatArray:
        """Take the sums (batch, n) of a step and return what is due at it."""
        if self._delay is None:
            return line
        self._lines.appendleft(line)
        found = np.zeros_like(line)
        for late, earlier in enumerate(self._lines):
            found[:, self._delay == late] = earlier[:, self._delay == late]
        return found
