"""The integer parameters of each float neuron (docs/FIXED_POINT.md, last section)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import grid
from .config import THRESHOLD_NEVER, LayerConfig
from .grid import FloatArray, IntArray
from .network import AdaptiveLIF, CubaLIF, LeakyIntegrator, Neuron


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """One layer's float weights, inputs already in integer units."""

    name: str
    config: LayerConfig
    weight: FloatArray
    recurrent_weight: FloatArray | None
    bias: FloatArray
    parameters: dict[str, FloatArray]
    delay: IntArray | None = None
    delay_rec: IntArray | None = None


@dataclass(frozen=True, eq=False)
class IntegerNeuron:
    """A record's unchecked parameters, and the real value of a unit of its membrane."""

    record: type[Neuron]
    parameters: dict[str, IntArray]
    state_scale: FloatArray

    def out_of_range(self) -> npt.NDArray[np.bool_]:
        """Return which neurons (n,) have a parameter beyond its limit."""
        mask = np.zeros(self.state_scale.shape, dtype=bool)
        for parameter in self.record.PARAMETERS:
            if parameter.name in self.parameters:
                values = self.parameters[parameter.name]
                mask |= (values < parameter.low) | (values > parameter.high)
        return mask


def _adaptive_lif(layer: FloatLayer, unit: FloatArray, stock: bool) -> IntegerNeuron:
    del stock
    p, n = layer.parameters, layer.config.size
    v_decay = grid.decay_code(np.exp(-1.0 / p["tau_mem"]))
    state_scale = v_decay / grid.DECAY_ONE * unit / grid.STATE_ONE
    if "tau_adp" in p:
        b_decay = grid.decay_code(np.exp(-1.0 / p["tau_adp"]))
        strength = p["adaptation"] / state_scale
    else:
        b_decay, strength = np.ones(n, dtype=np.int64), np.zeros(n)
    b_exp = adaptation_exponent(strength, b_decay, layer.config.initial_adaptation)
    return IntegerNeuron(
        AdaptiveLIF,
        {
            "v_decay": v_decay,
            "b_decay": b_decay,
            "v_threshold": _rounded(p["threshold"] / state_scale),
            "b_step": _rounded(strength * b_decay / grid.DECAY_ONE * 2.0**b_exp),
            "b_exp": b_exp,
            "d_init": _rounded(layer.config.initial_adaptation * strength * 2.0**b_exp),
            "bias": _rounded(grid.STATE_ONE * layer.bias / unit),
        },
        state_scale,
    )


def adaptation_exponent(
    strength: FloatArray, b_decay: IntArray, initial_adaptation: float = 0.0
) -> IntArray:
    """Return the largest bExp (n,) for which d cannot saturate; -1 where there is none.

    A neuron that fires at every step drives d to ``strength 2^bExp``, with ``strength = adaptation
    / state_scale``, plus at most the rounding error of bStep, ``4096 / (2 b_decay)``. A neuron that
    does not adapt gets 0.
    """
    reach = np.maximum(strength * max(1.0, initial_adaptation), 1.0)
    room = grid.STATE_MAX - grid.DECAY_ONE / b_decay
    exponent = np.clip(np.floor(np.log2(room / reach)), -1, grid.ADAPTATION_EXP_MAX)
    return np.where(strength > 0, exponent, 0).astype(np.int64)


def _leaky_integrator(layer: FloatLayer, unit: FloatArray, stock: bool) -> IntegerNeuron:
    v_decay = grid.decay_code(np.exp(-1.0 / layer.parameters["tau_mem"]))
    bias = layer.bias / unit
    return IntegerNeuron(
        LeakyIntegrator,
        {
            "v_decay": v_decay,
            "bias": _mantissa_bias(bias) if stock else _rounded(grid.STATE_ONE * bias),
        },
        v_decay / grid.DECAY_ONE * unit / grid.STATE_ONE,
    )


def _cuba_lif(layer: FloatLayer, unit: FloatArray, stock: bool) -> IntegerNeuron:
    del stock
    p = layer.parameters
    threshold = _rounded(p["threshold"] / unit)
    return IntegerNeuron(
        CubaLIF,
        {
            "i_decay": grid.decay_code(np.exp(-1.0 / p["tau_syn"])),
            "v_decay": grid.decay_code(np.exp(-1.0 / p["tau_mem"])),
            # With a mantissa of 2^17 or more a neuron never spikes; a trained threshold must be
            # reachable.
            "v_threshold": np.where(
                p["threshold"] >= THRESHOLD_NEVER,
                grid.THRESHOLD_MANTISSA_NEVER,
                np.where(threshold < 1 << 17, threshold, grid.STATE_MAX),
            ),
            "bias": _mantissa_bias(layer.bias / unit),
        },
        unit / grid.STATE_ONE,
    )


def _mantissa_bias(bias: FloatArray) -> IntArray:
    return 2 * _rounded(bias / 2) * grid.STATE_ONE


def _rounded(values: FloatArray) -> IntArray:
    """Round to integers; values beyond int64 become one that is outside every range."""
    far = 2.0**40
    return grid.round_int(np.clip(values, -far, far))


INTEGER_NEURONS: dict[str, Callable[[FloatLayer, FloatArray, bool], IntegerNeuron]] = {
    "alif": _adaptive_lif,
    "lif": _adaptive_lif,
    "cuba_lif": _cuba_lif,
    "li": _leaky_integrator,
}
"""Float neurons that have an integer form, by name."""
