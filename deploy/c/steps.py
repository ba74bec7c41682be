"""A neuron's step as C, printed from its expressions.

Every value is computed in 32 bits where the ranges of its parts prove that this is exact, in 64
elsewhere. Shifts of negative numbers and sums that overflow, which C leaves open, do not occur.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...export.errors import InputError
from ...export.grid import DECAY_BITS, DECAY_ONE, STATE_MAX, IntArray
from ...export.network import Neuron
from ...neurons.expression import CONDITIONS, LEAVES, SHIFTS, SPIKED, Expression, evaluate, parts
from ...neurons.neuron import program
from ...neurons.ranges import Interval, ranges
from .tables import commented, literal, table

_INT32_MAX, _INT64_MAX = (1 << 31) - 1, (1 << 63) - 1
_SHIFT32_MAX, _SHIFT64_MAX = 30, 62
"""The largest shifts whose power of two is a number of that width."""


@dataclass(frozen=True)
class _Text:
    """An expression of C: ``wide`` where it is an int64_t, ``whole`` where it needs no brackets."""

    text: str
    wide: bool = False
    whole: bool = False

    @property
    def inner(self) -> str:
        """The text as an operand."""
        return self.text if self.whole else f"({self.text})"


@dataclass(frozen=True)
class Step:
    """A population's step.

    ``tables``: definitions of its parameters; ``lines``: the body of the loop over its neurons
    ``i`` of the state ``s``, which ends with the value of ``fired`` where the neuron spikes;
    ``equations``: what it computes; ``uses_sums``, ``uses_spikes``: whether it reads ``a``, and
    whether a neuron spiked at the step before.
    """

    tables: tuple[str, ...]
    lines: tuple[str, ...]
    equations: tuple[str, ...]
    uses_sums: bool
    uses_spikes: bool


def state_member(state: str, layer: int) -> str:
    """Return the name of a state in the struct: ASCII, and no word of C."""
    return f"{_ascii(state)}_{layer}"


def _ascii(name: str) -> str:
    return "".join(c if c.isascii() else f"u{ord(c):x}" for c in name)


def printed_step(neuron: Neuron, layer: int, largest_sum: int) -> Step:
    """Return the step of a population, for sums of synapses of at most ``largest_sum``.

    Raises
    ------
    InputError
        A value that may leave 64 bits.
    """
    return _Printer(neuron, layer, largest_sum).step()


def _extent(values: IntArray) -> Interval:
    return int(values.min()), int(values.max())


def _fits(span: Interval, most: int = _INT32_MAX) -> bool:
    return -most <= span[0] and span[1] <= most


class _Printer:
    def __init__(self, neuron: Neuron, layer: int, largest_sum: int) -> None:
        self._neuron, self._layer = neuron, layer
        self._program = program(type(neuron))
        known: dict[Any, Any] = {}
        self._constants: dict[Expression, IntArray] = {}
        for part in parts(self._program.results):
            if part.is_constant:
                values = evaluate(part, lambda leaf: getattr(neuron, leaf.name), known)
                self._constants[part] = np.asarray(values).astype(np.int64)
        given = {part: _extent(values) for part, values in self._constants.items()}
        parameters = {
            entry.name: _extent(getattr(neuron, entry.name)) for entry in neuron.PARAMETERS
        }
        self._found = ranges(self._program, largest_sum, _INT32_MAX, parameters, given)
        for part, span in self._found.parts.items():
            if not _fits(span, _INT64_MAX):
                raise InputError(
                    f"neuron {neuron.TYPE}: {part} may be {span[0]}..{span[1]}, which 64 bits do "
                    "not hold; saturate its operands first"
                )
        self._uses = Counter(arg for part in parts(self._program.results) for arg in part.inputs)
        self._uses.update(value for value in self._program.results if isinstance(value, Expression))
        self._names: dict[Expression, str] = {}
        for state, value in reversed(list(self._program.states.items())):
            if isinstance(value, Expression) and value.op not in LEAVES and not value.is_constant:
                self._names[value] = f"new_{_ascii(state)}"
        self._said: dict[Expression, _Text] = {}
        self._tables: list[str] = []
        self._lines: list[str] = []
        self._fresh = 0

    def step(self) -> Step:
        stored = [
            (f"s->{state_member(state, self._layer)}[i]", self._stored(value))
            for state, value in self._program.states.items()
        ]
        spiked = self._program.spiked
        fired = None if spiked is None else self._of(spiked).text
        self._lines += [f"{place} = {text};" for place, text in stored]
        if fired is not None:
            self._lines.append(f"fired = {fired};")
        leaves = {part for part in parts(self._program.results) if part.op in LEAVES}
        return Step(
            tuple(self._tables),
            tuple(self._lines),
            tuple(map(commented, self._equations())),
            any(leaf.op == "input" for leaf in leaves),
            any(leaf.op == "state" and leaf.name == SPIKED for leaf in leaves),
        )

    def _equations(self) -> Iterator[str]:
        """Yield what each state becomes, in the words of the step, then the spike."""
        known: dict[str, str] = {}
        results = dict(self._program.states)
        if self._program.spiked is not None:
            results["fired"] = self._program.spiked
        for name, value in results.items():
            text = str(value)
            for part in sorted(known, key=len, reverse=True):
                text = text.replace(part, known[part])
            yield f"{name} = {text}"
            if isinstance(value, Expression) and value.args and value.op not in LEAVES:
                known.setdefault(str(value), f"new {name}")

    def _span(self, value: Any) -> Interval:
        return self._found.parts[value] if isinstance(value, Expression) else (value, value)

    def _stored(self, value: Any) -> str:
        """Return what a state becomes, in 32 bits."""
        said = self._of(value)
        fits = _fits(self._span(value))
        return said.text if fits else f"held({said.text}, &s->overflowed)"

    def _of(self, value: Any) -> _Text:
        """Return a value as an operand: its name where it has one, else its text."""
        if not isinstance(value, Expression):
            return _Text(literal(value), not _fits((value, value)), True)
        if value in self._said:
            return self._said[value]
        said = self._constant(value) if value in self._constants else self._text(value)
        if said.wide and _fits(self._span(value)):
            said = _Text(f"(int32_t)({said.text})", False, True)
        name = self._names.get(value)
        if name is None and self._uses[value] > 1 and not re.fullmatch(r"[\w\[\]]+", said.text):
            name = f"x{self._fresh}"
            self._fresh += 1
        if value.op == "state":
            kind = "int" if value.is_condition else "int32_t"
            self._lines.append(f"const {kind} {said.text};")
            said = _Text(said.text.split(" = ", maxsplit=1)[0], False, True)
        elif name is not None:
            kind = "int" if value.is_condition else "int64_t" if said.wide else "int32_t"
            self._lines.append(f"const {kind} {name} = {said.text};")
            said = _Text(name, said.wide, True)
        self._said[value] = said
        return said

    def _constant(self, value: Expression) -> _Text:
        values = self._constants[value]
        low, high = _extent(values)
        if low == high:
            return _Text(literal(low), not _fits((low, low)), True)
        name = f"c{len(self._tables)}_layer{self._layer}"
        if value.op == "parameter":
            name = state_member(value.name, self._layer)
        self._tables.append(table(name, values, "" if value.op == "parameter" else str(value)))
        return _Text(f"{name}[i]", not _fits((low, high)), True)

    def _text(self, value: Expression) -> _Text:
        if value.op in LEAVES:
            return self._leaf(value)
        if value.op in CONDITIONS:
            return self._condition(value)
        if value.op == "where":
            x, y = map(self._of, value.args[1:])
            if x.text == y.text:
                return x
            condition = self._of(value.args[0])
            return _Text(f"{condition.inner} ? {x.inner} : {y.inner}", x.wide or y.wide)
        if value.op in {"sat", "wrap24"}:
            return self._limited(value)
        return self._shifted(value) if value.op in SHIFTS else self._sum(value)

    def _leaf(self, value: Expression) -> _Text:
        if value.op == "input":
            return _Text("a", not _fits(self._span(value)), True)
        if value.name == SPIKED:
            return _Text(f"spiked = s->layer{self._layer}_fired[i]")
        member = state_member(value.name, self._layer)
        return _Text(f"old_{_ascii(value.name)} = s->{member}[i]")

    def _sum(self, value: Expression) -> _Text:
        x, y = map(self._of, value.args)
        wide = x.wide or y.wide or not _fits(self._span(value))
        if wide and not (x.wide or y.wide):
            return _Text(f"(int64_t){x.inner} {value.op} {y.inner}", wide)
        if value.op in {"+", "-"} and not re.search(r"[?<>=&|]", x.text):
            # Sums and products come first anyway.
            return _Text(f"{x.text} {value.op} {y.inner}", wide)
        return _Text(f"{x.inner} {value.op} {y.inner}", wide)

    def _condition(self, value: Expression) -> _Text:
        args = [self._of(arg) for arg in value.args]
        if value.op == "~":
            return _Text(f"!{args[0].inner}", whole=True)
        op = {"&": "&&", "|": "||"}.get(value.op, value.op)
        return _Text(f"{args[0].inner} {op} {args[1].inner}")

    def _limited(self, value: Expression) -> _Text:
        x, span = self._of(value.args[0]), self._span(value.args[0])
        limit = STATE_MAX if value.op == "sat" else STATE_MAX + 1
        low, high = span[0] >= -STATE_MAX, span[1] <= limit
        if low and high:
            return x
        name = "capped" if low and value.op == "sat" else value.op
        return _Text(f"{name}{'64' if x.wide else ''}({x.text})", x.wide and name == "wrap24", True)

    def _shifted(self, value: Expression) -> _Text:
        argument, bits = value.args
        decayed = self._decayed(argument, bits) if value.op == "rtz" else None
        if decayed is not None:
            return decayed
        least, most = self._span(bits)
        x, k = self._of(argument), self._of(bits)
        wide = x.wide or not _fits(self._span(value)) or most > _SHIFT32_MAX
        text = self._widened(x, wide)
        if value.op == ">>" and self._span(argument)[0] >= 0:
            return _Text(f"{text} >> {k.inner}", wide)
        limit = _SHIFT64_MAX if wide else _SHIFT32_MAX
        if value.op != ">>" and least == most <= limit:
            op = "*" if value.op == "<<" else "/"
            return _Text(f"{text} {op} {literal(1 << most)}", wide)
        if value.op == "<<":
            if most > _SHIFT64_MAX:
                raise InputError(f"neuron {self._neuron.TYPE}: {value} shifts by {most} bits")
            return _Text(f"{text} * (INT{64 if wide else 32}_C(1) << {k.inner})", wide)
        name = "truncated" if value.op == "rtz" else "shifted"
        return _Text(f"{name}{'64' if wide else ''}({x.text}, {k.text})", wide, True)

    @staticmethod
    def _widened(x: _Text, wide: bool) -> str:
        return f"(int64_t){x.inner}" if wide and not x.wide else x.inner

    def _decayed(self, product: Any, bits: Any) -> _Text | None:
        """Return ``rtz(x factor, 12)`` in 32 bits although the product has more, if it may be."""
        if not isinstance(product, Expression) or product.op != "*" or bits != DECAY_BITS:
            return None
        x, factor = product.args
        low, high = self._span(factor)
        if low < 0 or high > DECAY_ONE:
            x, factor = factor, x
        low, high = self._span(factor)
        if low < 0 or high > DECAY_ONE or not _fits(self._span(x)):
            return None
        text = self._of(x)
        if text.wide:
            return None
        name = "decayed" if self._span(x)[0] < 0 else "decayed_up"
        return _Text(f"{name}({text.text}, {self._of(factor).text})", False, True)
