"""What a neuron model in microcode has to compute, printed from its step.

A chip that lacks a neuron model needs it in microcode. A ``MicrocodeProgram`` says what that is:
registers, constants and the operations of a step in order, each with the width that holds its
results for all values of the operands. It is the graph of the step (``neurons/``) written down, so
that a new neuron needs nothing here. The text is made by ``microcode_text.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..export.errors import InputError
from ..export.grid import STATE_BITS, STATE_MAX, SUM_MAX, IntArray
from ..export.network import Network, Neuron
from ..neurons.expression import LEAVES, SPIKED, Expression, evaluate, parts
from ..neurons.neuron import initial_state, program
from ..neurons.ranges import Interval, Ranges, interval, parameter_ranges, ranges
from .boards import Chip
from .programs import IMPOSSIBLE, MICROCODE, support
from .widths import REGISTER_MAX, WIDEST, Width, narrowest

INPUT = "a"
"""The name of the synaptic sum."""

KINDS: dict[str, tuple[str, str]] = {
    "+": ("add", "exact"),
    "-": ("sub", "exact"),
    "*": ("mul", "exact"),
    "<<": ("shl", "exact"),
    ">>": ("shr", "floor"),
    "rtz": ("rtz", "toward zero"),
    "sat": ("sat24", f"saturates at +-{STATE_MAX}"),
    "wrap24": ("wrap24", "wraps once at 24 bits"),
    ">": ("gt", "1 where x > y"),
    ">=": ("ge", "1 where x >= y"),
    "<": ("lt", "1 where x < y"),
    "<=": ("le", "1 where x <= y"),
    "&": ("and", "1 where both are"),
    "|": ("or", "1 where one is"),
    "~": ("not", "1 where x is 0"),
    "where": ("sel", "x where c is 1, else y"),
}
"""Operations of a step to their names in a listing, and what is to be said of their results."""


@dataclass(frozen=True)
class Operation:
    """``target width = kind operands``; an operand is a name or a whole number."""

    target: str
    width: Width
    kind: str
    operands: tuple[str | int, ...]
    note: str

    def __str__(self) -> str:
        return f"{self.target} {self.width} = {self.kind} {' '.join(map(str, self.operands))}"


@dataclass(frozen=True, eq=False)
class MicrocodeProgram:
    """The program of a neuron model for synaptic sums of ``input_width``.

    ``registers`` keep their values from step to step: the states, and the spike of a neuron that
    has one. ``constants``: by name, what each is of the parameters, and its width. ``after``: what
    each register holds after the step. ``watched``: registers that the step does not limit.
    """

    record: type[Neuron]
    input_width: Width
    registers: Mapping[str, Width]
    constants: Mapping[str, tuple[Any, Width]]
    operations: tuple[Operation, ...]
    after: Mapping[str, str | int]
    watched: frozenset[str]

    @property
    def name(self) -> str:
        """The neuron's name in a file."""
        return self.record.TYPE

    @property
    def counts(self) -> dict[str, int]:
        """How often a step uses each kind of operation, by name."""
        counted = Counter(operation.kind for operation in self.operations)
        return {kind: counted[kind] for kind, _ in KINDS.values() if kind in counted}

    def values(self, neuron: Neuron) -> dict[str, IntArray]:
        """Return every constant, and every register before the first step, int64 (n,)."""
        known: dict[Any, Any] = {}
        rows = {
            name: evaluate(made, lambda leaf: getattr(neuron, leaf.name), known)
            for name, (made, _) in self.constants.items()
        }
        rows |= {name: row[0] for name, row in initial_state(neuron, 1).items()}
        rows |= {SPIKED: 0} if neuron.SPIKING else {}
        return {name: np.broadcast_to(row, neuron.size).astype(np.int64) for name, row in rows.items()}


@dataclass(frozen=True, eq=False)
class Bank:
    """The neurons of one layer: values (n,) of every constant, and of registers at the start."""

    layer: str
    program: str
    size: int
    values: dict[str, IntArray]


@dataclass(frozen=True, eq=False)
class Listing:
    """The programs of a network by name, and the layers that run them."""

    programs: dict[str, MicrocodeProgram]
    banks: tuple[Bank, ...]


def microcode(record: type[Neuron], sum_bits: int) -> MicrocodeProgram:
    """Return a neuron's program for synaptic sums of so many bits, with the sign.

    Raises
    ------
    InputError
        A value may need more than 64 bits, or one wrap does not bring it back to 24.
    """
    return _Printer(record, sum_bits).printed()


class _Printer:
    """Writes one step: what depends on parameters alone is a constant, all else an operation."""

    def __init__(self, record: type[Neuron], sum_bits: int) -> None:
        self._record, self._step, self._sum_bits = record, program(record), sum_bits
        self._found = _ranges(record, sum_bits)
        self._names: dict[Any, str | int] = {
            Expression.of("state", name): name for name in (*record.STATES, SPIKED)
        }
        self._names[Expression.of("input", INPUT)] = INPUT
        self._constants: dict[str, tuple[Any, Width]] = {}
        self._operations: list[Operation] = []

    def printed(self) -> MicrocodeProgram:
        step, record = self._step, self._record
        registers = {name: narrowest(span) for name, span in self._found.states.items()}
        after = {name: self._of(value) for name, value in step.states.items()}
        if step.spiked is not None:
            registers[SPIKED] = Width("u", 1)
            after[SPIKED] = self._of(step.spiked)
        return MicrocodeProgram(
            record, Width("s", self._sum_bits), registers, self._constants,
            tuple(self._operations), after, self._found.watched,
        )  # fmt: skip

    def _of(self, value: Any) -> str | int:
        """Return the name of a value, written where it was not yet."""
        if not isinstance(value, Expression):
            return value
        if value not in self._names:
            write = self._constant if _is_constant(value) else self._operation
            self._names[value] = write(value)
        return self._names[value]

    def _width(self, value: Expression) -> Width:
        parameters = parameter_ranges(self._record)
        span = interval(value, lambda leaf: parameters[leaf.name], dict(self._found.parts))
        return _width(self._record, value, span)

    def _constant(self, value: Expression) -> str:
        name = value.name if value.op in LEAVES else f"@{len(self._constants) + 1}"
        # A step knows parameters and states apart, a listing has one list of names.
        while name in {INPUT, SPIKED, *self._record.STATES, *self._constants}:
            name += "_"
        self._constants[name] = value, self._width(value)
        return name

    def _operation(self, value: Expression) -> str:
        operands = tuple(map(self._of, value.args))
        kind, note = KINDS[value.op]
        target = f"%{len(self._operations) + 1}"
        self._operations.append(Operation(target, self._width(value), kind, operands, note))
        return target


def _is_constant(value: Expression) -> bool:
    leaves = {part.op for part in parts((value,)) if part.op in LEAVES}
    return leaves <= {"parameter"}


def _width(record: type[Neuron], value: Any, span: Interval) -> Width:
    low, high = span
    if low < -(1 << (WIDEST - 1)) or high >= 1 << (WIDEST - 1):
        raise InputError(
            f"neuron {record.TYPE}: {value} may be {low}..{high}, which {WIDEST} bits do not hold; "
            "saturate its operands first, or use smaller weights or inputs"
        )
    return narrowest(span)


def _ranges(record: type[Neuron], sum_bits: int) -> Ranges:
    """Return the ranges of a step; the sums are those of ``sum_bits`` with their sign.

    Raises
    ------
    InputError
        A wrap whose operand one wrap does not bring back.
    """
    found = ranges(program(record), (1 << (sum_bits - 1)) - 1, REGISTER_MAX)
    half, full = 1 << (STATE_BITS - 1), 1 << STATE_BITS
    for part in found.parts:
        if part.op == "wrap24" and isinstance(part.args[0], Expression):
            low, high = found.parts[part.args[0]]
            if low <= -half - full or high > half + full:
                raise InputError(f"one wrap does not bring {low}..{high} to {STATE_BITS} bits")
    return found


def _sums_taken(record: type[Neuron]) -> int:
    """Return the bits of the widest sums, with their sign, that a program takes."""
    def taken(bits: int) -> bool:
        try:
            _ranges(record, bits)
        except InputError:
            return False
        return True

    return next((bits for bits in range(SUM_MAX.bit_length(), 1, -1) if taken(bits)), 1)


def listing(network: Network, chip: Chip) -> Listing:
    """Return the programs that a chip needs in microcode for a network, with every constant.

    Raises
    ------
    InputError
        No layer needs one; or layers that the chip cannot run, or whose sums are too large.
    """
    problems, needing = [], []
    message = (1 << network.message_bits) - 1 if network.message_bits else 1
    widest: dict[type[Neuron], int] = {}
    for index, layer in enumerate(network.layers):
        kind = type(layer.neuron)
        found = support(chip, kind)
        if found.kind == IMPOSSIBLE:
            problems.append(f"layer {layer.name}: {kind.TYPE}: {found.reason}")
        if found.kind != MICROCODE:
            continue
        needing.append(layer)
        bound = layer.largest_sum(message if index == 0 else 1)
        bits = 1 + max(1, bound.bit_length())
        ...
    return Listing({}, ())
