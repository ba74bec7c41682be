"""What a neuron model in microcode has to compute, printed from its step.

A chip that lacks a neuron model needs it in microcode. A ``MicrocodeProgram`` says what that is:
registers, constants and the operations of a step in order, each with the width that holds its
results for all values of the operands. It is the graph of the step (``neurons/``) written down, so
that a new neuron needs nothing here. The text is made by ``microcode_text.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ..export.errors import InputError
from ..export.grid import STATE_BITS, STATE_MAX, SUM_MAX, IntArray
from ..export.network import Network, Neuron
from ..neurons.expression import LEAVES, SPIKED, Expression, evaluate, parts
from ..neurons.neuron import initial_state, program
from ..neurons.ranges import Interval, interval, parameter_ranges, ranges
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
    each register holds after the step.
    """

    record: type[Neuron]
    input_width: Width
    registers: Mapping[str, Width]
    constants: Mapping[str, tuple[Any, Width]]
    operations: tuple[Operation, ...]
    after: Mapping[str, str | int]

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
        rows |= {SPIKED: 0} if SPIKED in self.registers else {}
        return {
            name: np.broadcast_to(row, neuron.size).astype(np.int64) for name, row in rows.items()
        }


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


@cache
def microcode(record: type[Neuron], sum_bits: int) -> MicrocodeProgram:
    """Return a neuron's program for synaptic sums of so many bits, the sign among them.

    Raises
    ------
    InputError
        A value may need more than 64 bits, or one wrap does not bring it back to 24.
    """
    return _Printer(record, sum_bits).printed()


@cache
def largest_sum(record: type[Neuron]) -> int:
    """Return the largest magnitude of synaptic sums that a neuron's program takes.

    Raises
    ------
    InputError
        It takes none.
    """
    for bits in range(SUM_MAX.bit_length(), 2, -1):
        try:
            microcode(record, bits)
        except InputError:
            continue
        return _largest(bits)
    microcode(record, 2)
    return _largest(2)


def _largest(sum_bits: int) -> int:
    return (1 << (sum_bits - 1)) - 1


class _Printer:
    """Writes one step: what depends on parameters alone is a constant, all else an operation."""

    def __init__(self, record: type[Neuron], sum_bits: int) -> None:
        self._record, self._step, self._sum_bits = record, program(record), sum_bits
        self._found = ranges(self._step, _largest(sum_bits), REGISTER_MAX)
        self._taken = {INPUT, SPIKED, *record.STATES}
        self._names: dict[Expression, str] = {
            Expression.of("state", name): name for name in (*record.STATES, SPIKED)
        }
        self._names[Expression.of("input", INPUT)] = INPUT
        self._constants: dict[str, tuple[Any, Width]] = {}
        self._operations: list[Operation] = []

    def printed(self) -> MicrocodeProgram:
        step = self._step
        registers = {name: narrowest(span) for name, span in self._found.states.items()}
        after = {name: self._of(value) for name, value in step.states.items()}
        if step.spiked is not None or Expression.of("state", SPIKED) in parts(step.results):
            registers[SPIKED] = Width("u", 1)
            after[SPIKED] = 0 if step.spiked is None else self._of(step.spiked)
        return MicrocodeProgram(
            self._record,
            Width("s", self._sum_bits),
            registers,
            self._constants,
            tuple(self._operations),
            after,
        )

    def _of(self, value: Any) -> str | int:
        """Return the name of a value, written where it was not yet."""
        if not isinstance(value, Expression):
            return value
        if value not in self._names:
            constant = all(part.op not in {"state", "input"} for part in parts((value,)))
            self._names[value] = self._constant(value) if constant else self._operation(value)
        return self._names[value]

    def _constant(self, value: Expression) -> str:
        derived = sum(name.startswith("@") for name in self._constants)
        name = value.name if value.op in LEAVES else f"@{derived + 1}"
        # A step tells parameters from states, a listing has one list of names.
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        self._constants[name] = value, self._width(value)
        return name

    def _operation(self, value: Expression) -> str:
        operands = tuple(map(self._of, value.args))
        if value.op == "wrap24":
            self._check_wrap(value.args[0])
        kind, note = KINDS[value.op]
        target = f"%{len(self._operations) + 1}"
        self._operations.append(Operation(target, self._width(value), kind, operands, note))
        return target

    def _span(self, value: Expression) -> Interval:
        parameters = parameter_ranges(self._record)
        return interval(value, lambda leaf: parameters[leaf.name], dict(self._found.parts))

    def _width(self, value: Expression) -> Width:
        low, high = self._span(value)
        half = 1 << (WIDEST - 1)
        if low < -half or high >= half:
            raise InputError(
                f"neuron {self._record.TYPE}: {value} may be {low}..{high}, which {WIDEST} bits "
                "do not hold; saturate its operands first"
            )
        return narrowest((low, high))

    def _check_wrap(self, value: Expression) -> None:
        low, high = self._span(value)
        half, full = 1 << (STATE_BITS - 1), 1 << STATE_BITS
        if low <= -half - full or high > half + full:
            raise InputError(
                f"neuron {self._record.TYPE}: {value} may be {low}..{high}, which one wrap does "
                f"not bring to {STATE_BITS} bits"
            )


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
        limit = largest_sum(kind)
        if bound > limit:
            problems.append(
                f"layer {layer.name}: {kind.TYPE}: sums up to {bound}, the program takes {limit}; "
                "use smaller weights or inputs"
            )
        widest[kind] = max(widest.get(kind, 1), bound)
    if problems:
        raise InputError(f"{chip.title}: {'; '.join(problems)}")
    if not needing:
        kinds = ", ".join(sorted({layer.neuron.TYPE for layer in network.layers}))
        raise InputError(f"no layer needs a program: {chip.title} runs {kinds} by itself")
    programs = {
        kind.TYPE: microcode(kind, 1 + bound.bit_length()) for kind, bound in widest.items()
    }
    banks = (
        Bank(layer.name, layer.neuron.TYPE, layer.size, made.values(layer.neuron))
        for layer in needing
        for made in (programs[layer.neuron.TYPE],)
    )
    return Listing(programs, tuple(banks))
