"""Widths in bits of integers whose smallest and largest value are known."""

from __future__ import annotations

from dataclasses import dataclass

from ..export.errors import InputError
from ..neurons.ranges import Interval

WIDEST = 64
REGISTER_MAX = (1 << 31) - 1
"""What a state that its neuron does not limit may reach: 32 bits, as in Lava."""


@dataclass(frozen=True)
class Width:
    """A width in bits: ``s`` two's complement, ``u`` unsigned.

    ``w`` has the codes of two's complement, but the code of ``-2^(bits - 1)`` means
    ``+2^(bits - 1)``, which is what Lava's wrap at 24 bits produces.
    """

    kind: str
    bits: int

    def __post_init__(self) -> None:
        if self.kind not in {"s", "u", "w"} or not 1 <= self.bits <= WIDEST:
            raise InputError(
                f"width {self.kind}{self.bits}: needs s, u or w and 1 to {WIDEST} bits"
            )

    def __str__(self) -> str:
        return f"{self.kind}{self.bits}"

    @property
    def interval(self) -> Interval:
        """The values that it holds."""
        if self.kind == "u":
            return 0, (1 << self.bits) - 1
        half = 1 << (self.bits - 1)
        return (-half, half - 1) if self.kind == "s" else (1 - half, half)

    def holds(self, interval: Interval) -> bool:
        """Whether all values of an interval fit."""
        low, high = self.interval
        return low <= interval[0] and interval[1] <= high


def narrowest(interval: Interval) -> Width:
    """Return the narrowest width that holds an interval; of equal ones ``u``, then ``s``.

    Raises
    ------
    InputError
        It needs more than ``WIDEST`` bits.
    """
    low, high = interval
    if low >= 0:
        return Width("u", max(1, high.bit_length()))
    half = 1 << (high - 1).bit_length() if high > 0 else 0
    if high == half and low > -half:
        return Width("w", half.bit_length())
    return Width("s", 1 + max((-low - 1).bit_length(), high.bit_length()))
