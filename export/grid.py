"""The integer grid of docs/FIXED_POINT.md: ranges, rounding and decay codes.

Everything that rounds a real number to a chip integer, or truncates one, is defined here once;
training on the grid, the exporter, the simulator and the tests import it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

DECAY_BITS = 12
DECAY_ONE = 1 << DECAY_BITS
"""The decay code that clears the whole state in one step."""

STATE_BITS = 24
STATE_MAX = (1 << (STATE_BITS - 1)) - 1
"""Largest magnitude of a saturating state: 2^23 - 1."""

STATE_SHIFT = 6
"""Synaptic sums and threshold mantissas enter the state shifted left by this many bits."""

STATE_ONE = 1 << STATE_SHIFT

WEIGHT_MIN, WEIGHT_MAX = -256, 254
"""Range of the even weights of a matrix with both signs (8 bits with the sign)."""

WEIGHT_BITS_MIN, WEIGHT_BITS_MAX = 3, 8
"""Bits of a weight, including its sign."""

WEIGHT_MAX_ONE_SIGN = 255
WEIGHT_EXP_MIN, WEIGHT_EXP_MAX = -8, 7
ADAPTATION_EXP_MAX = 15
DELAY_MAX = 62
THRESHOLD_MANTISSA_NEVER = (1 << 18) - 1
"""Threshold mantissa that no 24-bit membrane reaches: a CUBA neuron that never spikes."""

MESSAGE_BITS_MAX = 24

SUM_MAX = 1 << 56
"""Largest magnitude that synapses may deliver: shifted by 6 and added to states it fits 64 bits."""


def rtz(x: Any, bits: int = DECAY_BITS) -> Any:
    """Shift right by ``bits`` and truncate toward zero: ``sign(x) * (|x| >> bits)``."""
    return np.sign(x) * (np.abs(x) >> bits)


def sat(x: Any) -> Any:
    """Saturate to 24 bits: clip to [-(2^23 - 1), 2^23 - 1]."""
    return np.clip(x, -STATE_MAX, STATE_MAX)


def wrap24(x: Any) -> Any:
    """Wrap once at 24 bits as Lava does: +2^23 stays, -2^23 becomes +2^23.

    Source: ``PyLifModelBitAcc.subthr_dynamics`` of lava-nc 0.10.0.
    """
    half, full = 1 << (STATE_BITS - 1), 1 << STATE_BITS
    return np.where(x > half, x - full, np.where(x <= -half, x + full, x))


def decay_code(factor: npt.ArrayLike) -> IntArray:
    """Return the 12-bit code of a decay factor in [0, 1): ``round(4096 (1 - factor))``, 1 to 4096.

    Ties round to even. The smallest code is 1, since code 0 would not decay.
    """
    code = np.rint(DECAY_ONE * (1.0 - np.asarray(factor, dtype=np.float64)))
    return np.clip(code, 1, DECAY_ONE).astype(np.int64)


def decay_factor(code: npt.ArrayLike) -> FloatArray:
    """Return the factor of a code: ``1 - code / 4096``."""
    return 1.0 - np.asarray(code, dtype=np.float64) / DECAY_ONE


def round_int(x: npt.ArrayLike) -> IntArray:
    """Round to the nearest integer, ties to even."""
    return np.rint(np.asarray(x, dtype=np.float64)).astype(np.int64)


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
