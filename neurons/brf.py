"""Balanced resonate-and-fire: an oscillation whose damping and threshold follow its spikes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .grid import (
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
from .real import FloatNeuron, FloatParameter, Integers, Spread, fma, sqrt, value

BITS = 16
"""Fractional bits of the factors of the oscillation."""
Q_BITS = 19
"""Fractional bits of q; 24 bits hold spikes at every step, which drive it to 10."""
STEP = 0.01
"""Factor of the current, and of q in the damping: the published neuron's time step."""
Q_KEEP = 0.9


@dataclass(frozen=True, eq=False)
class ResonateFire(Neuron):
    """An oscillation of v and x, whose damping and threshold grow by q, the trace of its spikes.

    ::

        k = keep - rtz(q q_gain, 19)
        v = sat(rtz(v k, 16) - rtz(x turn, 16) + (a << 6) + bias)
        x = sat(rtz(v_before turn, 16) + rtz(x k, 16))
        s = v > v_threshold + rtz(q v_threshold, 19)
        q = sat(rtz(q (4096 - q_decay), 12) + (2^19 where s))

    In k and in the threshold q is that of the step before; the spike resets nothing.
    """

    keep: IntArray = parameter("keep", -(1 << BITS), 1 << BITS, "2^-16")
    turn: IntArray = parameter("turn", 0, 1 << BITS, "2^-16")
    v_threshold: IntArray = parameter("vTh", 0, STATE_MAX, "state")
    q_gain: IntArray = parameter("qGain", 0, 1 << 12, "2^-16")
    q_decay: IntArray = decay("qDecay", low=1)
    bias: IntArray = state("bias")

    TYPE: ClassVar[str] = "SRNN_BRF"
    STATES: ClassVar[tuple[str, ...]] = ("q", "x", "v")
    NEEDS: ClassVar[str] = "two states that rotate, damped by the spikes"

    @staticmethod
    def step(p: Any, s: Any, a: Any) -> dict[str, Any]:
        """Damping, oscillation, spike, and the trace that it leaves."""
        k = p.keep - rtz(s.q * p.q_gain, Q_BITS)
        drive = (a << STATE_SHIFT) + p.bias
        v = sat(rtz(s.v * k, BITS) - rtz(s.x * p.turn, BITS) + drive)
        x = sat(rtz(s.v * p.turn, BITS) + rtz(s.x * k, BITS))
        spiked = v > p.v_threshold + rtz(s.q * p.v_threshold, Q_BITS)
        q = sat(decayed(s.q, p.q_decay) + where(spiked, 1 << Q_BITS, 0))
        return {"q": q, "x": x, "v": v, "spiked": spiked}

    def threshold(self, states: Mapping[str, Any] | None = None) -> Any:
        """Return ``v_threshold (1 + q)``, with q after the step."""
        q = 0 if states is None else states["q"]
        return self.v_threshold + (q * self.v_threshold >> Q_BITS)


class BRF(FloatNeuron):
    """Balanced resonate-and-fire.

    ::

        k_t = sqrt(1 - omega^2) - b_offset - 0.01 q_{t-1}
        v_t = k_t v_{t-1} - omega x_{t-1} + 0.01 I_t
        x_t = omega v_{t-1} + k_t x_{t-1}
        s_t = [v_t - 1 - q_{t-1} > 0]
        q_t = 0.9 q_{t-1} + s_t

    omega in radians per step, b_offset per step; ``sqrt(1 - omega^2)`` is where the oscillation
    neither grows nor decays.
    Source: Higuchi, Kairat, Bohte, Otte (arXiv 2402.14603), with its time step of 0.01 taken into
    omega and b_offset.
    """

    NAME: ClassVar[str] = "brf"
    PARAMETERS: ClassVar[tuple[FloatParameter, ...]] = (
        value("omega", 0.001, 0.99, Spread("uniform", low=0.03, high=0.1)),
        value("b_offset", 0.0, 1.0, Spread("uniform", low=0.001, high=0.01)),
    )
    STATES: ClassVar[tuple[str, ...]] = ("v", "x", "q", "s")
    RECORD: ClassVar[type[Neuron] | None] = ResonateFire
    SETTLED: ClassVar[tuple[str, ...]] = ("q",)

    @staticmethod
    def coefficients(p: Any) -> dict[str, Any]:
        """Return what is kept of the oscillation, omega, and the factors of q."""
        same = 0.0 * p.omega
        return {
            "keep": sqrt(1.0 - p.omega * p.omega) - p.b_offset,
            "turn": p.omega,
            "q_gain": same + STEP,
            "q_keep": same + Q_KEEP,
        }

    @staticmethod
    def gain(c: Any) -> Any:
        """Return 0.01."""
        return 0.0 * c.turn + STEP

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:
        """Damping, oscillation, spike, and the trace that it leaves."""
        k = c.keep - c.q_gain * s.q
        v = fma(k, s.v, current - c.turn * s.x)
        x = fma(k, s.x, c.turn * s.v)
        fired = spike(v - s.q - 1.0)
        return {"v": v, "x": x, "q": fma(c.q_keep, s.q, fired), "s": fired}

    @staticmethod
    def integers(p: Any, unit: FloatArray, stock: bool) -> Integers:  # noqa: ARG004
        """Return ``ResonateFire``."""
        real = BRF.coefficients(p)
        scale = STEP * unit / STATE_ONE
        return Integers(
            ResonateFire,
            {
                "keep": rounded(real["keep"] * 2.0**BITS),
                "turn": rounded(real["turn"] * 2.0**BITS),
                "v_threshold": rounded(1.0 / scale),
                "q_gain": rounded(real["q_gain"] * 2.0**BITS),
                "q_decay": decay_code(real["q_keep"]),
                "bias": rounded(STATE_ONE * p.bias / unit),
            },
            scale,
        )

    @staticmethod
    def meaning(record: Any, scale: FloatArray) -> dict[str, Any]:  # noqa: ARG004
        """Return what is kept of the oscillation, omega, and the factors of q."""
        return {
            "keep": record.keep / 2.0**BITS,
            "turn": record.turn / 2.0**BITS,
            "q_gain": record.q_gain / 2.0**BITS,
            "q_keep": decay_factor(record.q_decay),
        }

    @staticmethod
    def real_states(record: Any, scale: FloatArray, states: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG004
        """Return v, x and q."""
        return {
            "v": scale * states["v"],
            "x": scale * states["x"],
            "q": states["q"] / 2.0**Q_BITS,
        }
