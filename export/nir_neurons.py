"""NIR neurons as srnn's float neurons (docs/NIR.md).

NIR's equations are continuous. They are discretised by one forward Euler step per time step ``dt``,
with the spike and the reset at its end, as in every importer of NIR::

    i <- i + dt / tau_syn (w_in S - i)            CubaLIF, CubaLI
    v <- v + dt / tau (v_leak - v + r I)          I = i if there is one
    s = [v > v_threshold];  v <- v_reset where s

so a decay factor is ``1 - dt / tau``; or, on request, ``exp(-dt / tau)``, with
``1 - exp(-dt / tau)`` instead of ``dt / tau``: the exact solution for inputs that are constant
within a step, as in sinabs and Rockpool. srnn's neurons start from 0, which represents v_reset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..neurons.cuba_lif import TAU_SYN_NONE, THRESHOLD_NEVER
from ..neurons.real import TAU_MAX, TAU_MIN
from .config import Delay, LayerConfig
from .errors import InputError, index_list
from .grid import DELAY_MAX, FloatArray
from .nir_graph import Population
from .suggest import check_known, unknown

RESETS = ("zero", "subtract")
SYNAPSES = ("euler", "jump")
DECAYS = ("euler", "exp")


@dataclass(frozen=True)
class Reading:
    """How to interpret what a file does not specify.

    ``dt``: seconds per step. ``reset``: for nodes that do not specify it; ``zero``, NIR's
    definition, to v_reset in the step of the spike; ``subtract``, the threshold is subtracted one
    step later. ``synapse``: ``euler`` as above, or ``jump``, the current jumps by ``w_in S``
    (Norse's LIFCell). ``decay``: ``euler``, a decay factor of ``1 - dt / tau``, or ``exp``,
    ``exp(-dt / tau)``. ``settled_bias``: whether a constant that passes the filter of a current has
    its final value from the first step on.
    """

    dt: float
    reset: str = "zero"
    synapse: str = "euler"
    settled_bias: bool = False
    decay: str = "euler"

    def __post_init__(self) -> None:
        if not 0 < self.dt < np.inf:
            raise InputError(f"dt {self.dt} is not a number of seconds above 0")
        check_known("reset", self.reset, RESETS)
        check_known("synapse", self.synapse, SYNAPSES)
        check_known("decay", self.decay, DECAYS)

    def rate(self, tau: FloatArray) -> FloatArray:
        """Return 1 minus the decay factor of time constants in seconds."""
        ratio = self.dt / tau
        return -np.expm1(-ratio) if self.decay == "exp" else np.minimum(ratio, 1.0)


class UnfitNeuronError(Exception):
    """A neuron node that no float neuron can represent, with all ``reasons``."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def float_layer(
    population: Population, reading: Reading
) -> tuple[LayerConfig, dict[str, FloatArray]]:
    """Return the layer of a population and its weights by the names of a ``model.pt``.

    Raises
    ------
    UnfitNeuronError
        srnn has no such neuron; the message holds all reasons.
    """
    values = _values(population)
    reset = _reset(population, reading)
    soft = population.kind in {"LIF", "CubaLIF"} and reset == "subtract"
    filtered = population.kind in {"CubaLIF", "CubaLI"}
    reasons = _obstacles(population, values, reading, soft)
    if reasons:
        raise UnfitNeuronError(reasons)
    rate = reading.rate(values["tau"])
    found: dict[str, FloatArray] = {"tau_mem": _steps(rate)}
    if population.kind == "LI" or soft:
        # The float neuron multiplies by 1 - alpha, with the alpha of its stored tau.
        gain = rate / -np.expm1(-1.0 / found["tau_mem"].astype(np.float32).astype(np.float64))
        bias = gain * (values["v_leak"] + values["r"] * population.constant)
        gain = gain * values["r"]
        neuron = "lif" if soft else "li"
    else:
        gain, bias = rate * values["r"], rate * (values["v_leak"] - values["v_reset"])
        neuron = "cuba_lif"
        found["tau_syn"] = np.full(population.size, TAU_SYN_NONE)
        settled = np.ones(population.size)
        if filtered:
            rate_syn = reading.rate(values["tau_syn"])
            found["tau_syn"] = np.maximum(_steps(rate_syn), TAU_SYN_NONE)
            jump = 1.0 if reading.synapse == "jump" else rate_syn
            gain, settled = gain * values["w_in"] * jump, 1.0 / rate_syn
        bias = bias + gain * settled * population.constant
    if neuron != "li":
        never = population.kind == "CubaLI"
        found["threshold"] = (
            np.full(population.size, THRESHOLD_NEVER)
            if never
            else values["v_threshold"] - values["v_reset"]
        )
    found["weight"], found["bias"] = gain[:, None] * population.weight, bias
    if population.recurrent_weight is not None:
        found["weight_rec"] = gain[:, None] * population.recurrent_weight
    spread = {}
    for name, late in (("delay", population.delay), ("delay_rec", population.delay_rec)):
        steps = np.round(late / reading.dt)
        if steps.any():
            found[name] = steps
            spread[name] = Delay(int(steps.min()), int(steps.max()))
    config = LayerConfig(neuron, population.size, population.recurrent_weight is not None, **spread)
    return config, found


def _values(population: Population) -> dict[str, FloatArray]:
    """Return a node's parameters, (n,) each, with neutral values for those that it lacks."""
    node, n = population.node, population.size
    names = {"tau": "tau_mem" if population.kind.startswith("Cuba") else "tau"}
    names |= {name: name for name in ("tau_syn", "r", "w_in", "v_leak", "v_threshold", "v_reset")}
    given = {name: getattr(node, own) for name, own in names.items() if hasattr(node, own)}
    given.setdefault("v_reset", 0.0)
    return {
        name: np.broadcast_to(np.asarray(value, dtype=np.float64).reshape(-1), (n,))
        for name, value in given.items()
    }


def _reset(population: Population, reading: Reading) -> str:
    said = population.node.metadata.get("reset", reading.reset)
    return said if isinstance(said, str) else repr(said)


def _steps(rate: FloatArray) -> FloatArray:
    """Return tau in steps such that exp(-1 / tau) = 1 - rate; 0 where rate is 1."""
    with np.errstate(divide="ignore"):
        return -1.0 / np.log1p(-rate)


def _obstacles(
    population: Population, values: dict[str, FloatArray], reading: Reading, soft: bool
) -> list[str]:
    reasons = []
    for name, numbers in values.items():
        bad = np.flatnonzero(~np.isfinite(numbers))
        if bad.size:
            reasons.append(f"{name} of neurons {index_list(bad.tolist())} is not a finite number")
    if reasons:
        return reasons
    for late in (population.delay, population.delay_rec):
        reasons += _wrong_delay(late, reading.dt)
    reset = _reset(population, reading)
    if reset not in RESETS:
        reasons.append(unknown("reset", reset[:40], RESETS, "metadata"))
    reasons += _wrong_tau("tau", values["tau"], reading, TAU_MIN)
    if "tau_syn" in values:
        reasons += _wrong_tau("tau_syn", values["tau_syn"], reading, 0.0)
        filtered = (values["tau_syn"] > reading.dt * (1 + 1e-6)) & (population.constant != 0)
        if filtered.any() and not reading.settled_bias:
            reasons.append(
                "a bias passes the filter of the current, srnn adds it after the filter; "
                "--settled-bias gives it its final value from the first step on"
            )
        if soft:
            reasons.append(
                "srnn has no neuron with both a filtered current and a reset by subtraction; "
                "train with reset to zero"
            )
    if "v_threshold" in values:
        if soft and np.any(values["v_reset"] != 0):
            reasons.append("v_reset is not 0 where the reset subtracts the threshold")
        bad = np.flatnonzero(values["v_threshold"] < values["v_reset"])
        if bad.size:
            reasons.append(f"v_threshold of neurons {index_list(bad.tolist())} is below v_reset")
    return reasons


def _wrong_delay(late: FloatArray, dt: float) -> list[str]:
    """Return why delays in seconds are not steps that a chip can represent."""
    steps = late / dt
    bad = np.flatnonzero((np.abs(steps - np.round(steps)) > 1e-4) | (steps > DELAY_MAX + 0.5))
    if not bad.size:
        return []
    return [
        f"the delay of neurons {index_list(bad.tolist())} is {late[bad[0]]:g} s, "
        f"{steps[bad[0]]:g} steps of dt {dt:g} s, which is not a whole number from 0 to {DELAY_MAX}"
    ]


def _wrong_tau(name: str, tau: FloatArray, reading: Reading, least: float) -> list[str]:
    """Return why a decay factor is invalid, or has no time constant in steps."""
    dt = reading.dt
    short = (tau < dt * (1 - 1e-6)) & (reading.decay == "euler")
    bad = np.flatnonzero(short | (tau <= 0))
    if bad.size:
        return [
            f"{name} of neurons {index_list(bad.tolist())} is {tau[bad[0]]:g} s, below "
            + (f"dt {dt:g} s" if short.any() else "or at 0")
        ]
    rate = reading.rate(tau)
    steps = _steps(rate)
    bad = np.flatnonzero((steps < least * (1 - 1e-6)) | (steps > TAU_MAX * (1 + 1e-6)))
    if not bad.size:
        return []
    return [
        f"{name} of neurons {index_list(bad.tolist())} is {tau[bad[0]]:g} s, a decay factor of "
        f"{1 - rate[bad[0]]:g} per step, outside {np.exp(-1 / least) if least else 0:.4g}.."
        f"{np.exp(-1 / TAU_MAX):.6g}"
    ]
