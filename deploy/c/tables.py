"""Constant arrays of C: the narrowest type, packed weights, lines of a readable width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...export.grid import IntArray

WIDTH = 96
"""Columns of a line."""
GROUP = 8
"""Targets whose weights are added at once; rows of weights are padded to a multiple of it."""

_TYPES = (
    ("uint8_t", 0, (1 << 8) - 1),
    ("int8_t", -(1 << 7), (1 << 7) - 1),
    ("uint16_t", 0, (1 << 16) - 1),
    ("int16_t", -(1 << 15), (1 << 15) - 1),
    ("int32_t", -(1 << 31), (1 << 31) - 1),
)


def c_type(low: int, high: int) -> str:
    """Return the narrowest type of C that holds ``low`` to ``high``."""
    return next((name for name, least, most in _TYPES if least <= low and high <= most), "int64_t")


def literal(value: int) -> str:
    """Return a whole number as C writes it: never as the negation of what does not fit."""
    if value == -(1 << 31):
        return "INT32_MIN"
    if not -(1 << 31) < value < 1 << 31:
        return f"INT64_C({value})" if value >= 0 else f"(-INT64_C({-value}))"
    return str(value) if value >= 0 else f"({value})"


def filled(items: Iterable[str], indent: str = "    ") -> str:
    """Return items, separated by commas, in lines."""
    return textwrap.fill(
        ", ".join(items), WIDTH, initial_indent=indent, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def commented(text: str) -> str:
    """Return text that may stand in a comment: visible ASCII which does not end it."""
    plain = "".join(c if " " <= c <= "~" else f"\\x{ord(c):x}" for c in text)
    return plain.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")


def table(name: str, values: npt.NDArray[np.integer], remark: str = "") -> str:
    """Return the definition of an array of integers."""
    kind = c_type(int(values.min()), int(values.max()))
    numbers = values.reshape(-1).tolist()
    return (
        (f"/* {commented(remark)} */\n" if remark else "")
        + f"static const {kind} {name}[{len(numbers)}] = {{\n"
        + filled(literal(number).strip("()") if number < 0 else literal(number)
                 for number in numbers)
        + "\n};\n"
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """Weights as codes in words of 32 bits: ``weight = (code + low) 2^exponent``.

    ``words`` uint32 (rows, words of a row): each has 32 / ``bits`` codes of consecutive columns,
    the first in the lowest bits. Columns are padded with weights of 0 to a multiple of ``GROUP``.
    ``most``: the largest code.
    """

    words: npt.NDArray[np.uint32]
    bits: int
    low: int
    exponent: int
    most: int

    @property
    def stride(self) -> int:
        """Words of a row."""
        return int(self.words.shape[1])


def packed(weights: IntArray) -> PackedWeights:
    """Return weights (rows, columns) of Loihi's grid as codes of 4 bits where they fit, or 8."""
    bits_used = int(np.bitwise_or.reduce(np.abs(weights), axis=None))
    exponent = (bits_used & -bits_used).bit_length() - 1 if bits_used else 0
    codes = weights >> exponent
    low = min(int(codes.min()), 0)
    most = max(int(codes.max()), 0) - low
    bits = 4 if most < 16 else 8
    columns = -(-codes.shape[1] // GROUP) * GROUP
    padded = np.full((codes.shape[0], columns), -low, np.uint32)
    padded[:, : codes.shape[1]] = codes - low
    lanes = padded.reshape(codes.shape[0], -1, 32 // bits)
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    words = np.bitwise_or.reduce(lanes << shifts, axis=2).astype(np.uint32)
    return PackedWeights(words, bits, low, exponent, most)


def words_table(name: str, packed_weights: PackedWeights, remark: str) -> str:
    """Return the definition of an array of packed weights."""
    words = packed_weights.words.reshape(-1)
    return (
        f"/* {commented(remark)} */\n"
        f"static const uint32_t {name}[{words.size}] = {{\n"
        + filled(f"0x{word:08x}u" for word in words.tolist())
        + "\n};\n"
    )
