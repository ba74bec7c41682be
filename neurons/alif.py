"""ALIF, the adaptive LIF of multi-timescale SRNNs (Yin, Corradi & Bohte, arXiv 2005.11633)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from . import grid
from .grid import STATE_MAX, STATE_SHIFT, IntArray, decayed, sat, where
from .neuron import Neuron, decay, parameter, state


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
