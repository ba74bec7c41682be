"""A second reading of docs/FIXED_POINT.md, by hand: the steps of all neurons in plain NumPy.

``neurons/`` is where the package has them once, and everything is derived from there; so that an
error there cannot hide in all of them, they stand here again, without anything of the package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
State = dict[str, IntArray]


def rtz(x: IntArray, bits: int = 12) -> IntArray:
    """Divide by a power of two and drop the fraction, whatever the sign."""
    whole = np.abs(x) // 2**bits
    return np.where(x < 0, -whole, whole)


def sat(x: IntArray) -> IntArray:
    """Limit to 24 bits, without the lowest number."""
    return np.minimum(np.maximum(x, -8388607), 8388607)


def wrap24(x: IntArray) -> IntArray:
    """Add or subtract 2^24 once; 2^23 stays and -2^23 becomes 2^23."""
    x = np.where(x > 8388608, x - 16777216, x)
    return np.where(x <= -8388608, x + 16777216, x)


def cuba_lif(p: Any, state: State, a: IntArray, _spiked: IntArray) -> tuple[State, IntArray]:
    """One step of ``CubaLIF``."""
    u = wrap24(rtz(state["u"] * (4096 - p.i_decay)) + 64 * a)
    v = sat(rtz(state["v"] * (4096 - p.v_decay)) + u + p.bias)
    spikes = v > (p.v_threshold * 64)
    return {"u": u, "v": np.where(spikes, 0, v)}, spikes


def adaptive_lif(p: Any, state: State, a: IntArray, spiked: IntArray) -> tuple[State, IntArray]:
    """One step of ``AdaptiveLIF``; ``spiked`` are the spikes of the step before."""
    d = sat(rtz(state["d"] * (4096 - p.b_decay)) + p.b_step * spiked)
    threshold = p.v_threshold + d // 2**p.b_exp
    leaked = rtz(state["v"] * (4096 - p.v_decay))
    v = sat(leaked + 64 * a + p.bias - threshold * spiked)
    return {"d": d, "v": v}, v > threshold


def leaky_integrator(
    p: Any, state: State, a: IntArray, _spiked: IntArray
) -> tuple[State, IntArray]:
    """One step of ``LeakyIntegrator``; it never spikes."""
    v = sat(rtz(state["v"] * (4096 - p.v_decay)) + 64 * a + p.bias)
    return {"v": v}, np.zeros_like(v)


def threshold_refractory_lif(
    p: Any, state: State, a: IntArray, _spiked: IntArray
) -> tuple[State, IntArray]:
    """One step of ``ThresholdRefractoryLIF``."""
    i = wrap24(rtz(state["i"] * (4096 - p.i_decay)) + 64 * a)
    v = sat(rtz(state["v"] * (4096 - p.v_decay)) + i + p.bias)
    th = rtz((state["th"] - p.th_init) * (4096 - p.th_decay)) + p.th_init
    r = rtz(state["r"] * (4096 - p.r_decay))
    spikes = v - r >= th
    state = {"i": i, "v": v, "th": th + p.th_step * spikes, "r": r + 2 * th * spikes}
    return state, spikes


def adaptive_current_lif(
    p: Any, state: State, a: IntArray, _spiked: IntArray
) -> tuple[State, IntArray]:
    """One step of ``AdaptiveCurrentLIF``."""
    v = sat(
        rtz(state["v"] * (4096 - p.v_decay)) + 64 * a + p.bias - np.floor_divide(state["w"], 16)
    )
    spikes = v > p.v_threshold
    v = v * ~spikes
    w = sat(rtz(state["w"] * (4096 - p.w_decay)) + rtz(v * p.a_gain, 16) + p.w_step * spikes)
    return {"w": w, "v": v}, spikes


def resonate_fire(p: Any, state: State, a: IntArray, _spiked: IntArray) -> tuple[State, IntArray]:
    """One step of ``ResonateFire``."""
    v, x, q = state["v"], state["x"], state["q"]
    k = p.keep - rtz(q * p.q_gain, 19)
    after = {
        "v": sat(rtz(v * k, 16) - rtz(x * p.turn, 16) + 64 * a + p.bias),
        "x": sat(rtz(v * p.turn, 16) + rtz(x * k, 16)),
    }
    spikes = after["v"] > p.v_threshold + rtz(q * p.v_threshold, 19)
    after["q"] = sat(rtz(q * (4096 - p.q_decay)) + 524288 * spikes)
    return after, spikes


STEPS: dict[str, Callable[[Any, State, IntArray, IntArray], tuple[State, IntArray]]] = {
    "CUBA": cuba_lif,
    "SRNN_ALIF": adaptive_lif,
    "SRNN_LI": leaky_integrator,
    "ATRLIF": threshold_refractory_lif,
    "SRNN_ADLIF": adaptive_current_lif,
    "SRNN_BRF": resonate_fire,
}
"""The steps by the neuron's name in a file: ``(parameters, states, sums, spikes before)``."""
