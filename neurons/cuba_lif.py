"""Loihi's current-based LIF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .errors import index_list
from .grid import (
    STATE_MAX,
    STATE_ONE,
    STATE_SHIFT,
    THRESHOLD_MANTISSA_NEVER,
    FloatArray,
    IntArray,
    decay_code,
    decay_factor,
    decayed,
    mantissa_bias,
    rounded,
    sat,
    where,
    wrap24,
)
from .lava import Stock, bias_parts, one_or_each, overflow
from .neuron import Neuron, Response, decay, parameter, state, take_step
from .real import FloatNeuron, FloatParameter, Integers, exp, fma, magnitude, tau

THRESHOLD_NEVER = float(np.finfo(np.float32).max)
"""Threshold of a ``cuba_lif`` that never spikes, a readout of its membrane."""
TAU_SYN_NONE = 0.001
"""``tau_syn`` of a current without a filter: exp(-1 / tau_syn) is 0. It cannot be trained."""


@dataclass(frozen=True, eq=False)
class CubaLIF(Neuron):
    """Loihi's current-based LIF with hard reset, exactly Lava's ``PyLifModelBitAcc``.

    ::

        u = wrap24(rtz(u (4096 - i_decay), 12) + (a << 6))
        v = sat(rtz(v (4096 - v_decay), 12) + u + bias)
        s = v > (v_threshold << 6);   v = 0 where s

    ``v_threshold`` is a mantissa, ``bias`` is in state units.
    """

    i_decay: IntArray = decay("iDecay", first=1)
    v_decay: IntArray = decay("vDecay")
    v_threshold: IntArray = parameter("vThMant", 0, THRESHOLD_MANTISSA_NEVER, "64 states")
    bias: IntArray = state("bias")
    u_init: IntArray = state("uInit")
    v_init: IntArray = state("vInit")

    TYPE: ClassVar[str] = "CUBA"
    STATES: ClassVar[tuple[str, ...]] = ("u", "v")
    NEEDS: ClassVar[str] = "a current and a voltage with hard reset"
    RESPONSE: ClassVar[Response | None] = Response(
        ("i_decay", "v_decay"), threshold="v_threshold", current_init="u_init", init="v_init"
    )

    @staticmethod
    def step(p: Any, s: Any, a: Any) -> dict[str, Any]:
        """Current, membrane, spike, reset to zero."""
        u = wrap24(decayed(s.u, p.i_decay) + (a << STATE_SHIFT))
        v = sat(decayed(s.v, p.v_decay) + u + p.bias)
        spiked = v > (p.v_threshold << STATE_SHIFT)
        return {"u": u, "v": where(spiked, 0, v), "spiked": spiked}

    def threshold(self, states: Mapping[str, Any] | None = None) -> Any:  # noqa: ARG002
        """Return ``v_threshold << 6``."""
        return self.v_threshold << STATE_SHIFT

    def stock(self, lag: int, largest_sum: int) -> Stock | str:
        """Return ``LIF``, or ``LIFReset`` where a bias acts before the layer's first input."""
        beyond, parts = overflow(largest_sum, "LIF"), bias_parts(self.bias)
        if beyond:
            return beyond
        if self.u_init.any() or self.v_init.any():
            return "initial states that must hold until the layer's first input"
        if parts is None:
            return "a bias beyond 13 bits of mantissa and 3 of exponent"
        early = spikes_before(self, lag) if self.bias.any() else []
        if early:
            return f"the bias alone makes neuron {index_list(early)} spike before the first input"
        arguments = {
            "du": one_or_each(self.i_decay - 1),
            "dv": one_or_each(self.v_decay),
            "vth": one_or_each(self.v_threshold),
            "bias_mant": parts[0],
            "bias_exp": parts[1],
        }
        states = {"u": "u", "v": "v"}
        if self.bias.any():
            reason = "bias; reset once, at the layer's first input"
            return Stock("LIFReset", reason, arguments, states)
        return Stock("LIF", "no bias, no initial state", arguments, states)


def spikes_before(neuron: CubaLIF, steps: int) -> list[int]:
    """Return the neurons that the bias alone makes spike within ``steps`` steps from rest."""
    none = np.zeros((1, neuron.size), np.int64)
    states, spiked, ever = {"u": none, "v": none}, none, none
    for _ in range(steps):
        states, spiked = take_step(neuron, states, none, spiked)
        ever = ever | spiked
    return np.flatnonzero(ever).tolist()


class CurrentLIF(FloatNeuron):
    """Loihi's current-based leaky integrate-and-fire with hard reset; loads in stock lava-dl.

    ::

        i_t = alpha_syn i_{t-1} + W s_t        alpha_syn = exp(-1 / tau_syn)
        v_t = alpha v_{t-1} + i_t + bias        alpha = exp(-1 / tau_mem)
        s_t = [v_t - threshold > 0],  v_t = 0 where s_t

    The bias bypasses the current's filter, as on the chip.
    """

    NAME: ClassVar[str] = "cuba_lif"
    PARAMETERS: ClassVar[tuple[FloatParameter, ...]] = (
        tau("tau_syn", low=TAU_SYN_NONE), tau("tau_mem"), magnitude("threshold"),
    )  # fmt: skip
    STATES: ClassVar[tuple[str, ...]] = ("i", "v", "s")
    BIAS_IN_STEP: ClassVar[bool] = True
    RECORD: ClassVar[type[Neuron] | None] = CubaLIF
    STOCK: ClassVar[bool] = True
    DECAYS: ClassVar[tuple[str, ...]] = ("alpha_syn", "alpha")

    @staticmethod
    def coefficients(p: Any) -> dict[str, Any]:
        """Return alpha_syn, alpha and threshold."""
        return {
            "alpha_syn": exp(-1.0 / p.tau_syn),
            "alpha": exp(-1.0 / p.tau_mem),
            "threshold": p.threshold,
        }

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
        """Current, membrane, spike, reset to zero."""
        i = fma(c.alpha_syn, s.i, current)
        v = fma(c.alpha, s.v, i + c.bias)
        fired = spike(v - c.threshold)
        return {"i": i, "v": v * (1.0 - fired), "s": fired}

    @staticmethod
    def integers(p: Any, unit: FloatArray, stock: bool) -> Integers:  # noqa: ARG004
        """Return ``CubaLIF``."""
        threshold = rounded(p.threshold / unit)
        return Integers(
            CubaLIF,
            {
                "i_decay": decay_code(exp(-1.0 / p.tau_syn)),
                "v_decay": decay_code(exp(-1.0 / p.tau_mem)),
                # With a mantissa of 2^17 or more a neuron never spikes; a trained threshold must be
                # reachable.
                "v_threshold": np.where(
                    p.threshold >= THRESHOLD_NEVER,
                    THRESHOLD_MANTISSA_NEVER,
                    np.where(threshold < 1 << 17, threshold, STATE_MAX),
                ),
                "bias": mantissa_bias(p.bias / unit),
            },
            unit / STATE_ONE,
        )

    @staticmethod
    def meaning(record: Any, scale: FloatArray) -> dict[str, Any]:
        """Return alpha_syn, alpha and threshold of integers."""
        return {
            "alpha_syn": decay_factor(record.i_decay),
            "alpha": decay_factor(record.v_decay),
            "threshold": scale * STATE_ONE * record.v_threshold,
        }

    @staticmethod
    def real_states(record: Any, scale: FloatArray, states: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG004
        """Return the current and v."""
        return {"i": scale * states["u"], "v": scale * states["v"]}
