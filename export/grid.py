"""The integer grid of docs/FIXED_POINT.md: ranges, rounding and decay codes.

What concerns states is defined in ``neurons/grid.py``, what concerns weights here; training on the
grid, the exporter, the simulator and the tests import it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..neurons.grid import (
    ADAPTATION_EXP_MAX,
    DECAY_BITS,
    DECAY_ONE,
    STATE_BITS,
    STATE_MAX,
    STATE_ONE,
    STATE_SHIFT,
    THRESHOLD_MANTISSA_NEVER,
    FloatArray,
    IntArray,
    decay_code,
    decay_factor,
    round_int,
    rtz,
    sat,
    wrap24,
)

__all__ = [
    "ADAPTATION_EXP_MAX",
    "DECAY_BITS",
    "DECAY_ONE",
    "DELAY_MAX",
    "MESSAGE_BITS_MAX",
    "STATE_BITS",
    "STATE_MAX",
    "STATE_ONE",
    "STATE_SHIFT",
    "SUM_MAX",
    "THRESHOLD_MANTISSA_NEVER",
    "WEIGHT_BITS_MAX",
    "WEIGHT_BITS_MIN",
    "WEIGHT_EXP_MAX",
    "WEIGHT_EXP_MIN",
    "WEIGHT_MAX",
    "WEIGHT_MAX_ONE_SIGN",
    "WEIGHT_MIN",
    "FloatArray",
    "IntArray",
    "decay_code",
    "decay_factor",
    "even_weights",
    "hardware_weights",
    "round_int",
    "rtz",
    "sat",
    "weight_max",
    "weight_step",
    "wrap24",
]

WEIGHT_MIN, WEIGHT_MAX = -256, 254
"""Range of the even weights of a matrix with both signs (8 bits with the sign)."""

WEIGHT_BITS_MIN, WEIGHT_BITS_MAX = 3, 8
"""Bits of a weight, including its sign."""

WEIGHT_MAX_ONE_SIGN = 255
WEIGHT_EXP_MIN, WEIGHT_EXP_MAX = -8, 7
DELAY_MAX = 62
MESSAGE_BITS_MAX = 24

SUM_MAX = 1 << 56
"""Largest magnitude that synapses may deliver: shifted by 6 and added to states it fits 64 bits."""


def weight_step(bits: int) -> int:
    """Return the spacing of the weights of a matrix with both signs, for a bit width: 2 at 8."""
    return 1 << (WEIGHT_BITS_MAX + 1 - bits)


def weight_max(bits: int) -> int:
    """Return the largest weight of a matrix with both signs, for a bit width: 254 at 8."""
    return -WEIGHT_MIN - weight_step(bits)


def even_weights(
    weight: npt.ArrayLike, unit: npt.ArrayLike, bits: int = WEIGHT_BITS_MAX
) -> IntArray:
    """Round real weights (n_out, n_in) to the grid of ``bits``, in units of ``unit`` (n_out, 1).

    At 8 bits these are the even integers in [-256, 254], which Loihi can hold for a matrix with
    both signs, and which are also exact for a matrix of one sign; each bit less doubles the
    spacing.
    """
    ratio = np.asarray(weight, dtype=np.float64) / np.asarray(unit, dtype=np.float64)
    step = weight_step(bits)
    return np.clip(step * round_int(ratio / step), WEIGHT_MIN, weight_max(bits))


def hardware_weights(weight: npt.ArrayLike, num_weight_bits: int = 8) -> IntArray:
    """Return the weights that Lava's fixed-point ``Dense`` uses for a matrix (n_out, n_in).

    One common sign: clipped to 8 bits, low bits beyond ``num_weight_bits`` cleared. Both signs: one
    bit goes to the sign, hence even values at 8 bits. Source: ``lava.utils.weightutils`` of 0.10.0.
    """
    values = np.asarray(weight).astype(np.int64)
    excitatory = bool(values.min(initial=0) >= 0)
    inhibitory = not excitatory and bool(values.max(initial=0) <= 0)
    mixed = not (excitatory or inhibitory)
    if inhibitory:
        values = -values
    values = np.clip(values, WEIGHT_MIN if mixed else 0, WEIGHT_MAX_ONE_SIGN)
    dropped = 8 - num_weight_bits + (1 if mixed else 0)
    values = (values >> dropped) << dropped
    return -values if inhibitory else values
