"""Pickles of plain values, carried out here operation by operation: nothing in them is imported."""

from __future__ import annotations

import pickletools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from ..errors import InputError
from .limits import VALUES_MAX

_WIDEST = 1 << 127
"""Integers of thousands of digits take a time that is quadratic in them to print."""
_KEYS = (str, int, float, type(None))
"""Types of a table's keys: the hash of tuples that share tuples may take forever."""


class NotPlainError(InputError):
    """Operations other than those of plain values and of what the reader knows."""

    def __init__(self) -> None:
        super().__init__("damaged, or holds Python objects instead of plain values and tensors")


def read_pickle(
    stream: IO[bytes],
    known: Mapping[str, Any] | None = None,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Return what a pickle of protocol 2 holds; the stream is left after its end.

    Parameters
    ----------
    stream
        At the beginning of the pickle.
    known
        What stands for the names that the pickle imports, as ``"module name"``: a function is
        called with the pickle's arguments, another value is put in the name's place.
    persistent
        What returns the object of an id.

    Raises
    ------
    InputError
        Too many operations, or others than these.
    ValueError, LookupError, TypeError, ...
        It is damaged.
    """
    machine = _Machine(known or {}, persistent)
    for count, (operation, argument, _) in enumerate(pickletools.genops(stream)):
        if count > VALUES_MAX:
            raise InputError(f"more than {VALUES_MAX:,} values")
        carry_out = _OPERATIONS.get(operation.name)
        if carry_out is None:
            raise NotPlainError
        carry_out(machine, argument)
    return machine.stack.pop()


@dataclass
class _Machine:
    """The state of the machine that a pickle is a program of."""

    known: Mapping[str, Any]
    persistent: Callable[[Any], Any] | None
    stack: list[Any] = field(default_factory=list)
    below: list[list[Any]] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def ignore(self, _argument: Any) -> None:
        """Of the protocol's number: what is not known of a later one is refused anyway."""

    def push(self, argument: Any) -> None:
        if isinstance(argument, int) and not -_WIDEST < argument < _WIDEST:
            raise InputError("holds an integer of more than 128 bits")
        self.stack.append(argument)

    def mark(self, _argument: Any) -> None:
        self.below.append(self.stack)
        self.stack = []

    def marked(self) -> list[Any]:
        found = self.stack
        self.stack = self.below.pop()
        return found

    def last(self, count: int) -> tuple[Any, ...]:
        found = tuple(self.stack[-count:])
        del self.stack[-count:]
        if len(found) != count:
            raise IndexError("nothing is left on the stack")
        return found

    def put(self, argument: int) -> None:
        self.memo[argument] = self.stack[-1]

    def get(self, argument: int) -> None:
        self.stack.append(self.memo[argument])

    def append(self, values: list[Any] | tuple[Any, ...]) -> None:
        if type(self.stack[-1]) is not list:
            raise NotPlainError
        self.stack[-1].extend(values)

    def set_items(self, values: list[Any] | tuple[Any, ...]) -> None:
        keys = values[::2]
        if type(self.stack[-1]) not in {dict, OrderedDict} or not all(
            isinstance(key, _KEYS) for key in keys
        ):
            raise NotPlainError
        self.stack[-1].update(zip(keys, values[1::2], strict=True))

    def name(self, argument: str) -> None:
        if argument not in self.known:
            raise NotPlainError
        self.stack.append(self.known[argument])

    def call(self, _argument: Any) -> None:
        function, arguments = self.last(2)
        # Values of a pickle cannot be called, so that this is one of those known.
        if not callable(function) or type(arguments) is not tuple:
            raise NotPlainError
        self.stack.append(function(*arguments))

    def build(self, _argument: Any) -> None:
        # The versions of modules that a state_dict carries as an attribute, which no module here
        # has a use for.
        self.stack.pop()
        if type(self.stack[-1]) is not OrderedDict:
            raise NotPlainError

    def persist(self, _argument: Any) -> None:
        if self.persistent is None:
            raise NotPlainError
        self.stack.append(self.persistent(self.stack.pop()))


_OPERATIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "STOP"), _Machine.ignore),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"), _Machine.push
    ),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "MARK": _Machine.mark,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.marked())),
    "TUPLE1": lambda machine, _: machine.push(machine.last(1)),
    "TUPLE2": lambda machine, _: machine.push(machine.last(2)),
    "TUPLE3": lambda machine, _: machine.push(machine.last(3)),
    "APPEND": lambda machine, _: machine.append(machine.last(1)),
    "APPENDS": lambda machine, _: machine.append(machine.marked()),
    "SETITEM": lambda machine, _: machine.set_items(machine.last(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.marked()),
    "GLOBAL": _Machine.name,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persist,
}
