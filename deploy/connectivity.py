"""Counting the synapses of a layer: all that placement and clustering need from a weight matrix.

Nothing else in deploy depends on the kind of connection. Zero weights are not synapses. Matrices
are read in blocks of rows, so that memory stays bounded; every tap of a convolution is a synapse of
its own, as on a chip that does not share kernels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..export import grid
from ..export.errors import InputError
from ..export.grid import FloatArray, IntArray
from ..export.network import Connection, Convolution, Synapses

BLOCK = 1 << 22
"""Number of weights that are read at a time."""


@dataclass(frozen=True, eq=False)
class Connectivity:
    """What is counted once for a group of synapses.

    ``fan_in`` int64 (n_out,): synapses of each neuron; ``fan_out`` int64 (n_in,): synapses of each
    source. ``full``: every source reaches every neuron.
    """

    synapses: Connection
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
        if isinstance(self.synapses, Convolution):
            return _kernel_targets(self.synapses, rows)
        return _targets(self.synapses, rows)


def connectivity(synapses: Connection) -> Connectivity:
    """Count the synapses of every neuron and of every source, in one pass."""
    if isinstance(synapses, Convolution):
        return Connectivity(synapses, _kernel_fan_in(synapses), synapses.fan_out())
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
    # Neighbouring rows are read in place; others are copied, a block at a time.
    together = rows.size > 0 and bool((np.diff(rows) == 1).all())
    for start in range(0, rows.size, step):
        chosen = rows[start : start + step]
        part = synapses.weight[chosen[0] : chosen[-1] + 1] if together else synapses.weight[chosen]
        counts += np.count_nonzero(part, axis=0)
    return counts


def _kernel_fan_in(convolution: Convolution) -> IntArray:
    present = (convolution.kernel != 0).sum(axis=1, dtype=np.int64)
    fed = []
    for axis in (0, 1):
        targets = convolution.targets(axis)
        inside = np.zeros((convolution.shape_out[1 + axis], targets.shape[1]), np.int64)
        source, tap = np.nonzero(targets >= 0)
        inside[targets[source, tap], tap] = 1
        fed.append(inside)
    return np.einsum("yr,orc,xc->oyx", fed[0], present, fed[1], optimize=True).reshape(-1)


def _kernel_targets(convolution: Convolution, rows: IntArray) -> IntArray:
    """Count, tap by tap, the chosen neurons that every source feeds."""
    chosen = np.zeros(convolution.n_out, np.int64)
    chosen[rows] = 1
    chosen = chosen.reshape(convolution.shape_out)
    out, share = convolution.kernel.shape[:2]
    channels = np.flatnonzero(chosen.any(axis=(1, 2)))
    counts = np.zeros(convolution.shape_in, np.int64)
    row_of, column_of = convolution.targets(0), convolution.targets(1)
    for channel in channels.tolist():
        first = channel * convolution.groups // out * share
        for r, c in np.argwhere(convolution.kernel[channel].any(axis=0)).tolist():
            y, x = row_of[:, r], column_of[:, c]
            reached = chosen[channel][np.ix_(np.maximum(y, 0), np.maximum(x, 0))]
            reached = reached * ((y >= 0)[:, None] & (x >= 0))
            present = convolution.kernel[channel, :, r, c] != 0
            counts[first : first + share] += present[:, None, None] * reached
    return counts.reshape(-1)


def _weights(synapses: Connection) -> npt.NDArray[np.integer[Any]]:
    return synapses.kernel if isinstance(synapses, Convolution) else synapses.weight


def largest_delay(synapses: Connection) -> int:
    """Return the largest delay in steps."""
    return 0 if synapses.delay is None else int(synapses.delay.max())


def weight_bits(synapses: Connection) -> int:
    """Return the bits that the weights need, including the sign bit where both signs occur.

    Common factors of 2 move to the exponent. b bits hold -2^(b-1)..2^(b-1)-1, or 0..2^b-1 of one
    sign.
    """
    low, high = int(_weights(synapses).min()), int(_weights(synapses).max())
    factor = 1 << _common_shift(synapses)
    low, high = low // factor, high // factor
    if low < 0 < high:
        return 1 + max((-low - 1).bit_length(), high.bit_length())
    return max(1, max(-low, high).bit_length())


def stored_weight_bits(synapses: Connection, widths: tuple[int, ...]) -> int | None:
    """Return the smallest width that stores the weights exactly, or None where none does.

    A width of b bits stores m 2^(8 - b), or m 2^(9 - b) with both signs, before the exponent, which
    must stay in the range of ``grid``; spare bits may absorb factors of 2 from the exponent.
    """
    needed, shift = weight_bits(synapses), _common_shift(synapses)
    mixed = int(_weights(synapses).min()) < 0 < int(_weights(synapses).max())
    for width in widths:
        spare = width - needed
        largest = synapses.weight_exp + shift - (grid.WEIGHT_BITS_MAX - width + mixed)
        in_range = largest >= grid.WEIGHT_EXP_MIN and largest - spare <= grid.WEIGHT_EXP_MAX
        if spare >= 0 and in_range:
            return width
    return None


def _common_shift(synapses: Connection) -> int:
    together = int(np.bitwise_or.reduce(np.abs(_weights(synapses)), axis=None))
    return (together & -together).bit_length() - 1 if together else 0


def with_scaled_rows(synapses: Connection, ratio: FloatArray) -> Connection:
    """Return the synapses with every neuron's weights times its ratio, as coarse as they were.

    Rows whose ratio is 1 keep their weights. ``ratio`` is float64 (n_out,).

    Raises
    ------
    InputError
        A convolution: its neurons share kernels, and cannot be scaled one by one.
    """
    changed = np.flatnonzero(ratio != 1.0)
    if changed.size == 0:
        return synapses
    if isinstance(synapses, Convolution):
        raise InputError("neurons of a convolution share kernels and cannot be scaled one by one")
    weight = np.array(synapses.weight)
    bits = grid.WEIGHT_BITS_MAX + 1 - _common_shift(synapses)
    bits = min(max(bits, grid.WEIGHT_BITS_MIN), grid.WEIGHT_BITS_MAX)
    weight[changed] = grid.even_weights(weight[changed] * ratio[changed, None], 1.0, bits)
    return replace(synapses, weight=weight)
