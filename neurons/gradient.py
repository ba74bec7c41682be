"""The step of a neuron of real numbers as a graph, and its gradient by reverse mode."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from .errors import InputError
from .expression import parts
from .real import FloatNeuron, coefficients_of

LEAVES = frozenset({"state", "coefficient", "current", "adjoint"})

_MADE: dict[tuple[Any, ...], Node] = {}


class Node:
    """A value of a step: an operation on values and numbers, or a leaf with a name.

    Operations: ``+ - *``; ``fma``: x y + z; ``spike``: 1 where x > 0; ``surrogate``: the derivative
    that stands for that of the spike; ``relu``, ``detach``. Equal nodes are one object.
    """

    __slots__ = ("args", "op")
    __array_ufunc__ = None

    op: str
    args: tuple[Any, ...]

    @staticmethod
    def of(op: str, *args: Any) -> Node:
        """Return the node of an operation.

        Raises
        ------
        TypeError
            An argument that is neither a finite number nor a node.
        """
        for arg in args if op not in LEAVES else ():
            if isinstance(arg, bool) or not isinstance(arg, (Node, int, float, np.number)):
                raise TypeError(f"{arg!r} is not a number")
            if not isinstance(arg, Node) and not math.isfinite(arg):
                raise TypeError(f"{arg!r} is not finite")
        key = (op, *args)
        made = _MADE.get(key)
        if made is None:
            made = Node.__new__(Node)
            made.op, made.args = op, args
            _MADE[key] = made
        return made

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes among the arguments."""
        return tuple(arg for arg in self.args if isinstance(arg, Node))

    def __add__(self, other: Any) -> Node:
        return Node.of("+", self, other)

    def __radd__(self, other: Any) -> Node:
        return Node.of("+", other, self)

    def __sub__(self, other: Any) -> Node:
        return Node.of("-", self, other)

    def __rsub__(self, other: Any) -> Node:
        return Node.of("-", other, self)

    def __mul__(self, other: Any) -> Node:
        return Node.of("*", self, other)

    def __rmul__(self, other: Any) -> Node:
        return Node.of("*", other, self)

    def __neg__(self) -> Node:
        return Node.of("-", 0.0, self)

    def addcmul(self, x: Any, y: Any) -> Node:
        """Return ``x y + self``."""
        return Node.of("fma", x, y, self)

    def lerp(self, end: Any, weight: Any) -> Node:
        """Return ``self + weight (end - self)``."""
        return Node.of("fma", weight, end - self, self)

    def relu(self) -> Node:
        """Return ``max(0, self)``."""
        return Node.of("relu", self)

    def detach(self) -> Node:
        """Return itself, without a gradient."""
        return Node.of("detach", self)

    def __bool__(self) -> bool:
        raise TypeError("a step cannot branch on a value")

    def exp(self) -> Node:
        """Refuse an exponential, which belongs into the coefficients."""
        raise TypeError("a step has no exp; compute it in coefficients, once per sequence")

    sqrt = exp


@dataclass(frozen=True, eq=False)
class FloatProgram:
    """A step as nodes: the states after it by name; ``coefficients``: names, in their order."""

    neuron: type[FloatNeuron]
    coefficients: tuple[str, ...]
    states: dict[str, Any]


@cache
def float_program(neuron: type[FloatNeuron]) -> FloatProgram:
    """Return the nodes of a neuron's step.

    Raises
    ------
    InputError
        The step uses something else than ``Node`` has, or returns other states than declared.
    """
    ones = {entry.name: np.ones(1) for entry in neuron.PARAMETERS}
    where = f"neuron {neuron.NAME}"
    names = tuple(coefficients_of(neuron, ones))
    if "bias" in names:
        raise InputError(f"{where}: coefficients: bias is taken (c.bias where BIAS_IN_STEP)")
    unknown = [name for name in neuron.DECAYS if name not in names]
    if unknown:
        raise InputError(f"{where}: DECAYS names {', '.join(unknown)}, which are no coefficients")
    # Functions of a user's own file may raise anything.
    try:
        own = (*names, *(["bias"] if neuron.BIAS_IN_STEP else []))
        c = SimpleNamespace(**{name: Node.of("coefficient", name) for name in own})
        s = SimpleNamespace(**{name: Node.of("state", name) for name in neuron.STATES})
        after = neuron.step(c, s, Node.of("current"), _spike)
    except Exception as error:  # noqa: BLE001
        raise InputError(f"{where}: step: {type(error).__name__}: {error}") from None
    if not isinstance(after, dict) or set(after) != set(neuron.STATES):
        found = ", ".join(map(str, after)) if isinstance(after, dict) else type(after).__name__
        raise InputError(f"{where}: step returns {found}, needs {', '.join(neuron.STATES)}")
    return FloatProgram(neuron, names, {name: after[name] for name in neuron.STATES})


def _spike(x: Any) -> Node:
    if not isinstance(x, Node):
        raise TypeError(f"spike({x!r}): a number never changes")
    return Node.of("spike", x)


def adjoints(program: FloatProgram) -> dict[Node, Any]:
    """Return the gradient of every part of a step, as nodes; also of its leaves.

    The gradient of the loss with respect to a state after the step is the leaf ``adjoint`` of the
    state's name. What is not there has no gradient.
    """
    found: dict[Node, Any] = {}

    def add(target: Any, gradient: Any) -> None:
        if isinstance(target, Node):
            found[target] = found[target] + gradient if target in found else gradient

    def add_product(target: Any, gradient: Any, factor: Any) -> None:
        if isinstance(target, Node):
            before = found.get(target)
            found[target] = (
                gradient * factor if before is None else before.addcmul(gradient, factor)
            )

    for name, value in program.states.items():
        add(value, Node.of("adjoint", name))
    for node in reversed(list(parts(program.states.values()))):
        g = found.get(node)
        if g is None or node.op in LEAVES or node.op == "detach":
            continue
        args = node.args
        if node.op == "+":
            add(args[0], g)
            add(args[1], g)
        elif node.op == "-":
            add(args[0], g)
            if isinstance(args[1], Node):
                found[args[1]] = found[args[1]] - g if args[1] in found else -g
        elif node.op in {"*", "fma"}:
            add_product(args[0], g, args[1])
            add_product(args[1], g, args[0])
            if node.op == "fma":
                add(args[2], g)
        elif node.op == "spike":
            add_product(args[0], g, Node.of("surrogate", args[0]))
        elif node.op == "relu":
            add_product(args[0], g, Node.of("spike", args[0]))
    return found
