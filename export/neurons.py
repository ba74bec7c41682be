"""The integer neuron models as records, checked when made; docs/FIXED_POINT.md defines them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from . import grid
from .checks import frozen, in_range, whole
from .errors import InputError
from .grid import IntArray

NEURON_COUNT_MAX = 1 << 24


@dataclass(frozen=True)
class Parameter:
    """One integer parameter of a neuron record, stored per neuron.

    ``name`` is the record's field, ``key`` the dataset in a ``.net`` file; ``low`` and ``high``
    are inclusive; ``default`` None means that the parameter must be given.
    """

    name: str
    key: str
    low: int
    high: int
    unit: str
    default: int | None = None


_STATE = (-grid.STATE_MAX, grid.STATE_MAX)


def _decay(name: str, key: str, low: int = 0) -> Parameter:
    return Parameter(name, key, low, grid.DECAY_ONE, "1/4096 of the state per step")


def _state(name: str, key: str, default: int | None = 0) -> Parameter:
    return Parameter(name, key, *_STATE, "state", default)


@dataclass(frozen=True, eq=False)
class Neuron:
    """A population of ``size`` neurons of one neuron model.

    Every parameter is an int64 array (size,); a scalar applies to all neurons.

    Raises
    ------
    InputError
        A parameter has another length, is not whole, or leaves its range.
    """

    size: int

    TYPE: ClassVar[str] = ""
    """The neuron's name in a ``.net`` file."""
    PARAMETERS: ClassVar[tuple[Parameter, ...]] = ()
    STATES: ClassVar[tuple[str, ...]] = ()
    """Names of the states, as a trace records them after each step."""
    SPIKING: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 1 <= self.size <= NEURON_COUNT_MAX:
            raise InputError(f"{self.TYPE}: size {self.size} is outside 1..{NEURON_COUNT_MAX}")
        for parameter in self.PARAMETERS:
            where = f"{self.TYPE} neuron, {parameter.key}"
            values = whole(getattr(self, parameter.name), where)
            if values.shape not in {(), (1,), (self.size,)}:
                raise InputError(f"{where}: shape {values.shape}, needs a scalar or ({self.size},)")
            values = np.broadcast_to(values.reshape(-1), (self.size,))
            in_range(values, parameter.low, parameter.high, where)
            object.__setattr__(self, parameter.name, frozen(values))


@dataclass(frozen=True, eq=False)
class CubaLIF(Neuron):
    """Loihi's current-based LIF with hard reset, exactly Lava's ``PyLifModelBitAcc``.

    ::

        u = wrap24(rtz(u (4096 - i_decay), 12) + (a << 6))
        v = sat(rtz(v (4096 - v_decay), 12) + u + bias)
        s = v > (v_threshold << 6);   v = 0 where s

    ``v_threshold`` is a mantissa, ``bias`` is in state units.
    """

    i_decay: IntArray
    v_decay: IntArray
    v_threshold: IntArray
    bias: IntArray = 0  # type: ignore[assignment]
    u_init: IntArray = 0  # type: ignore[assignment]
    v_init: IntArray = 0  # type: ignore[assignment]

    TYPE: ClassVar[str] = "CUBA"
    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        _decay("i_decay", "iDecay"),
        _decay("v_decay", "vDecay"),
        Parameter("v_threshold", "vThMant", 0, grid.THRESHOLD_MANTISSA_NEVER, "64 states"),
        _state("bias", "bias"),
        _state("u_init", "uInit"),
        _state("v_init", "vInit"),
    )
    STATES: ClassVar[tuple[str, ...]] = ("u", "v")


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

    v_decay: IntArray
    b_decay: IntArray
    v_threshold: IntArray
    b_step: IntArray
    b_exp: IntArray
    bias: IntArray = 0  # type: ignore[assignment]
    v_init: IntArray = 0  # type: ignore[assignment]
    d_init: IntArray = 0  # type: ignore[assignment]

    TYPE: ClassVar[str] = "SRNN_ALIF"
    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        _decay("v_decay", "vDecay", low=1),
        _decay("b_decay", "bDecay", low=1),
        Parameter("v_threshold", "vTh", 0, grid.STATE_MAX, "state"),
        Parameter("b_step", "bStep", 0, grid.STATE_MAX, "state / 2^bExp"),
        Parameter("b_exp", "bExp", 0, grid.ADAPTATION_EXP_MAX, "bits"),
        _state("bias", "bias"),
        _state("v_init", "vInit"),
        Parameter("d_init", "dInit", 0, grid.STATE_MAX, "state / 2^bExp", 0),
    )
    STATES: ClassVar[tuple[str, ...]] = ("d", "v")


@dataclass(frozen=True, eq=False)
class LeakyIntegrator(Neuron):
    """The leaky-integrator readout: ``v = sat(rtz(v (4096 - v_decay), 12) + (a << 6) + bias)``."""

    v_decay: IntArray
    bias: IntArray = 0  # type: ignore[assignment]
    v_init: IntArray = 0  # type: ignore[assignment]

    TYPE: ClassVar[str] = "SRNN_LI"
    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        _decay("v_decay", "vDecay", low=1),
        _state("bias", "bias"),
        _state("v_init", "vInit"),
    )
    STATES: ClassVar[tuple[str, ...]] = ("v",)
    SPIKING: ClassVar[bool] = False


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

    i_decay: IntArray
    v_decay: IntArray
    th_decay: IntArray
    r_decay: IntArray
    th_init: IntArray
    th_step: IntArray
    bias: IntArray = 0  # type: ignore[assignment]

    TYPE: ClassVar[str] = "ATRLIF"
    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("i_decay", "iDecay", 1, grid.DECAY_ONE + 1, "1/4096 of the state per step"),
        _decay("v_decay", "vDecay"),
        _decay("th_decay", "thDecay"),
        _decay("r_decay", "refDecay"),
        Parameter("th_init", "thInit", 0, grid.STATE_MAX, "state"),
        Parameter("th_step", "thStep", 0, grid.STATE_MAX, "state"),
        _state("bias", "bias"),
    )
    STATES: ClassVar[tuple[str, ...]] = ("i", "v", "th", "r")


NEURONS: dict[str, type[Neuron]] = {
    record.TYPE: record
    for record in (CubaLIF, AdaptiveLIF, LeakyIntegrator, ThresholdRefractoryLIF)
}
"""The neuron models by their name in a file; every stage has a table with these keys."""
