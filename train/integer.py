"""Training on the chip's grid: the integer network forward, straight-through gradients backward.

At every forward pass the float weights are frozen to the integers that the exporter would write
(``export/freeze.py``), and those integers run in the simulator that is passed in. The gradient is
that of the float equations of ``neurons/`` at the de-quantized states, with the
de-quantized parameters (W, alpha, rho, threshold, adaptation and bias as the integers represent
them), and ignores every rounding (straight-through estimator).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..export import grid
from ..export.config import ModelConfig
from ..export.errors import InputError
from ..export.freeze import FloatLayer, Frozen, Quantization, freeze
from ..export.network import AdaptiveLIF, CubaLIF, Layer, Network, Neuron, dense
from ..export.quantize import calibrate
from ..export.trace import LayerTrace, Trace
from ..neurons.real import FloatNeuron, meaning_of, states_of
from .integer_kernels import (
    KEEPING,
    count_spikes,
    keep_adaptive,
    keep_cuba,
    keep_scaled,
    prepare,
    scaled,
)
from .layers import Direction, Weights
from .neurons import State, coefficient_names
from .replayed import AnyReplay

Floats = npt.NDArray[np.float32]
Run = Callable[[Network, npt.NDArray[Any], "npt.NDArray[Any] | None"], Trace]
"""``run(network, inputs, lengths) -> Trace`` with all states recorded."""


class OnGrid:
    """What a network needs to run on the grid: the scheme, the weight units so far, a simulator.

    ``doublings``: per layer, how often the weight unit of each neuron is doubled, int64 (n,).
    Otherwise a unit follows from the weights, at every step.

    Parameters
    ----------
    config
        The network.
    options
        The scheme.
    task
        The task's description as in a ``model.pt``: input scale, message bits, classes.
    run
        The simulator.
    """

    def __init__(
        self, config: ModelConfig, options: Quantization, task: dict[str, Any], run: Run
    ) -> None:
        self.config, self.options, self.task, self.run = config, options, task, run
        self.doublings = [np.zeros(layer.size, np.int64) for layer in config.layers]

    @property
    def input_scale(self) -> float:
        """Real value of an input of 1."""
        return float(self.task.get("input_scale", 1.0))

    def freeze(self, weights: dict[str, Floats]) -> Frozen:
        """Return the integers of float weights.

        Raises
        ------
        FloatingPointError
            A weight is not finite.
        InputError
            The weights have no such integers.
        """
        with _overflowing():
            # One sum per array is almost free; only if it is not finite are the elements checked.
            doubtful = [name for name, w in weights.items() if not np.isfinite(w.sum())]
        for name in doubtful:
            if not np.isfinite(weights[name]).all():
                raise FloatingPointError(f"{name} is not finite")
        return freeze(self.config, weights, self.task, self.options, self.doublings)

    def calibrate(
        self,
        weights: dict[str, Floats],
        inputs: npt.NDArray[Any],
        lengths: npt.NDArray[Any] | None = None,
    ) -> None:
        """Double weight units until no state on these samples comes near 24 bits; never halve any.

        Raises
        ------
        FloatingPointError
            A weight is not finite.
        InputError
            A state that saturates at any unit.
        """
        self.freeze(weights)
        frozen, _ = calibrate(
            self.config, weights, self.task, self.options, self.run, inputs, lengths, self.doublings
        )
        self.doublings = list(frozen.doublings)

    def integers(self, inputs: Tensor) -> npt.NDArray[np.integer[Any]]:
        """Return real inputs (batch, time, channel) as the integers that the network receives.

        Raises
        ------
        InputError
            Inputs that are not multiples of the input scale.
        """
        units = inputs.detach().cpu() / self.input_scale
        whole = units.round()
        if units.numel() and (units - whole).abs().max() > 1e-3:
            raise InputError(
                f"inputs: not multiples of the input scale {self.input_scale:g}, as the grid needs"
            )
        kind = torch.int32 if self.task.get("message_bits", 0) else torch.uint8
        return whole.to(kind).numpy()

    def description(self) -> dict[str, Any]:
        """Return the entry ``quantization`` of a ``model.pt``."""
        return {
            "options": vars(self.options).copy(),
            "doublings": [count.tolist() for count in self.doublings],
        }


@dataclass(frozen=True)
class IntegerRun:
    """A run of the integer network: the network, and its output int (batch, time, n_out)."""

    network: Network
    output: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]


def straight_through(direction: Direction, integer: Layer, input_scale: float) -> Weights:
    """Return weights with the values of the integers and the gradients of the float parameters.

    ``input_scale``: the real value of an input of 1, 1 for a layer that reads spikes.
    """
    real, scale = direction.weights(), integer.state_scale
    unit = (scale * grid.STATE_ONE)[:, None]
    synapses, recurrent = dense(integer.synapses), integer.recurrent
    weight = unit * synapses.weight * 2.0**synapses.weight_exp / input_scale
    recurrent_weight = None
    if real.recurrent_weight is not None:
        meant = np.zeros(real.recurrent_weight.shape)
        if recurrent is not None:
            meant = unit * recurrent.weight * 2.0**recurrent.weight_exp
        recurrent_weight = _through(real.recurrent_weight, meant)
    record = _real_parameters(integer.neuron)
    values = meaning_of(direction.neuron.kind, record, scale)
    return Weights(
        _through(real.weight, weight),
        recurrent_weight,
        _through(real.bias, scale * getattr(record, "bias", np.zeros(len(scale)))),
        tuple(
            _through(value, values[name])
            for name, value in zip(
                coefficient_names(direction.neuron.name), real.coefficients, strict=True
            )
        ),
    )


def _real_parameters(neuron: Neuron) -> Any:
    """Return a record's parameters by name, float64 (n,)."""
    return SimpleNamespace(
        **{entry.name: _values(neuron, entry.name) for entry in neuron.PARAMETERS}
    )


def real_states(
    neuron: type[FloatNeuron], frozen: Frozen, trace: Trace, index: int, like: Tensor
) -> State:
    """Return the states (batch, time, n) that a layer's integers stand for, in the neuron's order.

    ``like``: a tensor of their dtype.
    """
    layer, recorded = frozen.network.layers[index], trace.layers[index]
    record = _real_parameters(layer.neuron)
    states = states_of(neuron, record, layer.state_scale, recorded.states)
    return tuple(
        torch.as_tensor(recorded.spikes if name == "s" else states[name]).to(like.dtype)
        for name in neuron.STATES
    )


def _values(neuron: Neuron, name: str) -> npt.NDArray[np.float64]:
    return np.asarray(getattr(neuron, name), np.float64)


def _overflowing() -> np.errstate:
    """Let large values become infinite without a warning: the loss or its gradient shows them."""
    return np.errstate(over="ignore", invalid="ignore")


def _through(real: Tensor, meant: Any) -> Tensor:
    """Return the value of ``meant`` with the gradient of ``real``."""
    with _overflowing():
        value = torch.from_numpy(np.asarray(meant, np.float32))
    return real + (value - real.detach()) if real.requires_grad else value


@dataclass(frozen=True)
class ReplayedLayer:
    """A layer's run on the grid, as the engine reads it back (``engine/replay.py``)."""

    layer: Layer
    trace: LayerTrace
    rho: Floats
    initial_adaptation: float

    def _state(self, name: str) -> npt.NDArray[np.int32]:
        return np.ascontiguousarray(self.trace.states[name], np.int32)

    def _parameter(self, name: str) -> npt.NDArray[np.int64]:
        values = np.asarray(getattr(self.layer.neuron, name), np.int64)
        return np.ascontiguousarray(np.broadcast_to(values, (self.layer.size,)))

    def keep(self, kept: Floats, low: int, high: int) -> None:
        """Fill blocks ``low`` to ``high`` of (blocks, time, planes, samples, width)."""
        neuron, scale = self.layer.neuron, self.layer.state_scale
        if isinstance(neuron, AdaptiveLIF):
            keep_adaptive(
                kept, low, high, self._state("v"), self._state("d"),
                threshold=self._parameter("v_threshold"), exponent=self._parameter("b_exp"),
                scale=scale, trace_scale=self._trace_scale(), rho=self.rho,
                initial_adaptation=self.initial_adaptation,
            )  # fmt: skip
        elif isinstance(neuron, CubaLIF):
            keep_cuba.call(
                kept, low, high, self._state("v"), self._state("u"),
                grid.DECAY_ONE - self._parameter("v_decay"), self._parameter("bias"),
                self._parameter("v_threshold"), scale,
            )  # fmt: skip
        else:
            keep_scaled.call(kept, low, high, self._state("v"), scale)

    def _trace_scale(self) -> npt.NDArray[np.float64]:
        """Return the factor (n,) from d to b, 0 where a neuron does not adapt."""
        step = self._parameter("b_step")
        strength = step * grid.DECAY_ONE / self._parameter("b_decay")
        return np.where(step > 0, 1.0 / np.maximum(strength, 1.0), 0.0)

    def membranes(self) -> Floats:
        """Return the real membranes (batch, time, n)."""
        v = self._state("v")
        out = np.empty(v.shape, np.float32)
        scaled.call(v, self.layer.state_scale, out)
        return out

    def spikes(self) -> Floats | None:
        """Return the spikes (batch, time, n), None if the layer has none."""
        return None if self.trace.spikes is None else self.trace.spikes.astype(np.float32)

    def counts(self) -> Floats | None:
        """Return the spikes (batch, n) within each sample's length."""
        if self.trace.spikes is None:
            return None
        batch, _, n = self.trace.spikes.shape
        counts = np.zeros((batch, n), np.float32)
        count_spikes.call(np.ascontiguousarray(self.trace.spikes), counts)
        return counts

    def final(self) -> list[Floats]:
        """Return v, the second state and s after the last step, each (batch, n)."""
        scale = self.layer.state_scale
        with _overflowing():
            v = (self._state("v")[:, -1] * scale).astype(np.float32)
            second, s = np.zeros_like(v), np.zeros_like(v)
            if isinstance(self.layer.neuron, AdaptiveLIF):
                second = (self._state("d")[:, -1] * self._trace_scale()).astype(np.float32)
            elif isinstance(self.layer.neuron, CubaLIF):
                second = (self._state("u")[:, -1] * scale).astype(np.float32)
        if self.trace.spikes is not None:
            s = self.trace.spikes[:, -1].astype(np.float32)
        return [v, second, s]


def replayed(
    frozen: Frozen, trace: Trace, weights: Sequence[Weights], inputs: Tensor
) -> Sequence[ReplayedLayer | AnyReplay]:
    """Return the layers of a run for the engine.

    ``weights``: what the integers stand for; ``inputs``: real, (batch, time, channel).
    """
    prepare(real.neuron for real in frozen.layers)
    made: list[ReplayedLayer | AnyReplay] = []
    signal = inputs.detach().numpy().astype(np.float32)
    for real, layer, recorded, own in zip(
        frozen.layers, frozen.network.layers, trace.layers, weights, strict=True
    ):
        if real.neuron not in KEEPING:
            made.append(_any(real, layer, recorded, own, signal))
            signal = made[-1].spikes()
            continue
        if recorded.spikes is not None:
            signal = recorded.spikes.astype(np.float32)
        rho = np.zeros(layer.size, np.float32)
        if isinstance(layer.neuron, AdaptiveLIF):
            rho = grid.decay_factor(_values(layer.neuron, "b_decay")).astype(np.float32)
        made.append(ReplayedLayer(layer, recorded, rho, real.config.initial_adaptation))
    return made


def _any(
    real: FloatLayer, layer: Layer, recorded: LayerTrace, weights: Weights, signal: Any
) -> AnyReplay:
    def array(tensor: Tensor | None) -> Any:
        return None if tensor is None else tensor.detach().numpy()

    return AnyReplay(
        real,
        layer,
        recorded,
        _real_parameters(layer.neuron),
        array(weights.weight),
        array(weights.recurrent_weight),
        array(weights.bias),
        tuple(array(value) for value in weights.coefficients),
        signal,
    )
