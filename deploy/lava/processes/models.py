"""Behavior of the neuron processes on a CPU: fixed-point models and floating-point ones.

The fixed-point models are written from docs/FIXED_POINT.md, not from the simulator: the
conformance tests show that two independent readings of it give the same bits. States are int32
as in Lava's own models; products are computed in 64 bits, since a 24-bit state times a 12-bit
factor does not fit 32.
"""

# Lava's models annotate members with the types the builder assigns, and assign its type record.
# pyright: reportAssignmentType=false

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

# Absolute, because Lava executes this file outside of its package when it looks for models.
from srnn.deploy.lava.processes.process import (  # pyright: ignore[reportMissingImports]
    AdaptiveLIF,
    CubaLIF,
    LeakyIntegrator,
    ThresholdRefractoryLIF,
)

DECAY_BITS = 12
DECAY_UNITY = 1 << DECAY_BITS
STATE_MAX = (1 << 23) - 1
STATE_MODULUS = 1 << 24
ACT_SHIFT = 6


def decayed(state, decay):
    """Multiply by ``(4096 - decay) / 4096`` in 64 bits and truncate toward zero."""
    product = np.int64(state) * (DECAY_UNITY - np.int64(decay))
    return np.sign(product) * np.right_shift(np.abs(product), DECAY_BITS)


def saturated(state):
    """Clip to 24 bits."""
    return np.clip(state, -STATE_MAX, STATE_MAX)


def wrapped(current):
    """Wrap once at 24 bits: 2^23 stays and -2^23 becomes 2^23, as in Lava's LIF."""
    half = STATE_MODULUS // 2
    current = np.where(current <= -half, current + STATE_MODULUS, current)
    return np.where(current > half, current - STATE_MODULUS, current)


class AbstractWakingModel(PyLoihiProcessModel):
    """A neuron model that sleeps until ``start`` and then integrates its input every step."""

    a_in: Any = None
    s_out: Any = None

    def __init__(self, proc_params: Any):
        super().__init__(proc_params)
        self.first_step = proc_params["start"]

    def integrate(self, a_in):  # noqa: ARG002
        """Update the states by one step and return the spikes, or None without an output port."""
        raise TypeError(f"{type(self).__name__} is not a neuron model")

    def run_spk(self):
        """Receive, integrate once awake, and send."""
        a_in = self.a_in.recv()
        awake = self.time_step >= self.first_step
        spikes = self.integrate(a_in) if awake else np.zeros_like(a_in)
        if self.s_out is not None:
            self.s_out.send(spikes)


@implements(proc=AdaptiveLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyAdaptiveLIFModelFixed(AbstractWakingModel):
    """``SRNN_ALIF`` in integers."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)
    v_decay: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=13)
    b_decay: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=13)
    v_threshold: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    b_step: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    b_exp: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=4)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    d: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    s: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=1)

    def integrate(self, a_in):
        """Adaptation, threshold, membrane with the reset of the spike before, spike."""
        spiked = self.s != 0
        rise = np.where(spiked, self.b_step, 0)
        self.d[:] = saturated(decayed(self.d, self.b_decay) + rise)
        threshold = self.v_threshold + np.right_shift(self.d, self.b_exp)
        drive = np.left_shift(np.int64(a_in), ACT_SHIFT) + self.bias
        drop = np.where(spiked, threshold, 0)
        self.v[:] = saturated(decayed(self.v, self.v_decay) + drive - drop)
        self.s[:] = self.v > threshold
        return self.s


@implements(proc=AdaptiveLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PyAdaptiveLIFModelFloat(AbstractWakingModel):
    """The paper's equations in double precision."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    v_decay: np.ndarray = LavaPyType(np.ndarray, float)
    b_decay: np.ndarray = LavaPyType(np.ndarray, float)
    v_threshold: np.ndarray = LavaPyType(np.ndarray, float)
    b_step: np.ndarray = LavaPyType(np.ndarray, float)
    b_exp: np.ndarray = LavaPyType(np.ndarray, float)
    bias: np.ndarray = LavaPyType(np.ndarray, float)
    v: np.ndarray = LavaPyType(np.ndarray, float)
    d: np.ndarray = LavaPyType(np.ndarray, float)
    s: np.ndarray = LavaPyType(np.ndarray, float)

    def integrate(self, a_in):
        """Adaptation, threshold, membrane with the reset of the spike before, spike."""
        self.d[:] = (1 - self.b_decay) * self.d + self.b_step * self.s
        threshold = self.v_threshold + self.d
        drive = self.v_decay * (a_in + self.bias)
        self.v[:] = (1 - self.v_decay) * self.v + drive - threshold * self.s
        self.s[:] = self.v > threshold
        return self.s


@implements(proc=LeakyIntegrator, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyLeakyIntegratorModelFixed(AbstractWakingModel):
    """``SRNN_LI`` in integers."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    v_decay: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=13)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)

    def integrate(self, a_in):
        """Membrane."""
        drive = np.left_shift(np.int64(a_in), ACT_SHIFT) + self.bias
        self.v[:] = saturated(decayed(self.v, self.v_decay) + drive)


@implements(proc=LeakyIntegrator, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PyLeakyIntegratorModelFloat(AbstractWakingModel):
    """The leaky integrator in double precision."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    v_decay: np.ndarray = LavaPyType(np.ndarray, float)
    bias: np.ndarray = LavaPyType(np.ndarray, float)
    v: np.ndarray = LavaPyType(np.ndarray, float)

    def integrate(self, a_in):
        """Membrane."""
        self.v[:] = (1 - self.v_decay) * self.v + self.v_decay * (a_in + self.bias)


@implements(proc=CubaLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyCubaLIFModelFixed(AbstractWakingModel):
    """``CUBA`` in integers."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)
    i_decay: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=13)
    v_decay: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=13)
    v_threshold: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=18)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    u: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)

    def integrate(self, a_in):
        """Current, membrane, spike, hard reset."""
        drive = np.left_shift(np.int64(a_in), ACT_SHIFT)
        self.u[:] = wrapped(decayed(self.u, self.i_decay) + drive)
        self.v[:] = saturated(decayed(self.v, self.v_decay) + self.u + self.bias)
        spikes = self.v > np.left_shift(self.v_threshold, ACT_SHIFT)
        self.v[spikes] = 0
        return spikes


@implements(proc=CubaLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PyCubaLIFModelFloat(AbstractWakingModel):
    """The current-based LIF in double precision."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    i_decay: np.ndarray = LavaPyType(np.ndarray, float)
    v_decay: np.ndarray = LavaPyType(np.ndarray, float)
    v_threshold: np.ndarray = LavaPyType(np.ndarray, float)
    bias: np.ndarray = LavaPyType(np.ndarray, float)
    u: np.ndarray = LavaPyType(np.ndarray, float)
    v: np.ndarray = LavaPyType(np.ndarray, float)

    def integrate(self, a_in):
        """Current, membrane, spike, hard reset."""
        self.u[:] = (1 - self.i_decay) * self.u + a_in
        self.v[:] = (1 - self.v_decay) * self.v + self.u + self.bias
        spikes = self.v > self.v_threshold
        self.v[spikes] = 0
        return spikes


@implements(proc=ThresholdRefractoryLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyThresholdRefractoryLIFModelFixed(AbstractWakingModel):
    """``ATRLIF`` in integers."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)
    i_decay: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=13)
    v_decay: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=13)
    th_decay: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=13)
    r_decay: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=13)
    th_init: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    th_step: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    i: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    th: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=32)
    r: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=32)

    def integrate(self, a_in):
        """Current, membrane, threshold, refractory variable, spike and its two jumps."""
        drive = np.left_shift(np.int64(a_in), ACT_SHIFT)
        self.i[:] = wrapped(decayed(self.i, self.i_decay) + drive)
        self.v[:] = saturated(decayed(self.v, self.v_decay) + self.i + self.bias)
        above_rest = np.int64(self.th) - self.th_init
        threshold = decayed(above_rest, self.th_decay) + self.th_init
        refractory = decayed(self.r, self.r_decay)
        spikes = self.v - refractory >= threshold
        self.r[:] = refractory + np.where(spikes, 2 * threshold, 0)
        self.th[:] = threshold + np.where(spikes, self.th_step, 0)
        return spikes


@implements(proc=ThresholdRefractoryLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PyThresholdRefractoryLIFModelFloat(AbstractWakingModel):
    """Lava's ATRLIF in double precision."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    i_decay: np.ndarray = LavaPyType(np.ndarray, float)
    v_decay: np.ndarray = LavaPyType(np.ndarray, float)
    th_decay: np.ndarray = LavaPyType(np.ndarray, float)
    r_decay: np.ndarray = LavaPyType(np.ndarray, float)
    th_init: np.ndarray = LavaPyType(np.ndarray, float)
    th_step: np.ndarray = LavaPyType(np.ndarray, float)
    bias: np.ndarray = LavaPyType(np.ndarray, float)
    i: np.ndarray = LavaPyType(np.ndarray, float)
    v: np.ndarray = LavaPyType(np.ndarray, float)
    th: np.ndarray = LavaPyType(np.ndarray, float)
    r: np.ndarray = LavaPyType(np.ndarray, float)

    def integrate(self, a_in):
        """Current, membrane, threshold, refractory variable, spike and its two jumps."""
        self.i[:] = (1 - self.i_decay) * self.i + a_in
        self.v[:] = (1 - self.v_decay) * self.v + self.i + self.bias
        self.th[:] = (1 - self.th_decay) * (self.th - self.th_init) + self.th_init
        self.r[:] = (1 - self.r_decay) * self.r
        spikes = self.v - self.r >= self.th
        self.r[spikes] += 2 * self.th[spikes]
        self.th[spikes] += self.th_step[spikes]
        return spikes
