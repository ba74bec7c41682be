"""The small language that a neuron's step is written in.

A step is a pure Python function of integers. On NumPy arrays it runs as it stands. On expressions
it returns what it computes, as a graph, from which kernels, listings, ranges and counts are
derived. The vocabulary, besides whole numbers::

    + - *    << >>    > >= < <=    & | ~ of conditions
    rtz(x, k)  sat(x)  wrap24(x)  where(condition, x, y)          (grid.py)

Anything else, such as a float, a division or an ``if``, is refused with the line that holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

CONDITIONS = frozenset({">", ">=", "<", "<=", "&", "|", "~"})
"""Operations whose result is a condition."""
LEAVES = frozenset({"state", "parameter", "input"})
SHIFTS = frozenset({"<<", ">>", "rtz"})
"""Operations that shift by their second operand."""
SPIKED = "spiked"
"""The name, among the states, of whether a neuron spiked at the step before."""

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "<<": np.left_shift,
    ">>": np.right_shift,
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
    "&": np.logical_and,
    "|": np.logical_or,
    "~": np.logical_not,
}
"""Operations by name, on NumPy arrays; those that ``operation`` defines are added."""

_MADE: dict[tuple[Any, ...], Expression] = {}


class StepError(TypeError):
    """A step uses what a step may not."""


class Expression:
    """A value of a step: an operation on values, integers and names.

    Equal expressions are one object, so that common parts are computed once. ``op`` is a key of
    the vocabulary or one of ``LEAVES``, whose one argument is a name.
    """

    __slots__ = ("args", "op")
    # Operators with NumPy's numbers come to the methods below.
    __array_ufunc__ = None

    op: str
    args: tuple[Any, ...]

    @staticmethod
    def of(op: str, *args: Any) -> Any:
        """Return the expression of an operation.

        Raises
        ------
        StepError
            An argument that is neither a whole number nor an expression.
        """
        args = args if op in LEAVES else tuple(map(whole_or_expression, args))
        if op not in LEAVES:
            _check_kinds(op, args)
        key = (op, *args)
        made = _MADE.get(key)
        if made is None:
            made = Expression.__new__(Expression)
            made.op, made.args = op, args
            _MADE[key] = made
        return made

    @property
    def name(self) -> str:
        """The name of a leaf."""
        return self.args[0]

    @property
    def is_condition(self) -> bool:
        """Whether it is true or false."""
        if self.op == "where":
            return isinstance(self.args[1], Expression) and self.args[1].is_condition
        return self.op in CONDITIONS or (self.op == "state" and self.name == SPIKED)

    @property
    def is_constant(self) -> bool:
        """Whether it depends on parameters alone."""
        return self.op not in {"state", "input"} and all(arg.is_constant for arg in self.inputs)

    @property
    def inputs(self) -> tuple[Expression, ...]:
        """The expressions among the arguments."""
        return tuple(arg for arg in self.args if isinstance(arg, Expression))

    def __repr__(self) -> str:
        if self.op in LEAVES:
            return "a" if self.op == "input" else f"{self.name}"
        args = [repr(arg) for arg in self.args]
        if self.op == "~":
            return f"~{args[0]}"
        if self.op in _FUNCTIONS and not self.op.isidentifier():
            return f"({args[0]} {self.op} {args[1]})"
        return f"{self.op}({', '.join(args)})"

    def __bool__(self) -> bool:
        raise StepError("a step cannot branch on a value (if, and, or, not, max); use where")

    def _refuse(self, *_args: object) -> Any:
        raise StepError("a step of integers has + - * << >> and comparisons; write rtz or >>")

    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _refuse
    __mod__ = __rmod__ = __pow__ = __rpow__ = __abs__ = __float__ = __int__ = _refuse

    def __neg__(self) -> Any:
        return Expression.of("-", 0, self)

    def __invert__(self) -> Any:
        return Expression.of("~", self)


def _reflected(op: str) -> tuple[Any, Any]:
    def direct(self: Expression, other: Any) -> Any:
        return Expression.of(op, self, other)

    def swapped(self: Expression, other: Any) -> Any:
        return Expression.of(op, other, self)

    return direct, swapped


for _op, _name in {
    "+": "add", "-": "sub", "*": "mul", "<<": "lshift", ">>": "rshift", "&": "and", "|": "or",
}.items():  # fmt: skip
    _direct, _swapped = _reflected(_op)
    setattr(Expression, f"__{_name}__", _direct)
    setattr(Expression, f"__r{_name}__", _swapped)
for _op, _name in {">": "gt", ">=": "ge", "<": "lt", "<=": "le"}.items():
    setattr(Expression, f"__{_name}__", _reflected(_op)[0])


def whole_or_expression(value: Any) -> Any:
    """Return a value of a step; a whole number as ``int``.

    Raises
    ------
    StepError
        It is neither a whole number nor an expression.
    """
    if isinstance(value, Expression):
        return value
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    raise StepError(f"{value!r} is not a whole number; a step computes with integers alone")


def _check_kinds(op: str, args: tuple[Any, ...]) -> None:
    """Refuse sums of conditions and conditions that are numbers: NumPy and chips differ there."""

    def condition(value: Any) -> bool:
        return isinstance(value, Expression) and value.is_condition

    if op in {"&", "|", "~"}:
        wrong = not all(map(condition, args))
    elif op == "where":
        wrong = not condition(args[0]) or condition(args[1]) != condition(args[2])
    else:
        wrong = any(map(condition, args))
    if wrong:
        raise StepError(
            f"{op} on {', '.join(map(repr, args))}: conditions and numbers do not mix; "
            "use where(condition, x, 0)"
        )


def operation(function: F) -> F:
    """Add a function of arrays to the vocabulary; of expressions it makes an expression."""
    name = function.__name__
    _FUNCTIONS[name] = function

    @wraps(function)
    def called(*args: Any) -> Any:
        if any(isinstance(arg, Expression) for arg in args):
            return Expression.of(name, *args)
        return function(*args)

    return called  # type: ignore[return-value]


def evaluate(value: Any, leaf: Callable[[Expression], Any], known: dict[Any, Any]) -> Any:
    """Return what an expression is, for given leaves.

    ``known`` keeps the values of its parts, and may be given to further calls.
    """
    if not isinstance(value, Expression):
        return value
    if value not in known:
        if value.op in LEAVES:
            known[value] = leaf(value)
        else:
            args = [evaluate(arg, leaf, known) for arg in value.args]
            known[value] = _FUNCTIONS[value.op](*args)
    return known[value]


def parts(values: Iterable[Any]) -> Iterator[Any]:
    """Yield the expressions that others are made of, and they, each once, inputs first.

    An expression is what has ``inputs``: also a node of ``gradient.py``.
    """
    seen: set[Any] = set()

    def visit(value: Any) -> Iterator[Any]:
        if hasattr(value, "inputs") and value not in seen:
            seen.add(value)
            for part in value.inputs:
                yield from visit(part)
            yield value

    for value in values:
        yield from visit(value)
