"""Lava's LIF with adaptive threshold and refractory variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .errors import index_list
from .grid import (
    DECAY_ONE,
    STATE_MAX,
    STATE_ONE,
    STATE_SHIFT,
    IntArray,
    decayed,
    sat,
    where,
    wrap24,
)
from .lava import Stock, one_or_each, overflow
from .neuron import Neuron, Response, decay, parameter, state


@dataclass(frozen=True, eq=False)
class ThresholdRefractoryLIF(Neuron):
    """Lava's ``ATRLIF``: threshold and refractory variable jump at a spike; v is never reset.

    ::

        i  = wrap24(rtz(i (4096 - i_decay), 12) + (a << 6))
        v  = sat(rtz(v (4096 - v_decay), 12) + i + bias)
        th = rtz((th - th_init) (4096 - th_decay), 12) + th_init
        r  = rtz(r (4096 - r_decay), 12)
        s  = v - r >= th;   r += 2 th where s;   th += th_step where s

    ``i_decay`` includes the 1 that Lava adds (1 + 4096 delta_i); ``th_init`` is 64 theta_0 and
    ``th_step`` 64 theta_step. Lava does not limit th and r; here states beyond 32 bits are refused.
    Source: ``PyATRLIFModelFixed`` of lava-nc 0.10.0.
    """

    i_decay: IntArray = decay("iDecay", low=1, high=DECAY_ONE + 1)
    v_decay: IntArray = decay("vDecay")
    th_decay: IntArray = decay("thDecay")
    r_decay: IntArray = decay("refDecay")
    th_init: IntArray = parameter("thInit", 0, STATE_MAX, "state")
    th_step: IntArray = parameter("thStep", 0, STATE_MAX, "state")
    bias: IntArray = state("bias")

    TYPE: ClassVar[str] = "ATRLIF"
    STATES: ClassVar[tuple[str, ...]] = ("i", "v", "th", "r")
    ADAPTATION: ClassVar[str | None] = "th_step"
    NEEDS: ClassVar[str] = "a threshold and a refractory variable that jump at a spike"
    RESPONSE: ClassVar[Response | None] = Response(
        ("i_decay", "v_decay"),
        ("th_decay", "r_decay"),
        threshold="th_init",
        step="th_step",
        step_decay="th_decay",
    )

    @staticmethod
    def step(p: Any, s: Any, a: Any) -> dict[str, Any]:
        """Current, membrane, threshold, refractory variable, spike and its jumps."""
        i = wrap24(decayed(s.i, p.i_decay) + (a << STATE_SHIFT))
        v = sat(decayed(s.v, p.v_decay) + i + p.bias)
        th = decayed(s.th - p.th_init, p.th_decay) + p.th_init
        r = decayed(s.r, p.r_decay)
        spiked = v - r >= th
        r = r + where(spiked, th << 1, 0)
        th = th + where(spiked, p.th_step, 0)
        return {"i": i, "v": v, "th": th, "r": r, "spiked": spiked}

    def threshold(self, states: Mapping[str, Any] | None = None) -> Any:
        """Return ``th + r``."""
        return self.th_init if states is None else states["th"] + states["r"]

    def stock(self, lag: int, largest_sum: int) -> Stock | str:  # noqa: ARG002
        """Return Lava's ``ATRLIF``, whose decays and thresholds are fractions."""
        beyond = overflow(largest_sum, self.TYPE)
        if beyond:
            return beyond
        if self.bias.any():
            return "ATRLIF's bias would act before the layer's first input"
        if np.unique(self.th_step).size > 1:
            return "ATRLIF takes one threshold step for all neurons"
        silent = np.flatnonzero(self.th_init == 0).tolist()
        if silent:
            return f"ATRLIF spikes without input at threshold 0 (neuron {index_list(silent)})"
        arguments = {
            # Lava adds 1 to the code of this decay.
            "delta_i": one_or_each((self.i_decay - 1) / DECAY_ONE),
            "delta_v": one_or_each(self.v_decay / DECAY_ONE),
            "delta_theta": one_or_each(self.th_decay / DECAY_ONE),
            "delta_r": one_or_each(self.r_decay / DECAY_ONE),
            "theta_0": one_or_each(self.th_init / STATE_ONE),
            "theta_step": one_or_each(self.th_step / STATE_ONE),
        }
        states = {"i": "i", "v": "v", "th": "theta", "r": "r"}
        return Stock(self.TYPE, "no bias, one threshold step", arguments, states)
