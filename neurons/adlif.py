"""Adaptive LIF with a current that follows the membrane, by the symplectic Euler method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .grid import (
    DECAY_BITS,
    DECAY_ONE,
    STATE_MAX,
    STATE_ONE,
    STATE_SHIFT,
    FloatArray,
    IntArray,
    decay_code,
    decay_factor,
    decayed,
    rounded,
    rtz,
    sat,
    where,
)
from .neuron import Neuron, decay, parameter, state
from .real import FloatNeuron, FloatParameter, Integers, Spread, detach, exp, fma, tau, value

W_BITS = 4
"""Fractional bits of w, in units of the membrane."""
A_BITS = DECAY_BITS + 8
"""Fractional bits of the code of a."""
Q = 120.0
"""Factor of a and b, which keeps both near 1."""
A_MAX, B_MAX = 1.0, 2.0


@dataclass(frozen=True, eq=False)
class AdaptiveCurrentLIF(Neuron):
    """LIF with hard reset and an adaptation current w that the membrane drives.

    ::

        v = sat(rtz(v (4096 - v_decay), 12) + (a << 6) + bias - (w >> 4))
        s = v > v_threshold;   v = 0 where s
        w = sat(rtz(w (4096 - w_decay), 12) + rtz(v a_gain, 16) + (w_step where s))

    ``w`` carries 4 fractional bits more than ``v``, and follows the membrane after its reset.
    """

    v_decay: IntArray = decay("vDecay", low=1)
    w_decay: IntArray = decay("wDecay", low=1)
    v_threshold: IntArray = parameter("vTh", 0, STATE_MAX, "state")
    a_gain: IntArray = parameter("aGain", 0, int(A_MAX * Q) << A_BITS, "2^-20")
    w_step: IntArray = parameter("wStep", 0, STATE_MAX, "state / 16")
    bias: IntArray = state("bias")

    TYPE: ClassVar[str] = "SRNN_ADLIF"
    STATES: ClassVar[tuple[str, ...]] = ("w", "v")
    ADAPTATION: ClassVar[str | None] = "w_step"
    NEEDS: ClassVar[str] = "an adaptation current that the membrane drives"

    @staticmethod
    def step(p: Any, s: Any, a: Any) -> dict[str, Any]:
        """Membrane, spike and reset, then the current that follows it."""
        v = sat(decayed(s.v, p.v_decay) + (a << STATE_SHIFT) + p.bias - (s.w >> W_BITS))
        spiked = v > p.v_threshold
        v = where(spiked, 0, v)
        driven = rtz(v * p.a_gain, A_BITS - W_BITS)
        w = sat(decayed(s.w, p.w_decay) + driven + where(spiked, p.w_step, 0))
        return {"w": w, "v": v, "spiked": spiked}

    def threshold(self, states: Mapping[str, Any] | None = None) -> Any:  # noqa: ARG002
        """Return ``v_threshold``."""
        return self.v_threshold


class AdLIF(FloatNeuron):
    """Adaptive LIF with coupling of the membrane to its adaptation, symplectic Euler.

    ::

        u_t = alpha v_{t-1} + (1 - alpha) (I_t - x_{t-1})        alpha = exp(-1 / tau_mem)
        s_t = [u_t - 1 > 0],  v_t = u_t (1 - s_t), the reset detached
        x_t = rho x_{t-1} + (1 - rho) 120 (a v_t + b s_t)        rho = exp(-1 / tau_adp)

    The state is ``w = (1 - alpha) x``. a keeps to 0..1 and b to 0..2; the threshold is 1.
    Source: Baronig, Ferrand, Sabathiel, Legenstein (arXiv 2408.07517).
    """

    NAME: ClassVar[str] = "adlif"
    PARAMETERS: ClassVar[tuple[FloatParameter, ...]] = (
        tau("tau_mem"),
        tau("tau_adp"),
        value("a", 0.0, A_MAX, Spread("uniform", low=0.0, high=A_MAX)),
        value("b", 0.0, B_MAX, Spread("uniform", low=0.0, high=B_MAX)),
    )
    STATES: ClassVar[tuple[str, ...]] = ("v", "w", "s")
    RECORD: ClassVar[type[Neuron] | None] = AdaptiveCurrentLIF
    DECAYS: ClassVar[tuple[str, ...]] = ("alpha", "rho")

    @staticmethod
    def coefficients(p: Any) -> dict[str, Any]:
        """Return alpha, rho, and what v and a spike add to w."""
        alpha, rho = exp(-1.0 / p.tau_mem), exp(-1.0 / p.tau_adp)
        gain = Q * (1.0 - alpha) * (1.0 - rho)
        return {"alpha": alpha, "rho": rho, "a_gain": gain * p.a, "w_step": gain * p.b}

    @staticmethod
    def gain(c: Any) -> Any:
        """Return 1 - alpha."""
        return 1.0 - c.alpha

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
        """Membrane, spike and reset, then the current that follows it."""
        v = fma(c.alpha, s.v, current) - s.w
        fired = spike(v - 1.0)
        v = v * (1.0 - detach(fired))
        w = fma(c.rho, s.w, fma(c.a_gain, v, c.w_step * fired))
        return {"v": v, "w": w, "s": fired}

    @staticmethod
    def integers(p: Any, unit: FloatArray, stock: bool) -> Integers:  # noqa: ARG004
        """Return ``AdaptiveCurrentLIF``."""
        v_decay = decay_code(exp(-1.0 / p.tau_mem))
        scale = v_decay / DECAY_ONE * unit / STATE_ONE
        real = AdLIF.coefficients(p)
        return Integers(
            AdaptiveCurrentLIF,
            {
                "v_decay": v_decay,
                "w_decay": decay_code(exp(-1.0 / p.tau_adp)),
                "v_threshold": rounded(1.0 / scale),
                "a_gain": rounded(real["a_gain"] * 2.0**A_BITS),
                "w_step": rounded(real["w_step"] / scale * 2.0**W_BITS),
                "bias": rounded(STATE_ONE * p.bias / unit),
            },
            scale,
        )

    @staticmethod
    def meaning(record: Any, scale: FloatArray) -> dict[str, Any]:
        """Return alpha, rho, and what v and a spike add to w."""
        return {
            "alpha": decay_factor(record.v_decay),
            "rho": decay_factor(record.w_decay),
            "a_gain": record.a_gain / 2.0**A_BITS,
            "w_step": scale * record.w_step / 2.0**W_BITS,
        }

    @staticmethod
    def real_states(record: Any, scale: FloatArray, states: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG004
        """Return v and w."""
        return {"v": scale * states["v"], "w": scale * states["w"] / 2.0**W_BITS}
