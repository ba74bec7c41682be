"""What values a step can take: interval arithmetic over its expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from .errors import InputError
from .expression import CONDITIONS, LEAVES, SHIFTS, SPIKED, Expression
from .grid import STATE_BITS, STATE_MAX
from .neuron import Neuron, Program, program

Interval = tuple[int, int]
"""Smallest and largest value, both included."""

SHIFT_MAX = 63
_SUM_MAX, _INT32_MAX = 1 << 56, (1 << 31) - 1
_ROUNDS = 8
"""Steps after which a state that still grows is put where it would saturate, and after twice as
many is taken to have no limit."""
_WIDE = (1 - (1 << (STATE_BITS - 1)), 1 << (STATE_BITS - 1))


def _corners(compute: Callable[..., int]) -> Callable[..., Interval]:
    """Bounds of an operation that is monotone in each operand while the others are held."""

    def bounds(*intervals: Interval) -> Interval:
        values = [compute(*corner) for corner in product(*intervals)]
        return min(values), max(values)

    return bounds


def _wrapped(x: Interval) -> Interval:
    half, full = 1 << (STATE_BITS - 1), 1 << STATE_BITS
    inside = -half < x[0] and x[1] <= half
    if inside:
        return x
    # One wrap: what is further away is nearer by 2^24, and what is within is kept.
    return min(x[0] + full, 1 - half), max(x[1] - full, half)


_BOUNDS: dict[str, Callable[..., Interval]] = {
    "+": _corners(lambda x, y: x + y),
    "-": _corners(lambda x, y: x - y),
    "*": _corners(lambda x, y: x * y),
    "<<": _corners(lambda x, k: x << k),
    ">>": _corners(lambda x, k: x >> k),
    "rtz": _corners(lambda x, k: x >> k if x >= 0 else -(-x >> k)),
    "sat": _corners(lambda x: min(max(x, -STATE_MAX), STATE_MAX)),
    "wrap24": _wrapped,
    "where": lambda _condition, x, y: (min(x[0], y[0]), max(x[1], y[1])),
    **{name: lambda *_operands: (0, 1) for name in CONDITIONS},
}
"""Results for intervals of the operands, by operation."""


def interval(
    value: Any, leaf: Callable[[Expression], Interval], known: dict[Expression, Interval]
) -> Interval:
    """Return the values that an expression can take.

    Parameters
    ----------
    value
        An expression or a whole number.
    leaf
        The values of parameters, states and the input.
    known
        Keeps the intervals of all parts.

    Raises
    ------
    ValueError
        A shift by fewer than 0 or more than 63 bits.
    """
    if not isinstance(value, Expression):
        return value, value
    if value not in known:
        if value.op in LEAVES:
            known[value] = leaf(value)
        else:
            operands = [interval(arg, leaf, known) for arg in value.args]
            if value.op in SHIFTS:
                low, high = operands[1]
                if low < 0 or high > SHIFT_MAX:
                    raise ValueError(f"{value}: a shift by {low}..{high} is outside 0..{SHIFT_MAX}")
            known[value] = _BOUNDS[value.op](*operands)
    return known[value]


def parameter_ranges(record: type[Neuron]) -> dict[str, Interval]:
    """Return the values that a record's parameters may have."""
    return {entry.name: (entry.low, entry.high) for entry in record.PARAMETERS}


@dataclass(frozen=True, eq=False)
class Ranges:
    """The values of all parts of a step, whatever the parameters.

    ``states``: before and after a step; ``watched``: states without a limit of their own within
    ``limit``, which is assumed: whoever relies on it has to watch them. ``parts``: of every part.
    """

    states: Mapping[str, Interval]
    watched: frozenset[str]
    parts: Mapping[Expression, Interval]


def ranges(
    step: Program,
    sums: int,
    limit: int,
    parameters: Mapping[str, Interval] | None = None,
    given: Mapping[Expression, Interval] | None = None,
) -> Ranges:
    """Return the ranges of a step, for synaptic sums of at most ``sums`` in magnitude.

    Parameters
    ----------
    step
        The step.
    sums
        The largest magnitude of ``a``.
    limit
        What a state that the step does not limit is assumed to keep to.
    parameters
        The values of its parameters; what the record allows where None.
    given
        The values of further parts that are known.

    Raises
    ------
    InputError
        A shift by fewer than 0 or more than 63 bits.
    """
    try:
        return _ranges(step, sums, limit, parameters or parameter_ranges(step.record), given or {})
    except ValueError as error:
        raise InputError(f"neuron {step.record.TYPE}: {error}") from None


def _hull(x: Interval, y: Interval) -> Interval:
    return min(x[0], y[0]), max(x[1], y[1])


def _ranges(
    step: Program,
    sums: int,
    limit: int,
    parameters: Mapping[str, Interval],
    given: Mapping[Expression, Interval],
) -> Ranges:
    states = {name: parameters.get(f"{name}_init", (0, 0)) for name in step.record.STATES}
    watched: set[str] = set()

    def leaf(part: Expression) -> Interval:
        if part.op == "input":
            return -sums, sums
        if part.op == "parameter":
            return parameters[part.name]
        return (0, 1) if part.name == SPIKED else states[part.name]

    def grown() -> dict[str, Interval]:
        known = dict(given)
        found = {}
        for name, value in step.states.items():
            hull = _hull(states[name], interval(value, leaf, known))
            if hull != states[name] and name not in watched:
                found[name] = hull
        return found

    def after(names: Iterable[str], span: Interval) -> dict[str, Interval]:
        """Return what states are one step after ``span``."""
        known = dict(given)
        kept = {name: states[name] for name in names}
        states.update({name: _hull(before, span) for name, before in kept.items()})
        found = {name: interval(step.states[name], leaf, known) for name in kept}
        states.update(kept)
        return found

    # First one by one: a state that grows because another does is not without a limit.
    for turn in range(1, 2 * _ROUNDS * (len(states) + 1)):
        growing = grown()
        if not growing:
            break
        states |= growing
        if turn % _ROUNDS:
            continue
        if turn % (2 * _ROUNDS):
            # A state that creeps towards its saturation is there in one step from far away; one
            # that wraps at 24 bits stays within them, and comes back from no further.
            near, far = after(growing, _WIDE), after(growing, (-limit, limit))
            stays = {n for n in growing if _hull(near[n], _WIDE) == _WIDE}
            states |= {n: _hull(states[n], (near if n in stays else far)[n]) for n in growing}
        else:
            states |= dict.fromkeys(growing, (-limit, limit))
            watched |= set(growing)
    # What has a limit, but a further one, is watched too.
    watched |= {name for name, span in states.items() if max(-span[0], span[1]) > limit}
    for name in watched:
        low, high = (min(max(end, -limit), limit) for end in states[name])
        states[name] = low, high
    known = dict(given)
    for value in step.results:
        interval(value, leaf, known)
    return Ranges(states, frozenset(watched), known)


@cache
def limited_states(record: type[Neuron]) -> frozenset[str]:
    """Return the states that a step keeps within 24 bits; all others may take 32."""
    found = ranges(program(record), _SUM_MAX, _INT32_MAX)
    return frozenset(
        name
        for name, (low, high) in found.states.items()
        if low >= -STATE_MAX and high <= STATE_MAX
    )
