"""The compiled updates of neurons, printed from their steps: one step of one sample's layer.

``printed`` writes a neuron's step (``neurons/``) as a function of vectors, once for both widths of
``vectors.py``: with narrow vectors it is exact while drives and unlimited states stay below
``NARROW_MAX`` in magnitude, with wide ones always. What depends on parameters alone is computed
once per neuron and packed (``packed``).

Arguments, after ``kind``: ``n`` neurons, ``width`` of the padded rows; addresses of the packed
constants int32 (P, width) and states int32 (S, width), in the order of the record's ``STATES``; of
``drive``, the sums of all synapses shifted left by 6; of ``fired``, one int64 per vector, which
neurons spiked; of ``alarm``, one vector per state, which collects the bits of the magnitudes of
unlimited states. Neurons that spike are listed in int32 ``sources`` from ``at`` on; the end of the
list is returned, and the number of neurons whose v changed. The states of padding lanes stay 0.

"""

# Compiled functions take their arguments by position.
# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from ..export.errors import InputError
from ..export.grid import DECAY_BITS, DECAY_ONE, STATE_SHIFT, SUM_MAX
from ..neurons.expression import CONDITIONS, LEAVES, SHIFTS, SPIKED, Expression, evaluate, parts
from ..neurons.neuron import Neuron, Program, program
from ..neurons.ranges import Interval, Ranges, interval, parameter_ranges, ranges
from . import vectors
from .sources import source_digest
from .vectors import count_bits, load_drive, lowest_bit, put_int32, store_drive

NARROW_MAX = (1 << 29) - 1
"""With drives and states of at most this, no sum of a kernel leaves 32 bits."""
NARROW_SHIFT_MAX = 31
"""A vector of 32 bits that is shifted further is not defined."""
STATES_MAX = 8
"""States that a neuron may have."""

_INT32 = (-(1 << 31), (1 << 31) - 1)
_INT64 = (-(1 << 63), (1 << 63) - 1)

LIST_SLACK = 4
"""A list needs room for this many entries more than it will hold."""


@njit(forceinline=True)
def append(bits, first, sources, at):
    """List ``first`` + the places of the set bits from ``at`` on; return the end of the list."""
    # Nearly all words have few bits. Writing four places without asking how many there are is
    # cheaper than a branch that cannot be predicted; surplus entries are overwritten.
    rest = bits
    for e in range(LIST_SLACK):
        put_int32(sources, at + e, first + lowest_bit(rest))
        rest &= rest - 1
    e = at + LIST_SLACK
    while rest != 0:
        put_int32(sources, e, first + lowest_bit(rest))
        rest &= rest - 1
        e += 1
    return at + count_bits(bits)


@njit(forceinline=True)
def _valid(bits, i, n):
    """Return the bits of the vector from ``i`` on without those of padding lanes."""
    return bits if i + vectors.LANES <= n else bits & ((1 << (n - i)) - 1)


@njit(forceinline=True)
def _alert(kind, alarm, state, found):
    at = state * vectors.LANES
    store_drive(alarm, at, load_drive(kind, alarm, at) | found)


@dataclass(frozen=True, eq=False)
class Printed:
    """A neuron's step as the kernels run it.

    ``text``: the function ``update``; ``constants``: what is packed, in order; ``factors``: of
    these, the decays, which narrow arithmetic takes in 0..4096 alone; ``summed``: what has to fit
    32 bits for narrow arithmetic to be exact.
    """

    record: type[Neuron]
    text: str
    constants: tuple[Any, ...]
    factors: tuple[int, ...]
    summed: tuple[Expression, ...]

    def narrow(self, parameters: Mapping[str, Interval] | None = None) -> bool:
        """Whether narrow arithmetic is exact, for such parameters or for all."""
        found = ranges(
            program(self.record), NARROW_MAX >> STATE_SHIFT, NARROW_MAX, parameters
        ).parts
        return all(_within(found[part], _INT32) for part in self.summed) and not any(
            interval(part.args[1], found.__getitem__, {})[1] > NARROW_SHIFT_MAX
            for part in found
            if part.op in SHIFTS
        )

    @property
    def key(self) -> str:
        """What distinguishes its compiled form from all others, in any process.

        numba's cache looks at the time stamp of one file alone; the digest of all files that are
        compiled together makes an edit of any of them another function.
        """
        return f"{self.record.TYPE} {zlib.crc32(self.text.encode(), source_digest())}"


@cache
def printed(record: type[Neuron]) -> Printed:
    """Return a neuron's update.

    Raises
    ------
    InputError
        More states than ``STATES_MAX``; a value that may leave 64 bits, or a constant 32.
    """
    step = program(record)
    if len(record.STATES) > STATES_MAX:
        raise InputError(
            f"neuron {record.TYPE}: {len(record.STATES)} states, at most {STATES_MAX} are simulated"
        )
    wide = ranges(step, SUM_MAX, _INT32[1])
    for part, span in wide.parts.items():
        if not _within(span, _INT64):
            raise InputError(
                f"neuron {record.TYPE}: {part} may be {span[0]}..{span[1]}, which 64 bits do not "
                "hold; saturate its operands first"
            )
    return _Printer(record, step, wide).printed()


def packed(neuron: Neuron) -> npt.NDArray[np.int64]:
    """Return what a neuron's update reads, int64 (P, n)."""
    known: dict[Any, Any] = {}
    rows = [
        evaluate(value, lambda leaf: getattr(neuron, leaf.name), known)
        for value in printed(type(neuron)).constants
    ]
    made = np.empty((len(rows), neuron.size), np.int64)
    for place, row in zip(made, rows, strict=True):
        place[:] = row
    return made


def needs_wide(neuron: Neuron) -> bool:
    """Whether narrow arithmetic is not exact for these neurons, whatever the synapses."""
    update = printed(type(neuron))
    factors = packed(neuron)[list(update.factors)]
    if ((factors < 0) | (factors > DECAY_ONE)).any():
        return True
    if always_narrow(type(neuron)):
        return False
    values = {entry.name: getattr(neuron, entry.name) for entry in neuron.PARAMETERS}
    return not update.narrow({name: (int(x.min()), int(x.max())) for name, x in values.items()})


@cache
def always_narrow(record: type[Neuron]) -> bool:
    """Whether narrow arithmetic is exact for all parameters that a neuron may have."""
    return printed(record).narrow()


def _within(span: Interval, limits: Interval) -> bool:
    return limits[0] <= span[0] and span[1] <= limits[1]


def _is_constant(value: Any) -> bool:
    """Whether a value depends on parameters alone."""
    return not isinstance(value, Expression) or value.is_constant


_CALLS = {">>": "shifted_right", "<<": "shifted_left", "rtz": "truncated"}
_COMPARED = {
    ">": "above_bits({0}, {1})",
    "<": "above_bits({1}, {0})",
    ">=": "reach_bits({0}, {1})",
    "<=": "reach_bits({1}, {0})",
    "&": "{0} & {1}",
    "|": "{0} | {1}",
    "~": "{0} ^ ALL_LANES",
}


class _Printer:
    """Writes the vector function of one step: each expression is a line, and is written once."""

    def __init__(self, record: type[Neuron], step: Program, wide: Ranges) -> None:
        self._record, self._step = record, step
        # The text is the same for both widths, whose limits differ.
        narrow = ranges(step, NARROW_MAX >> STATE_SHIFT, NARROW_MAX)
        self._watched, self._spans = wide.watched | narrow.watched, wide.parts
        self._constants: list[Any] = []
        self._factors: set[int] = set()
        self._names: dict[Any, str] = {}
        self._lines: list[str] = []
        self._summed: list[Expression] = []
        self._uses_spikes = any(
            part.op == "state" and part.name == SPIKED for part in parts(step.results)
        )
        # Whether padding, where all that is read is 0, stays 0.
        known: dict[Any, Any] = {
            part: np.bool_(0) if part.is_condition else np.int64(0)
            for part in parts(step.results)
            if part.op in LEAVES or _is_constant(part)
        }
        self._stays_zero = not any(
            evaluate(value, lambda leaf: known[leaf], known) for value in step.states.values()
        )

    def printed(self) -> Printed:
        step, states = self._step, self._record.STATES
        for value in step.results:
            self._of(value)
        for state, value in step.states.items():
            if state == "v":
                before = self._of(Expression.of("state", "v"))
                bits = f"unequal_bits({self._of(value)}, {before})"
                if not self._stays_zero:
                    bits = f"valid({bits}, i, n)"
                self._say(f"changed += count_bits({bits})")
            if state in self._watched:
                self._say(f"{state}_found = {state}_found | magnitude({self._of(value)})")
        for index, value in enumerate(step.states.values()):
            kept = self._of(value)
            if not self._stays_zero:
                kept = f"kept_where(valid(-1, i, n), {kept})"
            self._say(f"store(s, {index} * width + i, {kept})")
        if step.spiked is not None:
            self._say(f"bits = valid({self._of(step.spiked)}, i, n)")
            if self._uses_spikes:
                self._say("put_int64(fired, i // LANES, bits)")
            self._say("at = append(bits, i, sources, at)")
        watched = [state for state in states if state in self._watched]
        text = "\n".join(
            [
                "def update(kind, n, width, p, s, drive, fired, alarm, sources, at):",
                "    changed = 0",
                *(f"    {state}_found = zeros(kind)" for state in watched),
                "    for i in range(0, n, LANES):",
                *(f"        {line}" for line in self._lines),
                *(
                    f"    alert(kind, alarm, {states.index(state)}, {state}_found)"
                    for state in watched
                ),
                "    return at, changed",
                "",
            ]
        )
        return Printed(
            self._record,
            text,
            tuple(self._constants),
            tuple(sorted(self._factors)),
            tuple(self._summed),
        )

    def _say(self, line: str) -> None:
        self._lines.append(line)

    def _span(self, value: Any) -> Interval:
        parameters = parameter_ranges(self._record)
        return interval(value, lambda leaf: parameters[leaf.name], dict(self._spans))

    def _of(self, value: Any) -> str:
        """Return the name of a value, written where it was not yet."""
        if value not in self._names:
            text = self._packed(value) if _is_constant(value) else self._written(value)
            name = f"x{len(self._names)}"
            self._names[value] = name
            self._say(f"{name} = {text}")
        return self._names[value]

    def _packed(self, value: Any) -> str:
        if not isinstance(value, Expression):
            self._check(value)
            return f"spread(kind, {value})"
        loaded = f"load(kind, p, {self._place(value)} * width + i)"
        return f"above_bits({loaded}, spread(kind, 0))" if value.is_condition else loaded

    def _place(self, value: Expression) -> int:
        if value not in self._constants:
            if not _within(self._span(value), _INT32):
                raise InputError(f"neuron {self._record.TYPE}: {value} does not fit 32 bits")
            self._constants.append(value)
        return self._constants.index(value)

    def _written(self, value: Expression) -> str:
        if value.op == "state":
            if value.name == SPIKED:
                return "get_int64(fired, i // LANES)"
            return f"load(kind, s, {self._record.STATES.index(value.name)} * width + i)"
        if value.op == "input":
            return f"shifted_right(load_drive(kind, drive, i), spread(kind, {STATE_SHIFT}))"
        if value.op == "<<" and str(value) == f"(a << {STATE_SHIFT})":
            return "load_drive(kind, drive, i)"
        if value.op in CONDITIONS:
            return _COMPARED[value.op].format(*map(self._of, value.args))
        self._summed.append(value)
        return self._arithmetic(value)

    def _arithmetic(self, value: Expression) -> str:
        args = value.args
        if value.op == "where":
            return self._chosen(*args)
        if value.op == "rtz":
            factors = self._product(args[0])
            if factors is not None:
                return self._truncated(*factors, args[1])
        if value.op == "sat":
            return (
                f"{'capped' if self._span(args[0])[0] >= 0 else 'saturated'}({self._of(args[0])})"
            )
        if value.op == "wrap24":
            return f"wrapped({self._of(args[0])})"
        left, right = map(self._of, args)
        return (
            f"{_CALLS[value.op]}({left}, {right})"
            if value.op in _CALLS
            else f"{left} {value.op} {right}"
        )

    def _chosen(self, condition: Any, x: Any, y: Any) -> str:
        if isinstance(x, Expression) and x.is_condition:
            c = self._of(condition)
            return f"({c} & {self._of(x)}) | (({c} ^ ALL_LANES) & {self._of(y)})"
        if isinstance(y, int) and y == 0:
            return f"kept_where({self._of(condition)}, {self._of(x)})"
        if isinstance(x, int) and x == 0:
            return f"kept_where({self._of(condition)} ^ ALL_LANES, {self._of(y)})"
        return f"chosen({self._of(condition)}, {self._of(x)}, {self._of(y)})"

    @staticmethod
    def _product(value: Any) -> tuple[Any, Any] | None:
        """Return the factors of a product, a constant one last."""
        if not isinstance(value, Expression) or value.op != "*":
            return None
        x, y = value.args
        return (y, x) if _is_constant(x) else (x, y)

    def _truncated(self, x: Any, factor: Any, bits: Any) -> str:
        """Write ``rtz(x factor, bits)``, whose product may be wider than a narrow vector."""
        low, high = self._span(factor)
        if (
            isinstance(factor, Expression)
            and _is_constant(factor)
            and bits == DECAY_BITS
            and high <= DECAY_ONE
        ):
            # A factor that may be negative is looked at when the layer is prepared.
            if low < 0:
                self._factors.add(self._place(factor))
            name = "decayed_magnitude" if low >= 0 and self._span(x)[0] >= 0 else "decayed"
            return f"{name}({self._of(x)}, {self._of(factor)})"
        return f"scaled({self._of(x)}, {self._of(factor)}, {self._of(bits)})"

    def _check(self, value: int) -> None:
        if not _within((value, value), _INT32):
            raise InputError(f"neuron {self._record.TYPE}: {value} does not fit 32 bits")


@cache
def compiled_update(record: type[Neuron]) -> Any:
    """Return a neuron's update as compiled functions call it."""
    place: dict[str, Any] = {
        **vars(vectors),
        "ALL_LANES": (1 << vectors.LANES) - 1,
        "append": append,
        "valid": _valid,
        "alert": _alert,
    }
    exec(compile(printed(record).text, f"<update of {record.TYPE}>", "exec"), place)
    update = place["update"]
    update.__name__ = update.__qualname__ = f"update_{record.TYPE}"
    return njit(forceinline=True)(update)
