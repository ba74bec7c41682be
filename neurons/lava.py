"""Lava's own neuron processes: what a neuron says that runs on one, and what Lava's numbers hold.

Sources: ``lava.proc.lif`` and ``lava.proc.atrlif`` of lava-nc 0.10.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .grid import STATE_MAX, STATE_SHIFT, IntArray

INT32_MAX = int(np.iinfo(np.int32).max)
BIAS_MANTISSA_MIN, BIAS_MANTISSA_MAX = -(1 << 12), (1 << 12) - 1
BIAS_EXP_MAX = 7


@dataclass(frozen=True, eq=False)
class Stock:
    """A process of stock Lava that computes the bits of some neurons, and why.

    ``arguments``: all but its shape and, of ``LIFReset``, when it resets: at the layer's first
    input. ``states``: each state's Var.
    """

    process: str
    reason: str
    arguments: Mapping[str, Any]
    states: Mapping[str, str]


def overflow(largest_sum: int, process: str) -> str | None:
    """Say why sums, shifted by 6, do not fit a process of Lava; None where they do."""
    if (largest_sum << STATE_SHIFT) + STATE_MAX + 1 > INT32_MAX:
        return f"sums up to {largest_sum}, shifted by 6, do not fit the 32 bits of {process}"
    return None


def one_or_each(values: Any) -> Any:
    """Return the value that all neurons share, else an array.

    Lava declares some parameters as scalars; arrays work, but ``Var.get`` cannot read them back.
    """
    return values[0].item() if np.all(values == values[0]) else values.copy()


def bias_parts(bias: IntArray) -> tuple[IntArray, IntArray] | None:
    """Split a bias into mantissas (13 bits) and exponents (0 to 7); None if impossible."""
    exponent = np.zeros_like(bias)
    mantissa = bias.astype(np.int64)
    for _ in range(BIAS_EXP_MAX):
        halve = ((mantissa > BIAS_MANTISSA_MAX) | (mantissa < BIAS_MANTISSA_MIN)) & (
            mantissa % 2 == 0
        )
        mantissa = np.where(halve, mantissa >> 1, mantissa)
        exponent = exponent + halve
    if mantissa.max() > BIAS_MANTISSA_MAX or mantissa.min() < BIAS_MANTISSA_MIN:
        return None
    return mantissa, exponent
