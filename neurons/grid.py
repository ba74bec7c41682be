"""The integer contract of docs/FIXED_POINT.md: ranges, rounding and decay codes of states.

Everything that rounds a real number to a chip integer, or truncates one, is defined here and in
``export/grid.py`` once; training on the grid, the exporter, the simulator and the tests import it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .expression import operation

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

ADAPTATION_EXP_MAX = 15
THRESHOLD_MANTISSA_NEVER = (1 << 18) - 1
"""Threshold mantissa that no 24-bit membrane reaches: a CUBA neuron that never spikes."""


@operation
def rtz(x: Any, bits: int = DECAY_BITS) -> Any:
    """Shift right by ``bits`` and truncate toward zero: ``sign(x) * (|x| >> bits)``."""
    return np.sign(x) * (np.abs(x) >> bits)


@operation
def sat(x: Any) -> Any:
    """Saturate to 24 bits: clip to [-(2^23 - 1), 2^23 - 1]."""
    return np.clip(x, -STATE_MAX, STATE_MAX)


@operation
def wrap24(x: Any) -> Any:
    """Wrap once at 24 bits as Lava does: +2^23 stays, -2^23 becomes +2^23.

    Source: ``PyLifModelBitAcc.subthr_dynamics`` of lava-nc 0.10.0.
    """
    half, full = 1 << (STATE_BITS - 1), 1 << STATE_BITS
    return np.where(x > half, x - full, np.where(x <= -half, x + full, x))


@operation
def where(condition: Any, x: Any, y: Any) -> Any:
    """Return ``x`` where a condition holds, ``y`` elsewhere."""
    return np.where(condition, x, y)


def decayed(x: Any, decay: Any) -> Any:
    """Return a state times ``1 - decay / 4096``, truncated: ``rtz(x (4096 - decay), 12)``."""
    return rtz(x * (DECAY_ONE - decay), DECAY_BITS)


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


def rounded(values: FloatArray) -> IntArray:
    """Round to integers; values beyond int64 become one that is outside every range."""
    far = 2.0**40
    return round_int(np.clip(values, -far, far))


def mantissa_bias(bias: FloatArray) -> IntArray:
    """Return a bias in weight units as an even mantissa, in state units: what lava-dl can hold."""
    return 2 * rounded(bias / 2) * STATE_ONE
