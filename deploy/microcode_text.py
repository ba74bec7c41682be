"""The listing as text: one writer, one strict parser. docs/MICROCODE.md has the grammar."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..export.errors import InputError, shown
from ..export.grid import IntArray
from ..export.network import NEURON_COUNT_MAX
from ..export.reading.text import json_value
from .microcode import KINDS, WIDEST, Bank, Listing, MicrocodeProgram, Operation, Width

VERSION = 1
VALUES_PER_LINE = 16

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_WIDTH = r"[suw][0-9]{1,3}"
_INTEGER = r"-?[0-9]{1,20}"
_OPERATION = re.compile(rf"([0-9]{{1,9}}): ({_NAME})(?: ({_WIDTH}))? = ({_NAME})((?: \S+)*)")
_DECLARED = re.compile(rf"(input|register|constant) ({_NAME}) ({_WIDTH})")
_LAYER = re.compile(r'layer ("(?:[^"\\]|\\.)*") (\S+) ([0-9]{1,9})')
_VALUES = re.compile(rf"({_NAME}) (all|[0-9]{{1,9}}\.\.[0-9]{{1,9}})((?: {_INTEGER})+)")


def write(listing: Listing, notes: dict[str, tuple[str, ...]] | None = None) -> str:
    """Return the text of a listing; ``notes``: lines of comment by program."""
    lines = [f"listing {VERSION}"]
    for program in listing.programs.values():
        lines += ["", *write_program(program, (notes or {}).get(program.name, ()))]
    for bank in listing.banks:
        lines += ["", f"layer {json.dumps(bank.layer)} {bank.program} {bank.size}"]
        for name, values in bank.values.items():
            lines += _value_lines(name, values)
    return "\n".join([*lines, "", "end", ""])


def write_program(program: MicrocodeProgram, notes: tuple[str, ...] = ()) -> list[str]:
    """Return the lines of a program, the rounding of every operation as a comment."""
    lines = [f"program {program.name}", *(f"  # {note}" for note in notes)]
    lines.append(f"  input {program.input} {program.input_width}")
    lines += [f"  register {name} {width}" for name, width in program.registers.items()]
    lines += [f"  constant {name} {width}" for name, width in program.constants.items()]
    lines.append("  step")
    for number, operation in enumerate(program.operations, start=1):
        lines.append(f"    {f'{number}: {operation}':<34}# {KINDS[operation.kind].rounding}")
    counted = " ".join(f"{kind} {count}" for kind, count in program.counts.items())
    return [*lines, f"  spike {program.spike}", f"  counts {counted}"]


def _value_lines(name: str, values: IntArray) -> list[str]:
    if (values == values[0]).all():
        return [f"  {name} all {values[0]}"]
    lines = []
    for first in range(0, values.size, VALUES_PER_LINE):
        part = values[first : first + VALUES_PER_LINE].tolist()
        lines.append(f"  {name} {first}..{first + len(part) - 1} {' '.join(map(str, part))}")
    return lines


@dataclass(frozen=True)
class _Line:
    number: int
    text: str


class _Lines:
    """The remaining lines, without comments and blanks; every error names its line."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._lines = [
            _Line(number, " ".join(stripped.split()))
            for number, line in enumerate(text.splitlines(), start=1)
            if (stripped := _without_comment(line))
        ]
        self._next = 0

    def peek(self) -> str:
        """Return the first word of the next line, empty at the end."""
        if self._next == len(self._lines):
            return ""
        return self._lines[self._next].text.split(" ", 1)[0]

    def take(self, pattern: str | re.Pattern[str], what: str) -> re.Match[str]:
        """Take the next line, which must match."""
        if self._next == len(self._lines):
            raise InputError(f"{self._source}: ends where {what} is expected")
        found = re.fullmatch(pattern, self._lines[self._next].text)
        if found is None:
            raise self.wrong(f"{self._lines[self._next].text!r} is not {what}")
        self._next += 1
        return found

    def wrong(self, why: str) -> InputError:
        """Return an error about the next line."""
        number = self._lines[min(self._next, len(self._lines) - 1)].number if self._lines else 0
        return InputError(f"{self._source}, line {number}: {why}")


def _without_comment(line: str) -> str:
    # A layer's name may contain the character that begins a comment.
    quoted = re.match(r'\s*layer "(?:[^"\\]|\\.)*"', line)
    head = quoted.end() if quoted else 0
    return (line[:head] + line[head:].partition("#")[0]).strip()


def parse(text: str, source: str = "listing") -> Listing:
    """Read a listing back.

    Raises
    ------
    InputError
        A line that the grammar does not allow, with its number; or a listing that does not verify.
    """
    lines = _Lines(text, source)
    version = lines.take(r"listing ([0-9]{1,9})", "'listing VERSION'")
    if int(version[1]) != VERSION:
        raise InputError(f"{source}: listing version {version[1]}, this reads {VERSION}")
    programs: dict[str, MicrocodeProgram] = {}
    while lines.peek() == "program":
        program = _program(lines)
        if program.name in programs:
            raise lines.wrong(f"program {program.name} is listed twice")
        programs[program.name] = program
    banks = []
    while lines.peek() == "layer":
        banks.append(_bank(lines))
    lines.take("end", "'program', 'layer' or 'end'")
    if lines.peek():
        raise lines.wrong("comes after the end")
    return Listing(programs, tuple(banks))


def _program(lines: _Lines) -> MicrocodeProgram:
    name = lines.take(r"program (\S+)", "'program NAME'")[1]
    declared: dict[str, dict[str, Width]] = {"input": {}, "register": {}, "constant": {}}
    while lines.peek() != "step":
        found = lines.take(_DECLARED, "'input', 'register' or 'constant' NAME WIDTH, or 'step'")
        group = declared[found[1]]
        if found[2] in group:
            raise lines.wrong(f"{found[2]} is declared twice")
        group[found[2]] = Width(found[3][0], int(found[3][1:]))
    lines.take("step", "'step'")
    if len(declared["input"]) != 1:
        raise lines.wrong(f"program {name} has {len(declared['input'])} inputs, needs 1")
    operations = tuple(_operations(lines))
    spike = lines.take(rf"spike ({_NAME})", "an operation 'N: NAME [WIDTH] = KIND ...' or 'spike'")[
        1
    ]
    counts = lines.take(r"counts((?: [a-z0-9]+ [0-9]{1,9})+)", "'counts KIND N ...'")[1].split()
    ((input_name, input_width),) = declared["input"].items()
    program = MicrocodeProgram(
        name,
        input_name,
        input_width,
        declared["register"],
        declared["constant"],
        operations,
        spike,
    )
    said = dict(zip(counts[::2], map(int, counts[1::2]), strict=True))
    if said != program.counts:
        raise lines.wrong(f"program {name} counts {said}, its step has {program.counts}")
    return program


def _operations(lines: _Lines) -> Iterator[Operation]:
    number = 0
    while lines.peek() not in {"spike", ""}:
        found = lines.take(_OPERATION, "an operation 'N: NAME [WIDTH] = KIND ...' or 'spike'")
        number += 1
        if int(found[1]) != number:
            raise lines.wrong(f"operation {number} is numbered {found[1]}")
        width = None if found[3] is None else Width(found[3][0], int(found[3][1:]))
        operands = []
        for operand in found[5].split():
            if re.fullmatch(_INTEGER, operand):
                operands.append(int(operand))
            elif re.fullmatch(_NAME, operand):
                operands.append(operand)
            else:
                raise lines.wrong(f"operand {operand!r} is neither a name nor a whole number")
        yield Operation(found[2], width, found[4], tuple(operands))


def _bank(lines: _Lines) -> Bank:
    found = lines.take(_LAYER, "'layer \"NAME\" PROGRAM SIZE'")
    try:
        layer = json_value(found[1], "", str)
    except InputError:
        raise lines.wrong(f"{shown(found[1])} is not a quoted name") from None
    size = int(found[3])
    if not 1 <= size <= NEURON_COUNT_MAX:
        raise lines.wrong(f"layer {layer}: size {size} is outside 1..{NEURON_COUNT_MAX}")
    values: dict[str, list[int]] = {}
    while lines.peek() not in {"layer", "end", ""}:
        row = lines.take(_VALUES, "values 'NAME all VALUE' or 'NAME FIRST..LAST VALUES'")
        name, given = row[1], [int(value) for value in row[3].split()]
        if max(map(abs, given)) >= 1 << WIDEST:
            raise lines.wrong(f"{name}: a value beyond {WIDEST} bits")
        if row[2] == "all":
            if name in values or len(given) != 1:
                raise lines.wrong(f"{name}: 'all' stands alone, with one value")
            values[name] = given * size
            continue
        first, last = map(int, row[2].split(".."))
        kept = values.setdefault(name, [])
        if first != len(kept) or last - first + 1 != len(given) or last >= size:
            raise lines.wrong(
                f"{name}: {len(given)} values as {row[2]} of {size} after {len(kept)}"
            )
        kept.extend(given)
    arrays = {name: np.array(given, dtype=np.int64) for name, given in values.items()}
    return Bank(layer, found[2], size, arrays)
