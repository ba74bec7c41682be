"""A neuron's steps of the engine, forward and backward, printed from the step in its file.

A step keeps what the backward pass cannot compute again: x, the argument of the spike, and the
states that do not follow from it. From x follows what it was computed from, such as the membrane
before its reset. Only where that is not enough, the current is kept too.
"""

# Compiled functions take their arguments by position.
# ruff: noqa: PLR0917
# An intrinsic takes one argument less than its definition.
# pyright: reportCallIssue=false

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any
from zlib import crc32

from llvmlite import ir
from numba import int64, njit, types
from numba.extending import intrinsic

from ...export.kernel import Kernel
from ...export.specialized import specialized
from ...neurons.expression import parts
from ...neurons.gradient import Node, adjoints, float_program
from ...neurons.real import FloatNeuron, sends
from . import programs, simd
from .sources import source_digest

COEFFICIENTS_MAX = 8
"""Coefficients that a neuron of the engine may have; its states are ``programs.STATES_MAX``."""

ARGUMENT, _V, _SECOND, _S, _MORE = (
    "the spike's argument",
    programs.V,
    programs.SECOND,
    programs.S,
    programs.S + 1,
)


class _NotAtHandError(Exception):
    """A value that does not follow from what is kept."""


@dataclass(frozen=True, eq=False)
class Printed:
    """The text of both functions of a neuron.

    ``sends``: a number of ``programs.py``; ``places``: the place of each state among those of a
    block, in the neuron's order; ``kept``: what a step keeps, x first.
    """

    sends: int
    forward: str
    backward: str
    coefficients: tuple[str, ...]
    places: tuple[int, ...]
    kept: tuple[str, ...]


def why_not(neuron: type[FloatNeuron]) -> str | None:
    """Return why a neuron has no functions of the engine, None where it has."""
    program = float_program(neuron)
    sent = [part for part in parts(program.states.values()) if part.op in {"spike", "relu"}]
    if sends(neuron):
        if [program.states["s"]] != sent or (sent[0].op == "spike") != neuron.SPIKING:
            return "s is not the one spike of its step"
    elif sent or not isinstance(program.states["v"], Node):
        return "it sends its membrane, and its step has a spike"
    # The place of s is kept free.
    states = len({*neuron.STATES, "s"})
    if len(program.coefficients) > COEFFICIENTS_MAX or states > programs.STATES_MAX:
        limits = f"{COEFFICIENTS_MAX} coefficients or, with s, {programs.STATES_MAX} states"
        return f"it has more than {limits}"
    return None


@cache
def printed(neuron: type[FloatNeuron]) -> Printed:
    """Return a neuron's functions; ``why_not`` has to be None."""
    return _Printer(neuron).printed()


_PUT_BITS = "put_bits(bits, row * words + c // LANES, inside(positive_bits({}), c, n))"
_TEXTS = {
    "+": "{0} + {1}",
    "-": "{0} - {1}",
    "*": "{0} * {1}",
    "fma": "fma({0}, {1}, {2})",
    "spike": "where_positive({0}, one, zero)",
    "relu": "where_positive({0}, {0}, zero)",
    "surrogate": "derivative(kind, f, {0})",
    "detach": "{0}",
}


class _Values:
    """Writes the values of one step: each is a line, and is written once."""

    def __init__(self, prefix: str, lines: list[str], given: dict[Node, str]) -> None:
        self._prefix, self._lines, self._given = prefix, lines, given
        self._names: dict[Any, str] = {}

    def of(self, value: Any) -> str:
        """Return the name of a value.

        Raises
        ------
        _NotAtHandError
            A leaf that is not given.
        """
        if value not in self._names:
            text = self._written(value)
            name = f"{self._prefix}{len(self._names)}"
            self._names[value] = name
            self._lines.append(f"{name} = {text}")
        return self._names[value]

    def give(self, node: Node, text: str) -> None:
        self._given.setdefault(node, text)

    def has(self, node: Node) -> bool:
        return node in self._given or node in self._names

    def _written(self, value: Any) -> str:
        if not isinstance(value, Node):
            return f"splat({float(value)!r})"
        if value in self._given:
            return self._given[value]
        if value.op in {"state", "current", "coefficient", "adjoint"}:
            raise _NotAtHandError
        return _TEXTS[value.op].format(*(self.of(arg) for arg in value.args))


class _Printer:
    def __init__(self, neuron: type[FloatNeuron]) -> None:
        self._neuron, self._program = neuron, float_program(neuron)
        # What is kept first: the argument of the spike, or the membrane where there is none.
        self._sent: Node | None = self._program.states.get("s")
        self._argument: Node = (
            self._program.states["v"] if self._sent is None else self._sent.args[0]
        )
        self._others = [name for name in neuron.STATES if name not in {"v", "s"}]
        places = {"v": _V, "s": _S}
        for number, name in enumerate(self._others):
            places[name] = _SECOND if number == 0 else _MORE + number - 1
        self._place = places
        self._adjoints = adjoints(self._program)
        self._kept = self._chosen()

    def printed(self) -> Printed:
        kinds = {"spike": programs.SPIKES, "relu": programs.GRADED}
        return Printed(
            programs.MEMBRANE if self._sent is None else kinds[self._sent.op],
            self._forward(),
            self._backward(),
            self._program.coefficients,
            tuple(self._place[name] - _V for name in self._neuron.STATES),
            self._kept,
        )

    def _chosen(self) -> tuple[str, ...]:
        """Return what a step has to keep."""
        kept = [ARGUMENT, "v", *self._others]
        if not self._suffices(kept):
            kept.append("current")
        for name in ("v", *self._others):
            fewer = [other for other in kept if other != name]
            if self._suffices(fewer):
                kept = fewer
        return tuple(kept)

    def _suffices(self, kept: list[str]) -> bool:
        try:
            self._steps(kept)
        except _NotAtHandError:
            return False
        return True

    def _coefficients(self) -> dict[Node, str]:
        names = ["bias", *self._program.coefficients]
        return {Node.of("coefficient", name): f"c_{name}" for name in names}

    def _known(self, prefix: str, source: str, lines: list[str], kept: Any) -> _Values:
        """Return the values of a step that was kept at ``source``."""
        given = self._coefficients()
        made = _Values(prefix, lines, given)
        for plane, name in enumerate(kept):
            text = f"load({source}, {plane} * block + at)"
            if name == "current":
                given[Node.of("current")] = text
            elif name == ARGUMENT:
                given[self._argument] = text
            elif isinstance(self._program.states[name], Node):
                # A state that is another's value of the step before is no value of this step.
                given.setdefault(self._program.states[name], text)
        x = node = self._argument
        terms: list[Any] = []
        # x = y - z tells y.
        while node.op == "-" and isinstance(node.args[0], Node):
            terms.append(node.args[1])
            node = node.args[0]
            if made.has(node) or node.op in {"state", "coefficient"}:
                break
            try:
                parts_ = [made.of(x), *(made.of(term) for term in reversed(terms))]
            except _NotAtHandError:
                continue
            made.give(node, " + ".join(parts_))
        return made

    def _steps(self, kept: Any) -> tuple[list[str], list[str], _Values]:
        """Return the lines that load the step before, those of this step, and its values."""
        states = self._program.states
        earlier: list[str] = []
        before = self._known("p", "before", earlier, kept)
        used = {
            part.args[0]
            for part in parts([*self._results(), *states.values()])
            if part.op == "state"
        }
        for name in self._neuron.STATES:
            if name in used or name == "s":
                earlier.append(f"b_{name} = {before.of(states[name])}")
        lines: list[str] = []
        now = self._known("n", "kept", lines, kept)
        for name in self._neuron.STATES:
            now.give(Node.of("state", name), f"b_{name}")
            place = self._place[name] - _V
            plane = programs.CARRY_V + place
            text = f"load(planes, {plane} * block + at)"
            if name == "v" and self._sent is None:
                # What it sends is its membrane.
                text += f" + load(planes, {programs.DS} * block + at)"
            now.give(Node.of("adjoint", name), text)
        for result in self._results():
            # Products are added to sums in one operation.
            for part in result.args if isinstance(result, Node) and result.op == "*" else [result]:
                now.of(part)
        return earlier, lines, now

    def _results(self) -> list[Any]:
        """Return the gradients that a backward step computes."""
        wanted = [Node.of("current"), *(Node.of("state", name) for name in self._neuron.STATES)]
        own = ["bias", *self._program.coefficients]
        wanted += [Node.of("coefficient", name) for name in own]
        return [self._adjoints[node] for node in wanted if node in self._adjoints]

    def _load_coefficients(self) -> list[str]:
        names = ["bias", *self._program.coefficients]
        return [f"c_{name} = load(p, {row} * width + c)" for row, name in enumerate(names)]

    def _forward(self) -> str:
        lines: list[str] = []
        given = self._coefficients()
        drive = f"load(planes, {programs.DRIVE} * block + at)"
        given[Node.of("current")] = drive if self._neuron.BIAS_IN_STEP else f"{drive} + c_bias"
        for name in self._neuron.STATES:
            given[Node.of("state", name)] = f"load(planes, {self._place[name]} * block + at)"
        values = _Values("n", lines, given)
        states = self._program.states
        after = {name: values.of(states[name]) for name in self._neuron.STATES}
        x = values.of(self._argument)
        for name, text in after.items():
            lines.append(f"store(planes, {self._place[name]} * block + at, {text})")
        lines.append("if kept != 0:")
        for plane, name in enumerate(self._kept):
            value = {ARGUMENT: x}.get(name) or (
                values.of(Node.of("current")) if name == "current" else after[name]
            )
            lines.append(f"    stream(kept, {plane} * block + at, {value})")
        if self._sent is not None:
            lines.append(_PUT_BITS.format(x))
        return "\n".join(
            [
                "def forward(p, n, samples, width, planes, bits, kept):",
                "    words, block = bit_words(width) * (64 // LANES), samples * width",
                "    one, zero = splat(1.0), splat(0.0)",
                "    for c in range(0, width, LANES):",
                *(f"        {line}" for line in self._load_coefficients()),
                "        for row in range(samples):",
                "            at = row * width + c",
                *(f"            {line}" for line in lines),
                "",
            ]
        )

    @staticmethod
    def _sum(name: str, value: Any, now: _Values) -> str:
        if isinstance(value, Node) and value.op == "*" and not now.has(value):
            return f"{name} = fma({now.of(value.args[0])}, {now.of(value.args[1])}, {name})"
        return f"{name} = {name} + {now.of(value)}"

    def _backward(self) -> str:
        earlier, lines, now = self._steps(self._kept)
        names = ["bias", *self._program.coefficients]
        found = self._adjoints
        current = found.get(Node.of("current"))
        gradients = {name: found.get(Node.of("coefficient", name)) for name in names}
        if not self._neuron.BIAS_IN_STEP:
            gradients["bias"] = current
        gradients = {name: value for name, value in gradients.items() if value is not None}
        sums = [self._sum(f"d_{name}", value, now) for name, value in gradients.items()]
        drive = "zero" if current is None else now.of(current)
        stores = [f"store(planes, {programs.DC} * block + at, {drive})"]
        for name in self._neuron.STATES:
            value = found.get(Node.of("state", name))
            plane = programs.CARRY_V + self._place[name] - _V
            text = "zero" if value is None else now.of(value)
            stores.append(f"store(planes, {plane} * block + at, {text})")
        initial = [
            f"b_{name} = load(planes, {programs.V0 + self._place[name] - _V} * block + at)"
            for name in self._neuron.STATES
        ]
        body = [
            *(f"prefetch(prefetched, {plane} * block + at)" for plane in range(len(self._kept))),
            "if before == 0:",
            *(f"    {line}" for line in initial),
            "else:",
            *(f"    {line}" for line in earlier or ["pass"]),
            *lines,
            *sums,
            *stores,
            *([f"store(planes, {programs.DS} * block + at, zero)"] if self._sent is None else []),
            *([] if self._sent is None else [_PUT_BITS.format("b_s")]),
        ]
        return "\n".join(
            [
                "def backward(p, n, kind, f, samples, width, kept, before, prefetched, planes, "
                "bits, dp):",
                "    words, block = bit_words(width) * (64 // LANES), samples * width",
                "    one, zero = splat(1.0), splat(0.0)",
                "    for c in range(0, width, LANES):",
                *(f"        {line}" for line in self._load_coefficients()),
                *(f"        d_{name} = zero" for name in gradients),
                "        for row in range(samples):",
                "            at = row * width + c",
                *(f"            {line}" for line in body),
                *(
                    f"        add_to(dp, {row} * width + c, d_{name})"
                    for row, name in enumerate(names)
                    if name in gradients
                ),
                "",
            ]
        )


@njit(forceinline=True)
def _inside(bits, c, n):
    """Return the bits of the vector from ``c`` on without those of padding."""
    return bits if c + simd.LANES <= n else bits & ((1 << max(n - c, 0)) - 1)


def _compiled(name: str, text: str) -> Any:
    place: dict[str, Any] = {
        **vars(simd),
        "bit_words": programs.bit_words,
        "derivative": programs.derivative,
        "add_to": programs.add_to,
        "inside": _inside,
    }
    exec(compile(text, f"<{name}>", "exec"), place)
    function = place["forward" if text.startswith("def forward") else "backward"]
    function.__name__ = function.__qualname__ = name
    return njit(inline="always")(function)


def _wrapped(key: str) -> tuple[Any, Any]:
    def forward(p, n, samples, width, planes, bits, kept):
        # In the closure, the key is part of that of numba's cache.
        if key != "":
            step(p, n, samples, width, planes, bits, kept)  # noqa: F821 # pyright: ignore
        return 0

    def backward(p, n, kind, f, samples, width, kept, before, prefetched, planes, bits, dp):
        if key != "":
            step(p, n, kind, f, samples, width, kept, before, prefetched, planes, bits, dp)  # noqa: F821 # pyright: ignore
        return 0

    return forward, backward


@cache
def kernels_of(neuron: type[FloatNeuron]) -> tuple[Kernel, Kernel]:
    """Return a neuron's forward and backward step, to be called by their addresses."""
    made = printed(neuron)
    key = f"{neuron.NAME} {crc32((made.forward + made.backward).encode(), source_digest())}"
    kernels = []
    for wrapped, text, word, count in zip(
        _wrapped(key),
        (made.forward, made.backward),
        ("forward", "backward"),
        (7, 12),
        strict=True,
    ):
        name = f"{word}_{crc32(key.encode()):08x}"
        step = _compiled(f"{word}_of_{neuron.NAME}", text)
        function = specialized(wrapped, name, step=step)
        kernels.append(Kernel(function, f"{word} pass of training", (int64,) * count))
    return kernels[0], kernels[1]


def _caller(count: int) -> Any:
    """Make an intrinsic that calls a function of ``count`` int64 by its address."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(word, [word] * count)
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return codegen, types.int64(*[types.int64] * (count + 1))


@intrinsic
def call_forward(typing, function, p, n, samples, width, planes, bits, kept):  # noqa: ARG001
    """Call a forward step by its address."""
    codegen, signature = _caller(7)
    return signature, codegen


@intrinsic
def call_backward(
    typing, function, p, n, kind, f, samples, width, kept, before, prefetched, planes, bits, dp  # noqa: ARG001
):  # fmt: skip
    """Call a backward step by its address."""
    codegen, signature = _caller(12)
    return signature, codegen
