"""The microcode programs of the neuron models that a chip lacks, and the listing of a network.

A program is written here as operations without widths; the widths of its intermediates follow from
those of its registers, constants and synaptic sums. docs/FIXED_POINT.md has the equations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..export.errors import InputError
from ..export.grid import DECAY_ONE, STATE_SHIFT, IntArray
from ..export.network import AdaptiveLIF, Network, Neuron, ThresholdRefractoryLIF
from .boards import Chip
from .microcode import Bank, Listing, MicrocodeProgram, Operation, Width, derived_width, narrowest
from .programs import IMPOSSIBLE, MICROCODE, support


@dataclass(frozen=True)
class Constant:
    """A constant of a program: its width, and its values from a neuron record, (n,)."""

    width: str
    values: Callable[[Any], IntArray]


@dataclass(frozen=True)
class Source:
    """A program before its widths are derived.

    ``registers``: name to width and initial values. ``lines``: ``target = kind operands``.
    ``largest_sum``: the largest magnitude of a synaptic sum that it computes exactly, or None.
    ``notes``: its equations, as comments of the listing.
    """

    notes: tuple[str, ...]
    registers: dict[str, Constant]
    constants: dict[str, Constant]
    lines: tuple[str, ...]
    largest_sum: int | None = None


def _zeros(neuron: Neuron) -> IntArray:
    return np.zeros(neuron.size, dtype=np.int64)


SOURCES: dict[type[Neuron], Source] = {
    AdaptiveLIF: Source(
        notes=(
            "d = sat(rtz(d * dKeep, 12) + (bStep where s))    dKeep = 4096 - bDecay",
            "B = vTh + (d >> bExp)",
            "v = sat(rtz(v * vKeep, 12) + (a << 6) + bias - (B where s))    vKeep = 4096 - vDecay",
            "s = v > B",
        ),
        registers={
            "d": Constant("u23", lambda p: p.d_init),
            "v": Constant("s24", lambda p: p.v_init),
            "s": Constant("u1", _zeros),
        },
        constants={
            "dKeep": Constant("u12", lambda p: DECAY_ONE - p.b_decay),
            "vKeep": Constant("u12", lambda p: DECAY_ONE - p.v_decay),
            "vTh": Constant("u23", lambda p: p.v_threshold),
            "bStep": Constant("u23", lambda p: p.b_step),
            "bExp": Constant("u4", lambda p: p.b_exp),
            "bias": Constant("s24", lambda p: p.bias),
        },
        lines=(
            "d1 = mul d dKeep",
            "d2 = rtz d1 12",
            "d3 = sel s bStep 0",
            "d4 = add d2 d3",
            "d = sat24 d4",
            "b1 = shr d bExp",
            "B = add vTh b1",
            "v1 = mul v vKeep",
            "v2 = rtz v1 12",
            f"v3 = shl a {STATE_SHIFT}",
            "v4 = add v2 v3",
            "v5 = add v4 bias",
            "v6 = sel s B 0",
            "v7 = sub v5 v6",
            "v = sat24 v7",
            "s = gt v B",
        ),
    ),
    ThresholdRefractoryLIF: Source(
        notes=(
            "i = wrap24(rtz(i * iKeep, 12) + (a << 6))    iKeep = 4096 - iDecay, and so on",
            "v = sat(rtz(v * vKeep, 12) + i + bias)",
            "th = rtz((th - thInit) * thKeep, 12) + thInit;   r = rtz(r * rKeep, 12)",
            "s = v - r >= th;   r += 2 th where s;   th += thStep where s",
        ),
        registers={
            "i": Constant("w24", _zeros),
            "v": Constant("s24", _zeros),
            "th": Constant("s32", lambda p: p.th_init),
            "r": Constant("s32", _zeros),
            "s": Constant("u1", _zeros),
        },
        constants={
            "iKeep": Constant("s13", lambda p: DECAY_ONE - p.i_decay),
            "vKeep": Constant("u13", lambda p: DECAY_ONE - p.v_decay),
            "thKeep": Constant("u13", lambda p: DECAY_ONE - p.th_decay),
            "rKeep": Constant("u13", lambda p: DECAY_ONE - p.r_decay),
            "thInit": Constant("u23", lambda p: p.th_init),
            "thStep": Constant("u23", lambda p: p.th_step),
            "bias": Constant("s24", lambda p: p.bias),
        },
        lines=(
            "i1 = mul i iKeep",
            "i2 = rtz i1 12",
            f"i3 = shl a {STATE_SHIFT}",
            "i4 = add i2 i3",
            "i = wrap24 i4",
            "v1 = mul v vKeep",
            "v2 = rtz v1 12",
            "v3 = add v2 i",
            "v4 = add v3 bias",
            "v = sat24 v4",
            "h1 = sub th thInit",
            "h2 = mul h1 thKeep",
            "h3 = rtz h2 12",
            "h4 = add h3 thInit",
            "r1 = mul r rKeep",
            "r2 = rtz r1 12",
            "e1 = sub v r2",
            "s = ge e1 h4",
            "r3 = shl h4 1",
            "r4 = sel s r3 0",
            "r5 = add r2 r4",
            "r = fit r5",
            "h5 = sel s thStep 0",
            "h6 = add h4 h5",
            "th = fit h6",
        ),
        # A larger current would be beyond 24 bits after Lava's one wrap.
        largest_sum=(1 << 17) - 1,
    ),
}
"""Neuron record to its program; one entry for every record that some chip needs in microcode."""


def program(neuron: type[Neuron], sum_width: Width) -> MicrocodeProgram:
    """Return a neuron's program for synaptic sums of a width, with the widths of every result.

    Raises
    ------
    InputError
        Such sums make a value too wide.
    """
    source = SOURCES[neuron]
    registers = {name: _width(entry) for name, entry in source.registers.items()}
    constants = {name: _width(entry) for name, entry in source.constants.items()}
    names = {"a": sum_width.interval}
    names |= {name: width.interval for name, width in (registers | constants).items()}
    operations = []
    for line in source.lines:
        target, _, right = line.partition(" = ")
        kind, *written = right.split()
        operands = tuple(int(word) if word.isdecimal() else word for word in written)
        bare = Operation(target, None, kind, operands)
        names[target] = derived_width(names, bare)
        width = None if target in registers else narrowest(names[target])
        if kind == "fit":
            names[target] = registers[target].interval
        operations.append(Operation(target, width, kind, operands))
    return MicrocodeProgram(
        neuron.TYPE, "a", sum_width, registers, constants, tuple(operations), "s"
    )


def _width(entry: Constant) -> Width:
    return Width(entry.width[0], int(entry.width[1:]))


def notes(neuron: type[Neuron]) -> tuple[str, ...]:
    """Return the equations of a program, for its listing."""
    return SOURCES[neuron].notes


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
        limit = SOURCES[kind].largest_sum
        if limit is not None and bound > limit:
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
        kind.TYPE: program(kind, narrowest((-bound, bound))) for kind, bound in widest.items()
    }
    return Listing(programs, tuple(_bank(layer.name, layer.neuron) for layer in needing))


def _bank(layer: str, neuron: Neuron) -> Bank:
    source = SOURCES[type(neuron)]
    entries = source.constants | source.registers
    values = {name: entry.values(neuron) for name, entry in entries.items()}
    return Bank(layer, neuron.TYPE, neuron.size, values)
