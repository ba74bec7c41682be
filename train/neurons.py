"""The float neurons: one class each, with its equation as docstring and one pure step.

In every equation I_t is the synaptic current of the step (input, recurrence and bias), alpha =
exp(-1 / tau_mem), rho = exp(-1 / tau_adp), time constants in steps, ``[x > 0]`` the spike with a
surrogate gradient. The state before the first step is zero, except b, which starts at
``initial_adaptation``. Nothing is detached: gradients flow through resets and thresholds.
Source: Yin, Corradi, Bohte (arXiv 2005.11633) and their code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..export.checkpoint import FLOAT_NEURONS, TAU_MIN, TIME_CONSTANTS, LayerConfig
from ..export.errors import InputError
from .time_constants import draw_tau, raw_from_tau, tau_from_raw

State = tuple[Tensor, ...]
Spike = Callable[[Tensor], Tensor]

_ROUNDING = 1e-6
"""Tolerance, in steps, for time constants rounded to single precision."""


class Neuron(nn.Module, ABC):
    """A population of ``size`` neurons with per-neuron parameters.

    Time constants are kept raw (``train/time_constants.py``). Threshold and adaptation strength may
    have any sign and are used as magnitudes, so that one that training drives to zero can recover.
    Each is trained if the config says so.
    """

    name: ClassVar[str] = ""
    states: ClassVar[tuple[str, ...]] = ()
    spiking: ClassVar[bool] = True
    bias_after_current: ClassVar[bool] = False
    """Whether the layer's bias is the last coefficient of ``step`` instead of a part of I_t."""

    def __init__(self, config: LayerConfig) -> None:
        super().__init__()
        self.size = config.size
        self.initial_adaptation = config.initial_adaptation
        for name in FLOAT_NEURONS[self.name]:
            if name in TIME_CONSTANTS:
                raw = raw_from_tau(draw_tau(getattr(config, name), config.size))
                parameter = nn.Parameter(raw, requires_grad=config.train_time_constants)
                self.register_parameter(f"raw_{name}", parameter)
            else:
                value = torch.full((config.size,), float(getattr(config, name)))
                if getattr(config, f"train_{name}"):
                    self.register_parameter(name, nn.Parameter(value))
                else:
                    self.register_buffer(name, value)

    def tau(self, name: str) -> Tensor:
        """Return a time constant in steps, (size,)."""
        return tau_from_raw(getattr(self, f"raw_{name}"))

    def strength(self, name: str) -> Tensor:
        """Return threshold or adaptation, (size,), from 0 up."""
        return getattr(self, name).abs()

    def parameter_values(self) -> dict[str, Tensor]:
        """Return the per-neuron parameters by their names in a ``model.pt``, each (size,)."""
        return {
            name: self.tau(name) if name in TIME_CONSTANTS else self.strength(name)
            for name in FLOAT_NEURONS[self.name]
        }

    def load_parameter(self, name: str, value: Tensor) -> None:
        """Set one per-neuron parameter from a ``model.pt`` value (size,).

        Raises
        ------
        InputError
            A time constant below the range that can be trained, such as a current without a filter.
        """
        if name in TIME_CONSTANTS and bool((value < TAU_MIN - _ROUNDING).any()):
            raise InputError(
                f"{name}: {float(value.min()):g} steps is below {TAU_MIN:g}, the least that can be "
                "trained; a current without a filter only runs in the exporter and on the chip"
            )
        with torch.no_grad():
            if name in TIME_CONSTANTS:
                getattr(self, f"raw_{name}").copy_(raw_from_tau(value))
            else:
                getattr(self, name).copy_(value)

    def initial_state(self, like: Tensor) -> State:
        """Return the state before the first step, each (batch, size), for currents ``like``."""
        return tuple(
            torch.full_like(like, self.initial_adaptation if name == "b" else 0.0)
            for name in self.states
        )

    @abstractmethod
    def coefficients(self) -> tuple[Tensor, ...]:
        """Return what ``step`` needs, each (size,); computed once per sequence."""

    def current_gain(self) -> Tensor | None:
        """Return the factor (size,) of the current in the membrane equation, or None for 1.

        The network multiplies the weights by it once per sequence.
        """
        return 1.0 - torch.exp(-1.0 / self.tau("tau_mem"))

    @abstractmethod
    def step(
        self, state: State, current: Tensor, coefficients: tuple[Tensor, ...], spike: Spike
    ) -> State:
        """Return the next state; ``current`` (batch, size) already includes ``current_gain``."""


class ALIF(Neuron):
    """Adaptive leaky integrate-and-fire with the paper's soft reset.

    ::

        b_t = rho b_{t-1} + (1 - rho) s_{t-1}
        B_t = threshold + adaptation b_t
        v_t = alpha v_{t-1} + (1 - alpha) I_t - B_t s_{t-1}
        s_t = [v_t - B_t > 0]
    """

    name = "alif"
    states = ("v", "b", "s")

    def coefficients(self) -> tuple[Tensor, ...]:
        """Return alpha, rho, threshold and adaptation."""
        alpha = torch.exp(-1.0 / self.tau("tau_mem"))
        rho = torch.exp(-1.0 / self.tau("tau_adp"))
        return alpha, rho, self.strength("threshold"), self.strength("adaptation")

    def step(
        self, state: State, current: Tensor, coefficients: tuple[Tensor, ...], spike: Spike
    ) -> State:
        """Return (v, b, s) after the step."""
        v, b, s = state
        alpha, rho, threshold, adaptation = coefficients
        b = torch.lerp(s, b, rho)
        limit = torch.addcmul(threshold, adaptation, b)
        v = torch.addcmul(current, alpha, v) - limit * s
        return v, b, spike(v - limit)


class ReLUALIF(ALIF):
    """The paper's non-spiking control: ``ALIF`` with ``s_t = max(0, v_t - B_t)``.

    Reset and adaptation scale with the graded activation. It has no integer form: a float baseline.
    """

    name = "alif_relu"
    spiking = False

    def step(
        self, state: State, current: Tensor, coefficients: tuple[Tensor, ...], spike: Spike
    ) -> State:
        """Return (v, b, s) after the step; s is graded."""
        del spike
        return super().step(state, current, coefficients, torch.relu)


class LIF(Neuron):
    """Leaky integrate-and-fire with constant threshold and soft reset: ``ALIF`` without adaptation.

    ::

        v_t = alpha v_{t-1} + (1 - alpha) I_t - threshold s_{t-1}
        s_t = [v_t - threshold > 0]
    """

    name = "lif"
    states = ("v", "s")

    def coefficients(self) -> tuple[Tensor, ...]:
        """Return alpha and threshold."""
        return torch.exp(-1.0 / self.tau("tau_mem")), self.strength("threshold")

    def step(
        self, state: State, current: Tensor, coefficients: tuple[Tensor, ...], spike: Spike
    ) -> State:
        """Return (v, s) after the step."""
        v, s = state
        alpha, threshold = coefficients
        v = torch.addcmul(current, alpha, v) - threshold * s
        return v, spike(v - threshold)


class CubaLIF(Neuron):
    """Loihi's current-based leaky integrate-and-fire with hard reset; loads in stock lava-dl.

    ::

        i_t = alpha_syn i_{t-1} + W s_t        alpha_syn = exp(-1 / tau_syn)
        v_t = alpha v_{t-1} + i_t + bias
        s_t = [v_t - threshold > 0],  v_t = 0 where s_t

    The bias bypasses the current's filter, as on the chip.
    """

    name = "cuba_lif"
    states = ("i", "v", "s")
    bias_after_current = True

    def coefficients(self) -> tuple[Tensor, ...]:
        """Return alpha_syn, alpha and threshold; the layer appends its bias."""
        return (
            torch.exp(-1.0 / self.tau("tau_syn")),
            torch.exp(-1.0 / self.tau("tau_mem")),
            self.strength("threshold"),
        )

    def current_gain(self) -> None:
        """Return None: the current enters with factor 1."""
        return None

    def step(
        self, state: State, current: Tensor, coefficients: tuple[Tensor, ...], spike: Spike
    ) -> State:
        """Return (i, v, s) after the step; ``current`` is without the bias."""
        i, v, _ = state
        alpha_syn, alpha, threshold, bias = coefficients
        i = torch.addcmul(current, alpha_syn, i)
        v = torch.addcmul(i + bias, alpha, v)
        s = spike(v - threshold)
        return i, v * (1 - s), s


class LI(Neuron):
    """The leaky-integrator readout; it does not spike.

    ::

        v_t = alpha v_{t-1} + (1 - alpha) I_t
    """

    name = "li"
    states = ("v",)
    spiking = False

    def coefficients(self) -> tuple[Tensor, ...]:
        """Return alpha."""
        return (torch.exp(-1.0 / self.tau("tau_mem")),)

    def step(
        self, state: State, current: Tensor, coefficients: tuple[Tensor, ...], spike: Spike
    ) -> State:
        """Return (v,) after the step."""
        del spike
        return (torch.addcmul(current, coefficients[0], state[0]),)


NEURONS: dict[str, type[Neuron]] = {
    neuron.name: neuron for neuron in (ALIF, ReLUALIF, LIF, CubaLIF, LI)
}
"""Float neurons by the name in a config; keys as ``FLOAT_NEURONS`` of ``export/checkpoint.py``."""
