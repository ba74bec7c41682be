"""The leaky integrator, a readout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .grid import STATE_SHIFT, IntArray, decayed, sat
from .neuron import Neuron, decay, state


@dataclass(frozen=True, eq=False)
class LeakyIntegrator(Neuron):
    """The leaky-integrator readout: ``v = sat(rtz(v (4096 - v_decay), 12) + (a << 6) + bias)``."""

    v_decay: IntArray = decay("vDecay", low=1)
    bias: IntArray = state("bias")
    v_init: IntArray = state("vInit")

    TYPE: ClassVar[str] = "SRNN_LI"
    STATES: ClassVar[tuple[str, ...]] = ("v",)
    SPIKING: ClassVar[bool] = False

    @staticmethod
    def step(p: Any, s: Any, a: Any) -> dict[str, Any]:
        """Membrane; it never spikes."""
        return {"v": sat(decayed(s.v, p.v_decay) + (a << STATE_SHIFT) + p.bias)}
