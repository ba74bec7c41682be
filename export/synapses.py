"""Connections as records of integers, checked when made: dense synapses and convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..neurons.checks import frozen, in_range, whole
from ..neurons.neuron import NEURON_COUNT_MAX
from . import grid
from .errors import InputError
from .grid import IntArray

GEOMETRY_MAX = (1 << 15) - 1
"""Largest stride, padding and dilation of a convolution."""

Pair = tuple[int, int]
Shape = tuple[int, int, int]


def _on_grid(weight: IntArray, what: str) -> None:
    kept = grid.hardware_weights(weight)
    if not np.array_equal(kept, weight):
        at = np.argwhere(kept != weight)[0].tolist()
        where = f"weight of neuron {at[0]} from source {at[1]}" if weight.ndim == 2 else what
        raise InputError(
            f"{where}{'' if weight.ndim == 2 else at}: {int(weight[tuple(at)])} is not "
            f"on the 8-bit grid (both signs: even, {grid.WEIGHT_MIN}..{grid.WEIGHT_MAX}; "
            f"one sign: at most {grid.WEIGHT_MAX_ONE_SIGN} in magnitude)"
        )


def _check_exponent(exponent: int) -> None:
    low, high = grid.WEIGHT_EXP_MIN, grid.WEIGHT_EXP_MAX
    if not low <= exponent <= high:
        raise InputError(f"weight_exp: {exponent} is outside {low}..{high}")


@dataclass(frozen=True, eq=False)
class Synapses:
    """Dense synapses: what ``n_in`` sources deliver to ``n_out`` neurons.

    ``a = (weight @ s)`` shifted by ``weight_exp``: the shift acts on the sum, left if positive,
    arithmetic right if negative. ``weight`` is int32 (n_out, n_in) on Loihi's 8-bit grid (see
    ``grid.hardware_weights``). ``delay`` holds 0..62 steps, one per neuron (n_out,) or per synapse
    (n_out, n_in); it is kept as (n_out, n_in), or None if all are zero.

    Raises
    ------
    InputError
        A weight off the grid, an exponent or delay out of range, wrong shapes; delays that differ
        within a neuron with a right shift that would round.
    """

    weight: npt.NDArray[np.integer[Any]]
    weight_exp: int = 0
    delay: npt.NDArray[np.integer[Any]] | None = None

    def __post_init__(self) -> None:
        weight = whole(self.weight, "weight")
        if weight.ndim != 2 or 0 in weight.shape:
            raise InputError(f"weight: shape {weight.shape}, needs (neurons, sources)")
        _on_grid(weight, "weight")
        object.__setattr__(self, "weight", frozen(weight.astype(np.int32)))
        _check_exponent(self.weight_exp)
        object.__setattr__(self, "delay", self._checked_delay(weight))

    def _checked_delay(self, weight: IntArray) -> npt.NDArray[np.int32] | None:
        if self.delay is None:
            return None
        shape = weight.shape
        delay = whole(self.delay, "delay")
        if delay.shape == shape[:1]:
            delay = delay[:, None]
        if delay.ndim > 2 or delay.shape not in {(), (1,), (shape[0], 1), shape}:
            raise InputError(f"delay: shape {delay.shape}, needs ({shape[0]},) or {shape}")
        in_range(delay, 0, grid.DELAY_MAX, "delay")
        if not delay.any():
            return None
        delay = np.broadcast_to(delay, shape).astype(np.int32)
        mixed = (delay != delay[:, :1]).any()
        if self.weight_exp < 0 and mixed and (weight % (1 << -self.weight_exp)).any():
            raise InputError(
                f"weight_exp: {self.weight_exp} with delays per synapse; a right shift would round "
                "each delay's sum separately, so such synapses need an exponent of 0 or more, or "
                "weights that the shift divides"
            )
        return frozen(delay)

    @property
    def n_out(self) -> int:
        """Number of target neurons."""
        return int(self.weight.shape[0])

    @property
    def n_in(self) -> int:
        """Number of sources."""
        return int(self.weight.shape[1])

    @property
    def count(self) -> int:
        """Number of synapses, zero weights included."""
        return int(self.weight.size)

    @property
    def largest_sum(self) -> int:
        """Largest sum of weight magnitudes of a neuron."""
        return int(np.abs(self.weight).sum(axis=1, dtype=np.int64).max())

    @property
    def neuron_delay(self) -> npt.NDArray[np.integer[Any]] | None:
        """The delay of each neuron (n_out,) if all its synapses share it; else None."""
        delay = self.delay
        return None if delay is None or (delay != delay[:, :1]).any() else delay[:, 0]

    def fan_out(self) -> IntArray:
        """Return how many non-zero weights each source has, int64 (n_in,)."""
        return np.count_nonzero(self.weight, axis=0).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Convolution:
    """Synapses that share a kernel over rows and columns, as ``conv2d`` of PyTorch connects them.

    Sources are a block (channel, row, column) of ``shape_in`` in C order, targets one of
    ``shape_out``. With I channels in, O out, in G groups, and g the group of o::

        a[o, y, x] = sum over i < I / G, r, c of
            kernel[o, i, r, c] s[g I / G + i, y S0 + r D0 - P0, x S1 + c D1 - P1]

    shifted by ``weight_exp`` as in ``Synapses``; positions outside the block are zero. ``kernel``
    is int32 (O, I / G, rows, columns) on Loihi's 8-bit grid; ``stride`` S, ``padding`` P and
    ``dilation`` D are (row, column). ``delay`` holds 0..62 steps, one per channel (O,), the delay
    of all inputs of its neurons; None if all are zero.

    Raises
    ------
    InputError
        A weight off the grid, a value out of range, channels that the groups do not divide, a
        kernel that is larger than the padded block, wrong shapes.
    """

    kernel: npt.NDArray[np.integer[Any]]
    shape_in: Shape
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    weight_exp: int = 0
    delay: npt.NDArray[np.integer[Any]] | None = None

    def __post_init__(self) -> None:
        kernel = whole(self.kernel, "kernel")
        if kernel.ndim != 4 or 0 in kernel.shape:
            raise InputError(
                f"kernel: shape {kernel.shape}, needs (channels out, channels in / groups, rows, "
                "columns)"
            )
        _on_grid(kernel, "kernel")
        object.__setattr__(self, "kernel", frozen(kernel.astype(np.int32)))
        for name, count, low, high in (
            ("shape_in", 3, 1, NEURON_COUNT_MAX),
            ("stride", 2, 1, GEOMETRY_MAX),
            ("padding", 2, 0, GEOMETRY_MAX),
            ("dilation", 2, 1, GEOMETRY_MAX),
        ):
            values = whole(np.asarray(getattr(self, name)), name)
            if values.shape != (count,):
                raise InputError(f"{name}: shape {values.shape}, needs ({count},)")
            if values.min() < low or values.max() > high:
                raise InputError(f"{name}: {tuple(values.tolist())} is outside {low}..{high}")
            object.__setattr__(self, name, tuple(values.tolist()))
        self._check_channels()
        for axis in (0, 1):
            self._check_axis(axis)
        for size, what in ((self.n_in, "sources"), (self.n_out, "neurons")):
            if size > NEURON_COUNT_MAX:
                raise InputError(f"convolution: {size} {what}, at most {NEURON_COUNT_MAX}")
        _check_exponent(self.weight_exp)
        object.__setattr__(self, "delay", self._checked_delay())

    def _check_channels(self) -> None:
        channels, (out, share) = self.shape_in[0], self.kernel.shape[:2]
        if not 1 <= self.groups <= min(channels, out) or channels % self.groups:
            raise InputError(f"groups: {self.groups} do not divide {channels} channels in")
        if out % self.groups:
            raise InputError(f"groups: {self.groups} do not divide {out} channels out")
        if channels != share * self.groups:
            raise InputError(
                f"kernel: {share} channels in for each of {self.groups} groups, but the sources "
                f"have {channels}"
            )

    def _check_axis(self, axis: int) -> None:
        room = self.shape_in[1 + axis] + 2 * self.padding[axis]
        needed = self.dilation[axis] * (self.kernel.shape[2 + axis] - 1) + 1
        if needed > room:
            raise InputError(
                f"kernel: spans {needed} {('rows', 'columns')[axis]}, but the padded sources have "
                f"{room}"
            )

    def _checked_delay(self) -> npt.NDArray[np.int32] | None:
        if self.delay is None:
            return None
        delay, out = whole(self.delay, "delay"), self.kernel.shape[0]
        if delay.shape not in {(), (1,), (out,)}:
            raise InputError(f"delay: shape {delay.shape}, needs ({out},), one per channel out")
        delay = np.broadcast_to(delay, (out,))
        in_range(delay, 0, grid.DELAY_MAX, "delay")
        return frozen(delay.astype(np.int32)) if delay.any() else None

    @property
    def shape_out(self) -> Shape:
        """Channels, rows and columns of the targets."""
        rows, columns = (
            (
                self.shape_in[1 + axis]
                + 2 * self.padding[axis]
                - self.dilation[axis] * (self.kernel.shape[2 + axis] - 1)
                - 1
            )
            // self.stride[axis]
            + 1
            for axis in (0, 1)
        )
        return int(self.kernel.shape[0]), rows, columns

    @property
    def n_out(self) -> int:
        """Number of target neurons."""
        channels, rows, columns = self.shape_out
        return channels * rows * columns

    @property
    def n_in(self) -> int:
        """Number of sources."""
        channels, rows, columns = self.shape_in
        return channels * rows * columns

    @property
    def count(self) -> int:
        """Number of synapses, zero weights included; taps on the padding have none."""
        rows, columns = (int((self.targets(axis) >= 0).sum()) for axis in (0, 1))
        return self.shape_in[0] * (self.kernel.shape[0] // self.groups) * rows * columns

    @property
    def largest_sum(self) -> int:
        """Largest sum of weight magnitudes of a neuron that the whole kernel reaches."""
        return int(np.abs(self.kernel).sum(axis=(1, 2, 3), dtype=np.int64).max())

    @property
    def neuron_delay(self) -> npt.NDArray[np.integer[Any]] | None:
        """The delay of each neuron (n_out,); None if all are zero."""
        return None if self.delay is None else np.repeat(self.delay, self.n_out // len(self.delay))

    def targets(self, axis: int) -> IntArray:
        """Return the target row (axis 0) or column (1) of each source and tap, -1 where none.

        int64 (rows or columns of a source, taps): the position that a source at ``p`` feeds through
        tap ``r`` is ``(p + padding - r dilation) / stride``, if that is whole and in the block.
        """
        source = np.arange(self.shape_in[1 + axis])[:, None]
        tap = np.arange(self.kernel.shape[2 + axis])
        shifted = source + self.padding[axis] - tap * self.dilation[axis]
        target, rest = np.divmod(shifted, self.stride[axis])
        inside = (shifted >= 0) & (rest == 0) & (target < self.shape_out[1 + axis])
        return np.where(inside, target, -1)

    def fan_out(self) -> IntArray:
        """Return how many neurons each source reaches by a non-zero weight, int64 (n_in,)."""
        out, share, rows, columns = self.kernel.shape
        by_group = (self.kernel != 0).reshape(self.groups, out // self.groups, share, rows, columns)
        weights = by_group.sum(axis=1, dtype=np.int64).reshape(-1, rows, columns)
        reach_row, reach_column = ((self.targets(axis) >= 0).astype(np.int64) for axis in (0, 1))
        reached = np.einsum("yr,irc,xc->iyx", reach_row, weights, reach_column, optimize=True)
        return reached.reshape(-1)


Connection = Synapses | Convolution
"""The connections that deliver messages to a layer."""


def largest_sum(connection: Connection, largest_message: int) -> int:
    """Return a bound of ``|a|``, before and after the shift, for messages up to that magnitude."""
    return connection.largest_sum * largest_message << max(connection.weight_exp, 0)


def dense(connection: Connection) -> Synapses:
    """Return dense synapses as they are.

    Raises
    ------
    InputError
        The connection is a convolution.
    """
    if not isinstance(connection, Synapses):
        raise InputError(f"{type(connection).__name__.lower()}s cannot be used here; only dense")
    return connection
