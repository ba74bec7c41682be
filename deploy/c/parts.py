"""Microcontrollers from ``parts.toml``: memory, and the numbers that estimates are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from ...export.errors import InputError
from ...export.plain import build
from ...export.reading.text import read_toml
from ...export.suggest import check_known
from .cores import CORES, Core

DEFAULT_BOARD = "cortex-m4"


@dataclass(frozen=True)
class Known:
    """A number with its range, its source, and whether we read it there; None: not known."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    source: str = ""
    verified: bool = False

    @property
    def range(self) -> tuple[float, float] | None:
        """The smallest and largest value, None where it is not known."""
        if self.value is None:
            return None
        return (
            self.value if self.low is None else self.low,
            self.value if self.high is None else self.high,
        )


@dataclass(frozen=True)
class Part:
    """A microcontroller: the core by name, clock, memory, and power while it computes."""

    title: str
    core: str
    clock_hz: Known = field(default_factory=Known)
    flash_bytes: Known = field(default_factory=Known)
    ram_bytes: Known = field(default_factory=Known)
    active_w: Known = field(default_factory=Known)


@dataclass(frozen=True)
class Estimate:
    """Time and energy of a step on a part, as (smallest, largest); None where not known."""

    part: str
    title: str
    seconds: tuple[float, float] | None
    joules: tuple[float, float] | None


@cache
def _file() -> Mapping[str, Any]:
    text = resources.files(__name__.rpartition(".")[0]).joinpath("parts.toml").read_text("utf-8")
    return read_toml(text, "parts.toml")


@cache
def parts() -> Mapping[str, Part]:
    """Return the parts by name."""
    return {
        name: build(Part, values, f"parts.toml, {name}", InputError)
        for name, values in _file()["parts"].items()
    }


@cache
def cycles_per_instruction(core: str) -> Known:
    """Return what is assumed of a core."""
    values = _file()["cores"][core]["cycles_per_instruction"]
    return build(Known, values, f"parts.toml, {core}", InputError)


def chosen(board: str | None) -> tuple[Core, str | None]:
    """Return the core of a board's name, and the part where the name is one.

    Raises
    ------
    InputError
        No such core and no such part.
    """
    name = DEFAULT_BOARD if board is None else board
    check_known("board", name, (*CORES, *parts()), "--board")
    part = parts().get(name)
    return (CORES[name], None) if part is None else (CORES[part.core], name)


def estimates(core: str, part: str | None, instructions: float) -> list[Estimate]:
    """Return estimates for a part, or for all parts of a core."""
    names = [part] if part else [name for name, one in parts().items() if one.core == core]
    cycles = cycles_per_instruction(core).range
    return [_estimate(name, parts()[name], cycles, instructions) for name in names]


def _estimate(
    name: str, part: Part, cycles: tuple[float, float] | None, instructions: float
) -> Estimate:
    clock, power = part.clock_hz.value, part.active_w.range
    if clock is None or cycles is None:
        return Estimate(name, part.title, None, None)
    low, high = (instructions * number / clock for number in cycles)
    joules = None if power is None else (low * power[0], high * power[1])
    return Estimate(name, part.title, (low, high), joules)


def check_memory(part: str, flash: int, ram: int) -> None:
    """Raise InputError where a part does not hold a network: all limits at once."""
    found = parts()[part]
    fixes = {
        "flash": "fewer neurons, or weights of 4 bits (srnn-export --weight-bits 4)",
        "RAM": "fewer neurons or shorter delays",
    }
    lines = [
        f"{part}: {need:,} bytes of {what}, limit {int(limit.value):,}"
        f"{'' if limit.verified else ' (not verified)'}: {fixes[what]}"
        for what, need, limit in (
            ("flash", flash, found.flash_bytes),
            ("RAM", ram, found.ram_bytes),
        )
        if limit.value is not None and need > limit.value
    ]
    if lines:
        raise InputError("; ".join(lines))
