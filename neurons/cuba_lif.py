"""Loihi's current-based LIF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .grid import STATE_SHIFT, THRESHOLD_MANTISSA_NEVER, IntArray, decayed, sat, where, wrap24
from .neuron import Neuron, decay, parameter, state


@dataclass(frozen=True, eq=False)
class CubaLIF(Neuron):
    """Loihi's current-based LIF with hard reset, exactly Lava's ``PyLifModelBitAcc``.

    ::

        u = wrap24(rtz(u (4096 - i_decay), 12) + (a << 6))
        v = sat(rtz(v (4096 - v_decay), 12) + u + bias)
        s = v > (v_threshold << 6);   v = 0 where s

    ``v_threshold`` is a mantissa, ``bias`` is in state units.
    """

    i_decay: IntArray = decay("iDecay")
    v_decay: IntArray = decay("vDecay")
    v_threshold: IntArray = parameter("vThMant", 0, THRESHOLD_MANTISSA_NEVER, "64 states")
    bias: IntArray = state("bias")
    u_init: IntArray = state("uInit")
    v_init: IntArray = state("vInit")

    TYPE: ClassVar[str] = "CUBA"
    STATES: ClassVar[tuple[str, ...]] = ("u", "v")

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
