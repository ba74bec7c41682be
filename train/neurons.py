"""The float neurons of ``neurons/`` as trained modules: their parameters, and steps on tensors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ..export.config import FLOAT_NEURONS, LayerConfig
from ..export.errors import InputError
from ..neurons.gradient import float_program
from ..neurons.real import (
    LAYER_SETTINGS,
    MAGNITUDE,
    TAU_MIN,
    TIME_CONSTANT,
    FloatParameter,
    coefficients_of,
    sends,
)
from .time_constants import draw, draw_tau, raw_from_tau, tau_from_raw

State = tuple[Tensor, ...]
Spike = Callable[[Tensor], Tensor]

_ROUNDING = 1e-6
"""Tolerance, in steps, for time constants rounded to single precision."""


class Neuron(nn.Module):
    """A population of ``size`` neurons with per-neuron parameters, one of ``FLOAT_NEURONS``.

    Time constants are kept raw (``train/time_constants.py``). Magnitudes may have any sign and are
    used without, so that one that training drives to zero can recover; other parameters are used
    within their range, their gradient is that of the value inside. Each is trained if the config
    says so.
    """

    def __init__(self, config: LayerConfig) -> None:
        super().__init__()
        self.kind = FLOAT_NEURONS[config.neuron]
        self.size = config.size
        self.initial = {
            state: float(getattr(config, setting)) for state, setting in self.kind.INITIAL.items()
        }
        for entry in self.kind.PARAMETERS:
            value, trained = _initial(entry, config)
            if trained:
                self.register_parameter(_stored(entry), nn.Parameter(value))
            elif entry.kind == TIME_CONSTANT:
                parameter = nn.Parameter(value, requires_grad=False)
                self.register_parameter(_stored(entry), parameter)
            else:
                self.register_buffer(_stored(entry), value)

    @property
    def name(self) -> str:
        """Its name in a config."""
        return self.kind.NAME

    @property
    def states(self) -> tuple[str, ...]:
        """Names of its states, in the order of ``step``."""
        return self.kind.STATES

    @property
    def spiking(self) -> bool:
        """Whether what it sends is 0 or 1."""
        return self.kind.SPIKING and sends(self.kind)

    def tau(self, name: str) -> Tensor:
        """Return a time constant in steps, (size,)."""
        return self.parameter_values()[name]

    def parameter_values(self) -> dict[str, Tensor]:
        """Return the per-neuron parameters by their names in a ``model.pt``, each (size,)."""
        return {entry.name: self._value(entry) for entry in self.kind.PARAMETERS}

    def _value(self, entry: FloatParameter) -> Tensor:
        stored = getattr(self, _stored(entry))
        if entry.kind == TIME_CONSTANT:
            return tau_from_raw(stored)
        if entry.kind == MAGNITUDE:
            return stored.abs()
        # A value that training moved out keeps its gradient, which may bring it back.
        return stored.clamp(entry.low, entry.high).detach() + (stored - stored.detach())

    def load_parameter(self, name: str, value: Tensor) -> None:
        """Set one per-neuron parameter from a ``model.pt`` value (size,).

        Raises
        ------
        InputError
            A time constant below the range that can be trained, such as a current without a filter.
        """
        (entry,) = (entry for entry in self.kind.PARAMETERS if entry.name == name)
        if entry.kind == TIME_CONSTANT:
            if bool((value < TAU_MIN - _ROUNDING).any()):
                raise InputError(
                    f"{name}: {float(value.min()):g} steps is below {TAU_MIN:g}, the least that "
                    "can be trained; a current without a filter only runs in the exporter and on "
                    "the chip"
                )
            value = raw_from_tau(value)
        with torch.no_grad():
            getattr(self, _stored(entry)).copy_(value)

    def initial_state(self, like: Tensor) -> State:
        """Return the state before the first step, each (batch, size), for currents ``like``."""
        return tuple(torch.full_like(like, self.initial.get(name, 0.0)) for name in self.states)

    def coefficients(self) -> tuple[Tensor, ...]:
        """Return what ``step`` needs, each (size,); computed once per sequence."""
        return tuple(self._coefficients().values())

    def _coefficients(self) -> dict[str, Tensor]:
        found = coefficients_of(self.kind, self.parameter_values())
        return {name: _of_all(value, self._ones()) for name, value in found.items()}

    def _ones(self) -> Tensor:
        stored = next(itertools.chain(self.parameters(), self.buffers()), torch.ones(()))
        return stored.new_ones(self.size)

    def current_gain(self) -> Tensor | None:
        """Return the factor (size,) of the current in the membrane equation, or None for 1.

        The network multiplies the weights by it once per sequence.
        """
        gain = self.kind.gain(SimpleNamespace(**self._coefficients()))
        return None if gain is None else _of_all(gain, self._ones())

    def step(
        self, state: State, current: Tensor, coefficients: tuple[Tensor, ...], spike: Spike
    ) -> State:
        """Return the next state; ``current`` (batch, size) already includes ``current_gain``.

        ``coefficients``: those of ``coefficients``, and the bias last where the step adds it.
        """
        known = (*coefficient_names(self.kind.NAME), "bias")
        c = SimpleNamespace(**dict(zip(known, coefficients, strict=False)))
        s = SimpleNamespace(**dict(zip(self.states, state, strict=True)))
        after = self.kind.step(c, s, current, spike)
        return tuple(_of_all(after[name], current) for name in self.states)


def _of_all(value: Any, like: Tensor) -> Tensor:
    """Return a value of the shape of ``like``, also one that is a number or the same for all."""
    if isinstance(value, Tensor) and value.shape == like.shape:
        return value
    return torch.as_tensor(value, dtype=like.dtype, device=like.device).expand_as(like)


def coefficient_names(name: str) -> tuple[str, ...]:
    """Return the names of a neuron's coefficients in their order."""
    return float_program(FLOAT_NEURONS[name]).coefficients


def _stored(entry: FloatParameter) -> str:
    """Return the name of what is kept of a parameter."""
    if entry.kind == TIME_CONSTANT:
        return f"raw_{entry.name}"
    # Any other name may be that of something else in a module.
    return entry.name if entry.name in LAYER_SETTINGS else f"value_{entry.name}"


def _initial(entry: FloatParameter, config: LayerConfig) -> tuple[Tensor, bool]:
    """Return what is kept of a parameter before training, (size,), and whether it is trained."""
    spread = config.parameters.get(entry.name, entry.initial)
    if entry.kind == TIME_CONSTANT:
        spread = getattr(config, entry.name) if spread is None else spread
        return raw_from_tau(draw_tau(spread, config.size)), config.train_time_constants
    if spread is None:
        value = torch.full((config.size,), float(getattr(config, entry.name)))
        return value, getattr(config, f"train_{entry.name}")
    value = draw(spread, config.size)
    if entry.low > -math.inf or entry.high < math.inf:
        value = value.clamp(entry.low, entry.high)
    return value, config.train_parameters
