"""Structure of the neuron processes: parameters, states and ports; models.py holds the behavior.

Every parameter and state is a ``Var`` with one entry per neuron, so ``Var.get`` reads it back. A
scalar stands for all neurons. ``start`` is the time step at which a process wakes: until then it
holds its initial state and sends no spikes, because layer l receives its first real input at step
l + 1 and neither a bias nor a decay may act before.

Two kinds of models exist. With the tag ``fixed_pt`` parameters are the integers of
docs/FIXED_POINT.md; with ``floating_pt`` they are real numbers and decays are fractions of the
state that are lost each step, as in Lava's own processes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess, LogConfig
from lava.magma.core.process.variable import Var


def _var(shape: tuple[int, ...], name: str, value: npt.ArrayLike) -> Var:
    array = np.asarray(value)
    if array.shape not in {(), (1,), shape}:
        raise ValueError(f"{name}: shape {array.shape}, needs a scalar or {shape}")
    return Var(shape=shape, init=np.broadcast_to(array, shape).copy())


def _check_start(start: int) -> None:
    if start < 1:
        raise ValueError(f"start: {start} is below 1, the first time step")


class AdaptiveLIF(AbstractProcess):
    """Neuron of Yin, Corradi and Bohte: adaptive threshold, soft reset one step late.

    Floating point, with I the input current (arXiv 2103.12593)::

        d = (1 - b_decay) d + b_step s_prev
        B = v_threshold + d
        v = (1 - v_decay) v + v_decay (a_in + bias) - B s_prev
        s = v > B

    so that ``v_decay = 1 - alpha``, ``b_decay = 1 - rho``, ``b_step = beta (1 - rho)`` and ``d`` is
    the paper's ``beta b``. Fixed point: the integers of docs/FIXED_POINT.md, ``SRNN_ALIF``.

    Parameters
    ----------
    shape
        Number and topology of neurons.
    v_decay, b_decay
        Decay of membrane and adaptation: 12-bit codes, or fractions.
    v_threshold, b_step
        Threshold at rest and its rise at a spike, in units of v (b_step: of d).
    b_exp
        Extra fractional bits of d, 0 to 15; fixed point only.
    bias
        Added each step: in units of v (fixed point) or of the input current (floating point).
    v, d
        Initial states.
    start
        Time step of the first real input.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        v_decay: npt.ArrayLike,
        b_decay: npt.ArrayLike,
        v_threshold: npt.ArrayLike,
        b_step: npt.ArrayLike,
        b_exp: npt.ArrayLike = 0,
        bias: npt.ArrayLike = 0,
        v: npt.ArrayLike = 0,
        d: npt.ArrayLike = 0,
        start: int = 1,
        name: str | None = None,
        log_config: LogConfig | None = None,
    ) -> None:
        super().__init__(shape=shape, start=start, name=name, log_config=log_config)
        # Lava stops a process when it is deleted, also one that was refused: base class first.
        _check_start(start)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.v_decay = _var(shape, "v_decay", v_decay)
        self.b_decay = _var(shape, "b_decay", b_decay)
        self.v_threshold = _var(shape, "v_threshold", v_threshold)
        self.b_step = _var(shape, "b_step", b_step)
        self.b_exp = _var(shape, "b_exp", b_exp)
        self.bias = _var(shape, "bias", bias)
        self.v = _var(shape, "v", v)
        self.d = _var(shape, "d", d)
        self.s = _var(shape, "s", 0)


class LeakyIntegrator(AbstractProcess):
    """Leaky-integrator readout; it has no spikes and no output port, ``v`` is read.

    Floating point ``v = (1 - v_decay) v + v_decay (a_in + bias)``; fixed point ``SRNN_LI`` of
    docs/FIXED_POINT.md.

    Parameters
    ----------
    shape
        Number and topology of neurons.
    v_decay
        Decay of the membrane: 12-bit code, or fraction.
    bias
        Added each step: in units of v (fixed point) or of the input current (floating point).
    v
        Initial membrane.
    start
        Time step of the first real input.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        v_decay: npt.ArrayLike,
        bias: npt.ArrayLike = 0,
        v: npt.ArrayLike = 0,
        start: int = 1,
        name: str | None = None,
        log_config: LogConfig | None = None,
    ) -> None:
        super().__init__(shape=shape, start=start, name=name, log_config=log_config)
        # Lava stops a process when it is deleted, also one that was refused: base class first.
        _check_start(start)
        self.a_in = InPort(shape=shape)
        self.v_decay = _var(shape, "v_decay", v_decay)
        self.bias = _var(shape, "bias", bias)
        self.v = _var(shape, "v", v)


class CubaLIF(AbstractProcess):
    """Lava's LIF, with what it lacks: a start, a wide bias, initial states, per-neuron ``Var.get``.

    Floating point::

        u = (1 - i_decay) u + a_in
        v = (1 - v_decay) v + u + bias
        s = v > v_threshold;   v = 0 where s

    Fixed point: ``CUBA`` of docs/FIXED_POINT.md.

    Parameters
    ----------
    shape
        Number and topology of neurons.
    i_decay, v_decay
        Decay of current and membrane: 12-bit codes, or fractions.
    v_threshold
        Fixed point: mantissa, compared as ``v_threshold << 6``.
    bias
        Added to v each step, in units of v.
    u, v
        Initial states.
    start
        Time step of the first real input.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        i_decay: npt.ArrayLike,
        v_decay: npt.ArrayLike,
        v_threshold: npt.ArrayLike,
        bias: npt.ArrayLike = 0,
        u: npt.ArrayLike = 0,
        v: npt.ArrayLike = 0,
        start: int = 1,
        name: str | None = None,
        log_config: LogConfig | None = None,
    ) -> None:
        super().__init__(shape=shape, start=start, name=name, log_config=log_config)
        # Lava stops a process when it is deleted, also one that was refused: base class first.
        _check_start(start)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.i_decay = _var(shape, "i_decay", i_decay)
        self.v_decay = _var(shape, "v_decay", v_decay)
        self.v_threshold = _var(shape, "v_threshold", v_threshold)
        self.bias = _var(shape, "bias", bias)
        self.u = _var(shape, "u", u)
        self.v = _var(shape, "v", v)


class ThresholdRefractoryLIF(AbstractProcess):
    """Lava's ATRLIF, with what it lacks: a start, a threshold step per neuron, a wide bias.

    Floating point::

        i  = (1 - i_decay) i + a_in
        v  = (1 - v_decay) v + i + bias
        th = (1 - th_decay) (th - th_init) + th_init;   r = (1 - r_decay) r
        s  = v - r >= th;   r += 2 th where s;   th += th_step where s

    Fixed point: ``ATRLIF`` of docs/FIXED_POINT.md.

    Parameters
    ----------
    shape
        Number and topology of neurons.
    i_decay, v_decay, th_decay, r_decay
        Decays: 12-bit codes, or fractions.
    th_init, th_step
        Threshold at rest and its rise at a spike, in units of v.
    bias
        Added to v each step, in units of v.
    start
        Time step of the first real input.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        i_decay: npt.ArrayLike,
        v_decay: npt.ArrayLike,
        th_decay: npt.ArrayLike,
        r_decay: npt.ArrayLike,
        th_init: npt.ArrayLike,
        th_step: npt.ArrayLike,
        bias: npt.ArrayLike = 0,
        start: int = 1,
        name: str | None = None,
        log_config: LogConfig | None = None,
    ) -> None:
        super().__init__(shape=shape, start=start, name=name, log_config=log_config)
        # Lava stops a process when it is deleted, also one that was refused: base class first.
        _check_start(start)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.i_decay = _var(shape, "i_decay", i_decay)
        self.v_decay = _var(shape, "v_decay", v_decay)
        self.th_decay = _var(shape, "th_decay", th_decay)
        self.r_decay = _var(shape, "r_decay", r_decay)
        self.th_init = _var(shape, "th_init", th_init)
        self.th_step = _var(shape, "th_step", th_step)
        self.bias = _var(shape, "bias", bias)
        self.i = _var(shape, "i", 0)
        self.v = _var(shape, "v", 0)
        self.th = _var(shape, "th", th_init)
        self.r = _var(shape, "r", 0)
