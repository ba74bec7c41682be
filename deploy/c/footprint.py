"""What a network takes on a microcontroller: flash, RAM, stack, instructions of a step."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from ...export.console import Output
from ..errors import RunError
from .parts import Estimate, cycles_per_instruction, estimates, parts

_SECTION = re.compile(r"^\.(s?rodata|text|s?data)(?:\.(\S+))?\s+(\d+)\s+\d+", re.MULTILINE)
_FRAME = re.compile(r"^\S+:(\w+)(?:\.\S*)?\t(\d+)\t", re.MULTILINE)
_LAYER = re.compile(r"layer\d+$")
_COUNTED = re.compile(r"^counted (\d+) (\d+) in (\d+) steps, at most (\d+)$", re.MULTILINE)
_STATE = re.compile(r"^state (\d+) bytes$", re.MULTILINE)
_WEIGHTS = ("weights_", "delays_", "convolution_")


@dataclass(frozen=True)
class Footprint:
    """Sizes in bytes, of the printed file alone, and instructions of a step under QEMU.

    ``stack``: an upper bound, the frames of the deepest chain of calls without interrupts and
    functions of the compiler's library. ``machine``: what was emulated.
    """

    core: str
    part: str | None
    machine: str
    compiler: str
    weights: int
    parameters: int
    code: int
    state: int
    stack: int
    steps: int
    instructions_mean: float
    instructions_worst: float

    @property
    def flash(self) -> int:
        """Weights, parameters and code."""
        return self.weights + self.parameters + self.code

    @property
    def ram(self) -> int:
        """State and stack."""
        return self.state + self.stack

    @property
    def estimates(self) -> list[Estimate]:
        """Time and energy of a mean step, estimated."""
        return estimates(self.core, self.part, self.instructions_mean)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for ``--json``."""
        return {
            **asdict(self),
            "flash": self.flash,
            "ram": self.ram,
            "estimates": [asdict(one) for one in self.estimates],
        }


def flash_parts(sizes: str) -> dict[str, int]:
    """Return bytes of weights, parameters and code from the output of ``size -A``."""
    found = {"weights": 0, "parameters": 0, "code": 0}
    for kind, name, size in _SECTION.findall(sizes):
        if kind == "text":
            what = "code"
        else:
            what = "weights" if name.startswith(_WEIGHTS) else "parameters"
        found[what] += int(size)
    return found


def stack_bound(usage: str) -> int:
    """Return the bytes of the deepest chain of calls, from GCC's file of stack usage.

    A step calls one layer or the label, which call functions that call at most one more.
    """
    frames: dict[str, int] = {}
    for name, size in _FRAME.findall(usage):
        frames[name] = max(frames.get(name, 0), int(size))
    step = max((size for name, size in frames.items() if name.endswith("_step")), default=0)
    inner = [size for name, size in frames.items() if _LAYER.match(name) or name == "label"]
    rest = sorted(
        size for name, size in frames.items()
        if not _LAYER.match(name) and not name.startswith("srnn_") and name != "label"
    )  # fmt: skip
    return step + max(inner, default=0) + sum(rest[-2:])


def counted(printed: str) -> tuple[int, int, int, int]:
    """Return the state's bytes, the steps, the counts of all and of the longest step.

    Raises
    ------
    RunError
        The program did not print them.
    """
    state, found = _STATE.search(printed), _COUNTED.search(printed)
    if state is None or found is None:
        raise RunError("mcu: the program printed no counts")
    millions, rest, steps, worst = map(int, found.groups())
    return int(state[1]), steps, millions * 1_000_000 + rest, worst


def print_footprint(found: Footprint, output: Output) -> None:
    """Print sizes, instructions, and estimates with the sources of their numbers."""
    output.table(
        f"{found.core}, {found.compiler}: bytes of the printed file",
        ["weights", "parameters", "code", "flash in all", "state", "stack", "RAM in all"],
        [[found.weights, found.parameters, found.code, found.flash, found.state, found.stack,
          found.ram]],
    )  # fmt: skip
    output.table(
        f"QEMU's count of instructions a step ({found.machine}, {found.steps:,} steps); not cycles",
        ["mean", "worst"],
        [[f"{found.instructions_mean:,.0f}", f"{found.instructions_worst:,.0f}"]],
    )
    output.table(
        "Estimated, not measured: a mean step, while the core computes",
        ["part", "what", "time in us", "energy in uJ"],
        [[one.part, one.title, _range(one.seconds), _range(one.joules)] for one in found.estimates],
    )
    cycles = cycles_per_instruction(found.core)
    output.line(f"cycles an instruction: {cycles.value}, {cycles.source}")
    for one in found.estimates:
        power = parts()[one.part].active_w
        output.line(
            f"{one.part}, power: "
            + (f"{power.value * 1e3:.3g} mW, {power.source}" if power.value else "not known")
        )


def _range(values: tuple[float, float] | None) -> str:
    if values is None:
        return "-"
    low, high = (value * 1e6 for value in values)
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
