"""Microcode programs as listings: registers, constants, and the operations of a step, all integers.

A chip that lacks a neuron model needs it in microcode. A ``MicrocodeProgram`` says what that has to
compute: the width of every register, constant and intermediate, the operations in order, and which
of them round, saturate or wrap. It is verified when made: every result fits its width for all
values of the operands. ``step`` executes it strictly: a value that leaves its width is an error.
Text and parser are in ``microcode_text.py``, the programs in ``microcode_programs.py``, the grammar
in docs/MICROCODE.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from ..export.errors import InputError
from ..export.grid import STATE_BITS, STATE_MAX, IntArray
from ..export.suggest import unknown

Interval = tuple[int, int]
"""Smallest and largest value, both included."""

WIDEST = 62
"""Bits up to which 64-bit arithmetic executes a listing exactly, sums of two values included."""

SHIFT_MAX = 31


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
    """Return the narrowest ``u`` or ``s`` width that holds an interval.

    Raises
    ------
    InputError
        It needs more than ``WIDEST`` bits.
    """
    low, high = interval
    if low >= 0:
        return Width("u", max(1, high.bit_length()))
    return Width("s", 1 + max((-low - 1).bit_length(), high.bit_length()))


@dataclass(frozen=True)
class Kind:
    """An operation: its operands, what it computes, its results for intervals, and its rounding."""

    operands: int
    compute: Callable[..., Any]
    bounds: Callable[..., Interval]
    rounding: str


def _corners(compute: Callable[..., int]) -> Callable[..., Interval]:
    """Bounds of an operation that is monotone in each operand while the others are held."""

    def bounds(*intervals: Interval) -> Interval:
        values = [compute(*corner) for corner in product(*intervals)]
        return min(values), max(values)

    return bounds


def _rtz(x: int, bits: int) -> int:
    return x >> bits if x >= 0 else -(-x >> bits)


def _toward_zero(x: IntArray, bits: IntArray | int) -> IntArray:
    return np.where(x < 0, -(-x >> bits), x >> bits)


def _wrapped(x: IntArray) -> IntArray:
    half, full = 1 << (STATE_BITS - 1), 1 << STATE_BITS
    return x - full * (x > half) + full * (x <= -half)


def _wrapped_bounds(x: Interval) -> Interval:
    half, full = 1 << (STATE_BITS - 1), 1 << STATE_BITS
    if x[0] <= -half - full or x[1] > half + full:
        raise InputError(
            f"wrap24 of {x[0]}..{x[1]}: one wrap does not lead back to {STATE_BITS} bits"
        )
    inside = -half < x[0] and x[1] <= half
    return x if inside else (1 - half, half)


def _clipped(x: Interval) -> Interval:
    low, high = (min(max(end, -STATE_MAX), STATE_MAX) for end in x)
    return low, high


KINDS: dict[str, Kind] = {
    "add": Kind(2, np.add, _corners(lambda x, y: x + y), "exact"),
    "sub": Kind(2, np.subtract, _corners(lambda x, y: x - y), "exact"),
    "mul": Kind(2, np.multiply, _corners(lambda x, y: x * y), "exact"),
    "shl": Kind(2, np.left_shift, _corners(lambda x, k: x << k), "exact"),
    "shr": Kind(2, np.right_shift, _corners(lambda x, k: x >> k), "floor"),
    "rtz": Kind(2, _toward_zero, _corners(_rtz), "toward zero"),
    "sat24": Kind(
        1, lambda x: np.clip(x, -STATE_MAX, STATE_MAX), _clipped, f"saturates at +-{STATE_MAX}"
    ),
    "wrap24": Kind(1, _wrapped, _wrapped_bounds, "wraps once at 24 bits"),
    "gt": Kind(2, np.greater, lambda _x, _y: (0, 1), "1 where x > y"),
    "ge": Kind(2, np.greater_equal, lambda _x, _y: (0, 1), "1 where x >= y"),
    "sel": Kind(
        3,
        np.where,
        lambda _chosen, x, y: (min(x[0], y[0]), max(x[1], y[1])),
        "x where c is 1, else y",
    ),
    "fit": Kind(1, np.asarray, lambda x: x, "exact; a value beyond the width is an error"),
}
"""The operations by name; ``shl``, ``shr`` and ``rtz`` shift by their second operand."""


@dataclass(frozen=True)
class Operation:
    """``target width = kind operands``; ``width`` None where the target is a register.

    An operand is a name or a whole number.
    """

    target: str
    width: Width | None
    kind: str
    operands: tuple[str | int, ...]

    def __str__(self) -> str:
        width = "" if self.width is None else f" {self.width}"
        return f"{self.target}{width} = {self.kind} {' '.join(map(str, self.operands))}"


@dataclass(frozen=True)
class MicrocodeProgram:
    """The program of a neuron model: ``input`` is the synaptic sum, ``spike`` the spike register.

    Every register is assigned once per step and keeps its value until then; every intermediate is
    assigned once, before it is used, and is used.

    Raises
    ------
    InputError
        A rule above is broken, an operation is not known, or a result may leave its width.
    """

    name: str
    input: str
    input_width: Width
    registers: dict[str, Width]
    constants: dict[str, Width]
    operations: tuple[Operation, ...]
    spike: str

    def __post_init__(self) -> None:
        _verify(self)

    @property
    def states(self) -> tuple[str, ...]:
        """The registers that are states of the neuron: all but the spike."""
        return tuple(name for name in self.registers if name != self.spike)

    @property
    def counts(self) -> dict[str, int]:
        """How often a step uses each kind of operation, by name."""
        counted = Counter(operation.kind for operation in self.operations)
        return {kind: counted[kind] for kind in KINDS if kind in counted}


@dataclass(frozen=True, eq=False)
class Bank:
    """The neurons of one layer: values (n,) of every constant, and of registers at the start."""

    layer: str
    program: str
    size: int
    values: dict[str, IntArray]


@dataclass(frozen=True, eq=False)
class Listing:
    """The programs of a network by name, and the layers that run them.

    Raises
    ------
    InputError
        A layer of an unknown program; a value that is missing, superfluous or beyond its width.
    """

    programs: dict[str, MicrocodeProgram]
    banks: tuple[Bank, ...] = field(default=())

    def __post_init__(self) -> None:
        for bank in self.banks:
            _verify_bank(bank, self.programs)
        names = [bank.layer for bank in self.banks]
        if len(set(names)) != len(names):
            raise InputError(f"a layer is listed twice: {', '.join(names)}")

    def bank(self, layer: str) -> Bank | None:
        """Return the neurons of that layer, or None where it needs no program."""
        return next((bank for bank in self.banks if bank.layer == layer), None)


def derived_width(names: dict[str, Interval], operation: Operation) -> Interval:
    """Return the interval of an operation's results, from the intervals of all names.

    Raises
    ------
    InputError
        An operand that is not known, a shift out of range, or a wrong number of operands.
    """
    kind = KINDS.get(operation.kind)
    if kind is None:
        raise InputError(unknown("operation", operation.kind, KINDS))
    if len(operation.operands) != kind.operands:
        raise InputError(
            f"{operation.kind} takes {kind.operands} operands, not {len(operation.operands)}"
        )
    intervals = []
    for operand in operation.operands:
        if isinstance(operand, str) and operand not in names:
            raise InputError(f"{operand} has no value here")
        intervals.append(names[operand] if isinstance(operand, str) else (operand, operand))
    if operation.kind in {"shl", "shr", "rtz"} and not (
        0 <= intervals[1][0] <= intervals[1][1] <= SHIFT_MAX
    ):
        raise InputError(f"{operation.kind}: a shift by {intervals[1]} is outside 0..{SHIFT_MAX}")
    if operation.kind == "sel" and not (0 <= intervals[0][0] <= intervals[0][1] <= 1):
        raise InputError(f"sel: {operation.operands[0]} is not one bit")
    return kind.bounds(*intervals)


def _verify(program: MicrocodeProgram) -> None:
    names = {program.input: program.input_width.interval}
    for group in (program.registers, program.constants):
        for name, width in group.items():
            if name in names:
                raise InputError(f"program {program.name}: {name} is declared twice")
            names[name] = width.interval
    assigned, used = set(), set()
    for number, operation in enumerate(program.operations, start=1):
        where = f"program {program.name}, operation {number}, {operation}"
        try:
            result = derived_width(names, operation)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        used |= {operand for operand in operation.operands if isinstance(operand, str)}
        target, width = operation.target, operation.width
        if target in assigned:
            raise InputError(f"{where}: {target} is assigned twice")
        if target in program.registers:
            if width is not None:
                raise InputError(f"{where}: a register has the width of its declaration")
            width = program.registers[target]
        elif width is None or target in names:
            raise InputError(f"{where}: {target} is neither a register nor a new name with a width")
        if operation.kind == "fit":
            result = width.interval
        if not width.holds(result):
            raise InputError(f"{where}: gives {result[0]}..{result[1]}, {width} does not hold that")
        narrowest(result)
        assigned.add(target)
        names[target] = result
    _verify_uses(program, names.keys(), assigned, used)


def _verify_uses(program: MicrocodeProgram, names: Any, assigned: set[str], used: set[str]) -> None:
    where = f"program {program.name}"
    forgotten = [name for name in program.registers if name not in assigned]
    if forgotten:
        raise InputError(f"{where}: register {forgotten[0]} is never assigned")
    idle = [name for name in names if name not in used and name != program.spike]
    if idle:
        raise InputError(f"{where}: {idle[0]} is never used")
    if program.registers.get(program.spike) != Width("u", 1):
        raise InputError(f"{where}: the spike {program.spike} is not a register of u1")


def _verify_bank(bank: Bank, programs: dict[str, MicrocodeProgram]) -> None:
    where = f"layer {bank.layer}"
    program = programs.get(bank.program)
    if program is None:
        raise InputError(f"{where}: program {bank.program} is not listed")
    wanted = {**program.constants, **program.registers}
    if set(bank.values) != set(wanted):
        odd = sorted(set(bank.values) ^ set(wanted))
        raise InputError(f"{where}: {', '.join(odd)}: missing, or not in program {program.name}")
    for name, width in wanted.items():
        values = bank.values[name]
        if values.shape != (bank.size,):
            raise InputError(f"{where}: {values.size} values of {name} for {bank.size} neurons")
        _check_width(values, width, f"{where}: {name}")


def _check_width(values: IntArray, width: Width, where: str) -> None:
    low, high = width.interval
    outside = (values < low) | (values > high)
    if outside.any():
        worst = int(values[outside].flat[0])
        raise InputError(f"{where}: {worst} is outside {low}..{high} ({width})")


def start(program: MicrocodeProgram, bank: Bank, batch: int) -> dict[str, IntArray]:
    """Return the registers before the first step, int64 (batch, n) each."""
    return {name: np.tile(bank.values[name], (batch, 1)) for name in program.registers}


def step(
    program: MicrocodeProgram, bank: Bank, registers: dict[str, IntArray], total: IntArray
) -> dict[str, IntArray]:
    """Execute one step for all neurons of a layer.

    Parameters
    ----------
    program, bank
        The program and the neurons' constants.
    registers
        Their values after the step before, int64 (batch, n) each.
    total
        The sum of the synapses, int64 (batch, n).

    Returns
    -------
    dict
        The registers' values after this step.

    Raises
    ------
    InputError
        A value that leaves its width: the program does not cover such inputs.
    """
    where = f"layer {bank.layer}, program {program.name}"
    _check_width(total, program.input_width, f"{where}: {program.input}")
    values = {**registers, program.input: total}
    values |= {name: bank.values[name] for name in program.constants}
    for operation in program.operations:
        operands = [
            values[operand] if isinstance(operand, str) else operand
            for operand in operation.operands
        ]
        result = np.asarray(KINDS[operation.kind].compute(*operands)).astype(np.int64)
        width = operation.width or program.registers[operation.target]
        _check_width(result, width, f"{where}: {operation}")
        values[operation.target] = result
    return {name: values[name] for name in program.registers}
