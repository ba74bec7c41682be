"""The leaky integrator, a readout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .cuba_lif import CubaLIF
from .grid import (
    DECAY_ONE,
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
)
from .neuron import Neuron, Response, decay, state
from .real import FloatNeuron, FloatParameter, Integers, exp, fma, tau


@dataclass(frozen=True, eq=False)
class LeakyIntegrator(Neuron):
    """The leaky-integrator readout: ``v = sat(rtz(v (4096 - v_decay), 12) + (a << 6) + bias)``."""

    v_decay: IntArray = decay("vDecay", low=1, first=0)
    bias: IntArray = state("bias")
    v_init: IntArray = state("vInit")

    TYPE: ClassVar[str] = "SRNN_LI"
    STATES: ClassVar[tuple[str, ...]] = ("v",)
    SPIKING: ClassVar[bool] = False
    NEEDS: ClassVar[str] = "a voltage that is never reset"
    NATIVE_AS: ClassVar[tuple[str, str] | None] = (
        CubaLIF.TYPE,
        "a CUBA neuron whose current decays at once and whose threshold is out of reach, equal "
        "while its synaptic sum stays within 24 bits",
    )
    RESPONSE: ClassVar[Response | None] = Response(("v_decay",), init="v_init")

    @staticmethod
    def step(p: Any, s: Any, a: Any) -> dict[str, Any]:
        """Membrane; it never spikes."""
        return {"v": sat(decayed(s.v, p.v_decay) + (a << STATE_SHIFT) + p.bias)}

    def native_form(self) -> CubaLIF:
        """Return current-based LIF neurons whose current decays at once, and that never spike."""
        return CubaLIF(
            self.size,
            i_decay=np.full(self.size, DECAY_ONE),
            v_decay=self.v_decay,
            v_threshold=np.full(self.size, THRESHOLD_MANTISSA_NEVER),
            bias=self.bias,
            v_init=self.v_init,
        )


class LI(FloatNeuron):
    """The leaky-integrator readout; it does not spike.

    ::

        v_t = alpha v_{t-1} + (1 - alpha) I_t        alpha = exp(-1 / tau_mem)
    """

    NAME: ClassVar[str] = "li"
    PARAMETERS: ClassVar[tuple[FloatParameter, ...]] = (tau("tau_mem"),)
    STATES: ClassVar[tuple[str, ...]] = ("v",)
    SPIKING: ClassVar[bool] = False
    RECORD: ClassVar[type[Neuron] | None] = LeakyIntegrator
    STOCK: ClassVar[bool] = True
    DECAYS: ClassVar[tuple[str, ...]] = ("alpha",)

    @staticmethod
    def coefficients(p: Any) -> dict[str, Any]:
        """Return alpha."""
        return {"alpha": exp(-1.0 / p.tau_mem)}

    @staticmethod
    def gain(c: Any) -> Any:
        """Return 1 - alpha."""
        return 1.0 - c.alpha

    @staticmethod
    def step(c: Any, s: Any, current: Any, spike: Any) -> dict[str, Any]:  # noqa: ARG004
        """Membrane."""
        return {"v": fma(c.alpha, s.v, current)}

    @staticmethod
    def integers(p: Any, unit: FloatArray, stock: bool) -> Integers:
        """Return ``LeakyIntegrator``."""
        v_decay = decay_code(exp(-1.0 / p.tau_mem))
        bias = p.bias / unit
        return Integers(
            LeakyIntegrator,
            {
                "v_decay": v_decay,
                "bias": mantissa_bias(bias) if stock else rounded(STATE_ONE * bias),
            },
            v_decay / DECAY_ONE * unit / STATE_ONE,
        )

    @staticmethod
    def meaning(record: Any, scale: FloatArray) -> dict[str, Any]:  # noqa: ARG004
        """Return alpha of integers."""
        return {"alpha": decay_factor(record.v_decay)}
