"""ALIF, the adaptive LIF of multi-timescale SRNNs (Yin, Corradi & Bohte, arXiv 2005.11633)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from . import grid
from .grid import (
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
    sat,
    where,
)
from .neuron import Neuron, Response, decay, parameter, state
from .real import FloatNeuron, FloatParameter, Integers, exp, fma, lerp, magnitude, relu, tau


@dataclass(frozen=True, eq=False)
class AdaptiveLIF(Neuron):
    """The paper's neuron: adaptive threshold, soft reset one step late by the new threshold.

    ::

        d = sat(rtz(d (4096 - b_decay), 12) + (b_step where s_prev))
        B = v_threshold + (d >> b_exp)
        v = sat(rtz(v (4096 - v_decay), 12) + (a << 6) + bias - (B where s_prev))
        s = v > B

    ``v_threshold``, ``b_step`` and ``bias`` are in state units; ``d`` carries ``b_exp`` extra
    fractional bits. With ``b_step = 0`` this is the LIF with constant threshold and soft reset.
    """

    v_decay: IntArray = decay("vDecay", low=1)
    b_decay: IntArray = decay("bDecay", low=1)
    v_threshold: IntArray = parameter("vTh", 0, STATE_MAX, "state")
    b_step: IntArray = parameter("bStep", 0, STATE_MAX, "state / 2^bExp")
    b_exp: IntArray = parameter("bExp", 0, grid.ADAPTATION_EXP_MAX, "bits")
    bias: IntArray = state("bias")
    v_init: IntArray = state("vInit")
    d_init: IntArray = parameter("dInit", 0, STATE_MAX, "state / 2^bExp", 0)

    TYPE: ClassVar[str] = "SRNN_ALIF"
    STATES: ClassVar[tuple[str, ...]] = ("d", "v")
    ADAPTATION: ClassVar[str | None] = "b_step"
    # The formulas of the literature: decays of v and b, and beta b (simulate/operations.py).
    PRODUCTS: ClassVar[tuple[int, int] | None] = (1, 3)
    NEEDS: ClassVar[str] = "an adaptive threshold and a soft reset"
    RESPONSE: ClassVar[Response | None] = Response(
        ("v_decay",),
        ("b_decay",),
        threshold="v_threshold",
        step="b_step",
        step_decay="b_decay",
        step_exp="b_exp",
        init="v_init",
        step_init="d_init",
    )

    @staticmethod
    def step(p: Any, s: Any, a: Any) -> dict[str, Any]:
        """Adaptation, threshold, membrane with the reset of the spike before, spike."""
        d = sat(decayed(s.d, p.b_decay) + where(s.spiked, p.b_step, 0))
        threshold = p.v_threshold + (d >> p.b_exp)
        drive = (a << STATE_SHIFT) + p.bias
        v = sat(decayed(s.v, p.v_decay) + drive - where(s.spiked, threshold, 0))
        return {"d": d, "v": v, "spiked": v > threshold}

    def threshold(self, states: Mapping[str, Any] | None = None) -> Any:
        """Return ``v_threshold + (d >> b_exp)``."""
        return self.v_threshold + ((0 if states is None else states["d"]) >> self.b_exp)


class ALIF(FloatNeuron):
    """Adaptive leaky integrate-and-fire with the paper's soft reset.

    ::

        b_t = rho b_{t-1} + (1 - rho) s_{t-1}        rho = exp(-1 / tau_adp)
        B_t = threshold + adaptation b_t
        v_t = alpha v_{t-1} + (1 - alpha) I_t - B_t s_{t-1}        alpha = exp(-1 / tau_mem)
        s_t = [v_t - B_t > 0]
    """

    NAME: ClassVar[str] = "alif"
    PARAMETERS: ClassVar[tuple[FloatParameter, ...]] = (
        tau("tau_mem"), tau("tau_adp"), magnitude("threshold"), magnitude("adaptation"),
    )  # fmt: skip
    STATES: ClassVar[tuple[str, ...]] = ("v", "b", "s")
    INITIAL: ClassVar[Mapping[str, str]] = {"b": "initial_adaptation"}
    RECORD: ClassVar[type[Neuron] | None] = AdaptiveLIF
    DECAYS: ClassVar[tuple[str, ...]] = ("alpha", "rho")
    SETTLED: ClassVar[tuple[str, ...]] = ("d",)

    @staticmethod
    def coefficients(p: Any) -> dict[str, Any]:
        """Return alpha, rho, threshold and adaptation."""
        return {
            "alpha": exp(-1.0 / p.tau_mem),
            "rho": exp(-1.0 / p.tau_adp),
            "threshold": p.threshold,
            "adaptation": p.adaptation,
        }

    @staticmethod
    def gain(c: Any) -> Any:
        """Return 1 - alpha."""
        return 1.0 - c.alpha

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
        """Adaptation, threshold, membrane with the reset of the spike before, spike."""
        b = lerp(s.s, s.b, c.rho)
        limit = fma(c.adaptation, b, c.threshold)
        v = fma(c.alpha, s.v, current) - limit * s.s
        return {"v": v, "b": b, "s": spike(v - limit)}

    @staticmethod
    def integers(p: Any, unit: FloatArray, stock: bool) -> Integers:  # noqa: ARG004
        """Return ``AdaptiveLIF``: d has as many fractional bits as fit (docs/FIXED_POINT.md)."""
        b_decay = decay_code(exp(-1.0 / p.tau_adp))
        return _adaptive(p, unit, b_decay, p.adaptation)

    @staticmethod
    def meaning(record: Any, scale: FloatArray) -> dict[str, Any]:
        """Return alpha, rho, threshold and adaptation of integers."""
        strength = record.b_step * DECAY_ONE / record.b_decay
        return {
            "alpha": decay_factor(record.v_decay),
            "rho": decay_factor(record.b_decay),
            "threshold": scale * record.v_threshold,
            "adaptation": scale * strength / 2.0**record.b_exp,
        }

    @staticmethod
    def real_states(record: Any, scale: FloatArray, states: Mapping[str, Any]) -> dict[str, Any]:
        """Return v, and b, which d carries times the strength of the adaptation; 0 without any."""
        strength = record.b_step * DECAY_ONE / record.b_decay
        b = np.where(strength > 0, 1.0 / np.maximum(strength, 1.0), 0.0) * states["d"]
        return {"v": scale * states["v"], "b": b}


class ReLUALIF(ALIF):
    """The paper's non-spiking control: ``ALIF`` with ``s_t = max(0, v_t - B_t)``.

    Reset and adaptation scale with the graded activation. It has no integer form: a float baseline.
    """

    NAME: ClassVar[str] = "alif_relu"
    SPIKING: ClassVar[bool] = False
    RECORD: ClassVar[type[Neuron] | None] = None
    WHY_NOT: ClassVar[str] = "graded activations do not exist on the chip; train alif instead"

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:  # noqa: ARG004
        """Return v, b and s after the step; s is graded."""
        return ALIF.step(c, s, current, relu)


class LIF(FloatNeuron):
    """Leaky integrate-and-fire with constant threshold and soft reset: ``ALIF`` without adaptation.

    ::

        v_t = alpha v_{t-1} + (1 - alpha) I_t - threshold s_{t-1}        alpha = exp(-1 / tau_mem)
        s_t = [v_t - threshold > 0]
    """

    NAME: ClassVar[str] = "lif"
    PARAMETERS: ClassVar[tuple[FloatParameter, ...]] = (tau("tau_mem"), magnitude("threshold"))
    STATES: ClassVar[tuple[str, ...]] = ("v", "s")
    RECORD: ClassVar[type[Neuron] | None] = AdaptiveLIF
    DECAYS: ClassVar[tuple[str, ...]] = ("alpha",)
    SETTLED: ClassVar[tuple[str, ...]] = ("d",)

    @staticmethod
    def coefficients(p: Any) -> dict[str, Any]:
        """Return alpha and threshold."""
        return {"alpha": exp(-1.0 / p.tau_mem), "threshold": p.threshold}

    @staticmethod
    def gain(c: Any) -> Any:
        """Return 1 - alpha."""
        return 1.0 - c.alpha

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
        """Membrane with the reset of the spike before, spike."""
        v = fma(c.alpha, s.v, current) - c.threshold * s.s
        return {"v": v, "s": spike(v - c.threshold)}

    @staticmethod
    def integers(p: Any, unit: FloatArray, stock: bool) -> Integers:  # noqa: ARG004
        """Return ``AdaptiveLIF`` with a threshold that does not move."""
        return _adaptive(p, unit, np.ones(unit.shape, np.int64), np.zeros(unit.shape))

    @staticmethod
    def meaning(record: Any, scale: FloatArray) -> dict[str, Any]:
        """Return alpha and threshold of integers."""
        return {"alpha": decay_factor(record.v_decay), "threshold": scale * record.v_threshold}


def _adaptive(p: Any, unit: FloatArray, b_decay: IntArray, adaptation: FloatArray) -> Integers:
    v_decay = decay_code(exp(-1.0 / p.tau_mem))
    state_scale = v_decay / DECAY_ONE * unit / STATE_ONE
    strength = adaptation / state_scale
    b_exp = adaptation_exponent(strength, b_decay, p.initial_adaptation)
    return Integers(
        AdaptiveLIF,
        {
            "v_decay": v_decay,
            "b_decay": b_decay,
            "v_threshold": rounded(p.threshold / state_scale),
            "b_step": rounded(strength * b_decay / DECAY_ONE * 2.0**b_exp),
            "b_exp": b_exp,
            "d_init": rounded(p.initial_adaptation * strength * 2.0**b_exp),
            "bias": rounded(STATE_ONE * p.bias / unit),
        },
        state_scale,
    )


def adaptation_exponent(
    strength: FloatArray, b_decay: IntArray, initial_adaptation: float = 0.0
) -> IntArray:
    """Return the largest bExp (n,) for which d cannot saturate; -1 where there is none.

    A neuron that fires at every step drives d to ``strength 2^bExp``, with ``strength = adaptation
    / state_scale``, plus at most the rounding error of bStep, ``4096 / (2 b_decay)``. A neuron that
    does not adapt gets 0.
    """
    reach = np.maximum(strength * max(1.0, initial_adaptation), 1.0)
    room = STATE_MAX - DECAY_ONE / b_decay
    exponent = np.clip(np.floor(np.log2(room / reach)), -1, grid.ADAPTATION_EXP_MAX)
    return np.where(strength > 0, exponent, 0).astype(np.int64)
