"""The float model in NumPy, float64: the answers of a network before quantization.

The equations are those of ``train/neurons.py``. Training has its own implementation, fast and with
gradients; this one needs no torch, and serves models that contain no answers, such as those of NIR.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .checkpoint import FloatModel
from .errors import InputError
from .grid import FloatArray, IntArray
from .integer_neurons import FloatLayer

NEURONS = ("alif", "lif", "cuba_lif", "li")


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
    from .freeze import float_layers

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
    p, kind = layer.parameters, layer.config.neuron
    alpha = np.exp(-1.0 / p["tau_mem"])
    cuba, spiking = kind == "cuba_lif", kind != "li"
    alpha_syn = np.exp(-1.0 / p["tau_syn"]) if cuba else np.zeros(1)
    gain, behind = (np.ones(1), layer.bias) if cuba else (1.0 - alpha, np.zeros(1))
    before = np.zeros(1) if cuba else layer.bias
    rho = np.exp(-1.0 / p["tau_adp"]) if "tau_adp" in p else np.ones(1)
    strength = p.get("adaptation", np.zeros(1))
    threshold = p.get("threshold", np.full(1, np.inf))
    batch, steps, _ = signal.shape
    current, v, s = (np.zeros((batch, layer.config.size)) for _ in range(3))
    b = np.full_like(v, layer.config.initial_adaptation)
    membranes = np.empty((batch, steps, layer.config.size))
    spikes = np.zeros(membranes.shape, dtype=bool)
    below, itself = _Waiting(layer.delay), _Waiting(layer.delay_rec)
    for step in range(steps):
        arriving = below.due(signal[:, step] @ layer.weight.T) + before
        if layer.recurrent_weight is not None:
            arriving = arriving + itself.due(s @ layer.recurrent_weight.T)
        current = alpha_syn * current + gain * arriving
        b = rho * b + (1.0 - rho) * s
        limit = threshold + strength * b
        v = alpha * v + current + behind
        if spiking and not cuba:
            v = v - limit * s
        fired = v > limit
        if cuba:
            v = np.where(fired, 0.0, v)
        s = fired.astype(np.float64)
        membranes[:, step], spikes[:, step] = v, fired
    return membranes, spikes if spiking else None


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
