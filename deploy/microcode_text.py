"""A listing as text; docs/MICROCODE.md says how to read it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator

from ..export.grid import IntArray
from ..export.network import Neuron
from ..neurons.expression import LEAVES, Expression
from .microcode import INPUT, Listing, MicrocodeProgram

VERSION = 2
VALUES_PER_LINE = 16


def write(listing: Listing) -> str:
    """Return the text of a listing."""
    lines = [f"listing {VERSION}"]
    for program in listing.programs.values():
        lines += ["", *write_program(program)]
    for bank in listing.banks:
        lines += ["", f"layer {json.dumps(bank.layer)} {bank.program} {bank.size}"]
        for name, values in bank.values.items():
            lines += _value_lines(name, values)
    return "\n".join([*lines, "", "end", ""])


def write_program(program: MicrocodeProgram) -> list[str]:
    """Return the lines of a program, the rounding of every operation as a comment."""
    lines = [f"program {program.name}", *_described(program.record)]
    lines.append(f"  input {INPUT} {program.input_width}")
    lines += [f"  register {name} {width}" for name, width in program.registers.items()]
    for name, (value, width) in program.constants.items():
        derived = isinstance(value, Expression) and value.op not in LEAVES
        line = f"constant {name} {width}"
        lines.append(f"  {line:<36}# {value}" if derived else f"  {line}")
    lines.append("  step")
    lines += [f"    {operation!s:<34}# {operation.note}" for operation in program.operations]
    widths = {operation.target: operation.width for operation in program.operations}
    for name, value in program.after.items():
        line, register = f"next {name} = {value}", program.registers[name]
        fits = register.holds(widths.get(str(value), register).interval)
        lines.append(f"    {line}" if fits else f"    {line:<34}# beyond {register}: an error")
    counted = " ".join(f"{kind} {count}" for kind, count in program.counts.items())
    return [*lines, f"  counts {counted}"]


def _described(record: type[Neuron]) -> Iterator[str]:
    """Yield the record's docstring, which has its equations, as comments."""
    text = inspect.cleandoc(record.__doc__ or "")
    # What the dataclass decorator writes where there is no docstring.
    if not text.startswith(f"{record.__name__}("):
        yield from (f"  # {line}".rstrip() for line in text.splitlines())


def _value_lines(name: str, values: IntArray) -> list[str]:
    if (values == values[0]).all():
        return [f"  {name} all {values[0]}"]
    lines = []
    for first in range(0, values.size, VALUES_PER_LINE):
        part = values[first : first + VALUES_PER_LINE].tolist()
        lines.append(f"  {name} {first}..{first + len(part) - 1} {' '.join(map(str, part))}")
    return lines
