"""Counting the synapses of a layer: all that placement and clustering ask of a matrix of weights.

A kind of synapses that is not a dense matrix gets its answers here and nowhere else. Zero weights
are no synapses. Matrices are read in blocks of rows, so that memory stays bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..export import grid
from ..export.grid import FloatArray, IntArray
from ..export.network import Synapses

BLOCK = 1 << 22
"""Weights that are looked at together."""


@dataclass(frozen=True, eq=False)
class Connectivity:
    """What is counted once for a group of synapses.

    ``fan_in`` int64 (n_out,): synapses of each neuron; ``fan_out`` int64 (n_in,): synapses of each
    source. ``full``: every source reaches every neuron.
    """

    synapses: Synapses
    fan_in: IntArray
    fan_out: IntArray

    @property
    def full(self) -> bool:
        """Whether no weight is zero."""
        return int(self.fan_in.sum()) == self.fan_in.size * self.fan_out.size

    @property
    def count(self) -> int:
        """Number of synapses."""
        return int(self.fan_in.sum())

    def targets(self, rows: IntArray) -> IntArray:
        """Return how many of these neurons each source reaches, int64 (n_in,)."""
        if self.full:
            return np.full(self.fan_out.size, rows.size, np.int64)
        return _targets(self.synapses, rows)


def connectivity(synapses: Synapses) -> Connectivity:
    """Count the synapses of every neuron and of every source, in one pass."""
    fan_in = np.zeros(synapses.n_out, np.int64)
    fan_out = np.zeros(synapses.n_in, np.int64)
    step = max(BLOCK // synapses.n_in, 1)
    for start in range(0, synapses.n_out, step):
        present = synapses.weight[start : start + step] != 0
        fan_in[start : start + step] = np.count_nonzero(present, axis=1)
        fan_out += np.count_nonzero(present, axis=0)
    return Connectivity(synapses, fan_in, fan_out)


def _targets(synapses: Synapses, rows: IntArray) -> IntArray:
    counts = np.zeros(synapses.n_in, np.int64)
    step = max(BLOCK // synapses.n_in, 1)
    # Neighbouring rows are looked at where they lie; others are copied, a block at a time.
    together = rows.size > 0 and bool((np.diff(rows) == 1).all())
    for start in range(0, rows.size, step):
        chosen = rows[start : start + step]
        part = synapses.weight[chosen[0] : chosen[-1] + 1] if together else synapses.weight[chosen]
        counts += np.count_nonzero(part, axis=0)
    return counts


def largest_delay(synapses: Synapses) -> int:
    """Return the largest delay in steps."""
    return 0 if synapses.delay is None else int(synapses.delay.max())


def weight_bits(synapses: Synapses) -> int:
    """Return the bits that the weights need, their sign among them where both signs occur.

    Common factors of 2 go to the exponent. b bits hold -2^(b-1)..2^(b-1)-1, or 0..2^b-1 of one
    sign.
    """
    low, high = int(synapses.weight.min()), int(synapses.weight.max())
    factor = 1 << _common_shift(synapses)
    low, high = low // factor, high // factor
    if low < 0 < high:
        return 1 + max((-low - 1).bit_length(), high.bit_length())
    return max(1, max(-low, high).bit_length())


def stored_weight_bits(synapses: Synapses, widths: tuple[int, ...]) -> int | None:
    """Return the smallest width that stores the weights exactly, or None where none does.

    A width of b bits stores m 2^(8 - b), or m 2^(9 - b) with both signs, before the exponent, which
    must stay in the range of ``grid``; spare bits may take factors of 2 from the exponent.
    """
    needed, shift = weight_bits(synapses), _common_shift(synapses)
    mixed = int(synapses.weight.min()) < 0 < int(synapses.weight.max())
    for width in widths:
        spare = width - needed
        largest = synapses.weight_exp + shift - (grid.WEIGHT_BITS_MAX - width + mixed)
        in_range = largest >= grid.WEIGHT_EXP_MIN and largest - spare <= grid.WEIGHT_EXP_MAX
        if spare >= 0 and in_range:
            return width
    return None


def _common_shift(synapses: Synapses) -> int:
    together = int(np.bitwise_or.reduce(np.abs(synapses.weight), axis=None))
    return (together & -together).bit_length() - 1 if together else 0


def with_scaled_rows(synapses: Synapses, ratio: FloatArray) -> Synapses:
    """Return the synapses with every neuron's weights times its ratio, as coarse as they were.

    Rows whose ratio is 1 keep their weights. ``ratio`` is float64 (n_out,).
    """
    changed = np.flatnonzero(ratio != 1.0)
    if changed.size == 0:
        return synapses
    weight = np.array(synapses.weight)
    bits = grid.WEIGHT_BITS_MAX + 1 - _common_shift(synapses)
    bits = min(max(bits, grid.WEIGHT_BITS_MIN), grid.WEIGHT_BITS_MAX)
    weight[changed] = grid.even_weights(weight[changed] * ratio[changed, None], 1.0, bits)
    return replace(synapses, weight=weight)
