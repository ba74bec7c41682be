"""Which neuron models a kind of chip can run: built in, with microcode, or not at all.

All of it follows from what a neuron declares (``neurons/``); the table in docs/BOARDS.md is made
of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ..export.grid import STATE_MAX, STATE_SHIFT
from ..export.network import Neuron
from ..neurons.expression import parts
from ..neurons.neuron import program
from ..neurons.ranges import ranges
from .boards import Chip
from .widths import REGISTER_MAX, narrowest

NATIVE, MICROCODE, IMPOSSIBLE = "native", "needs microcode", "not possible"
OWN = "bias"
"""The parameter that every neuron of a chip has for itself."""


@dataclass(frozen=True)
class NeuronRequirements:
    """What a neuron model requires of a chip.

    ``decays``: the parameters that make up a decay profile, with the code that is stored as 0;
    ``thresholds``: all others that its step reads but the bias, a threshold profile.
    ``state_bits``: width of its states with their sign, for sums of 24 bits in units of a state;
    a state that its step does not limit is cut by the chip.
    """

    decays: Mapping[str, int]
    thresholds: tuple[str, ...]
    state_bits: int


@cache
def requirements(neuron: type[Neuron]) -> NeuronRequirements:
    """Return what a neuron model requires of a chip."""
    step = program(neuron)
    read = {part.name for part in parts(step.results) if part.op == "parameter"}
    used = [entry for entry in neuron.PARAMETERS if entry.name in read]
    found = ranges(step, STATE_MAX >> STATE_SHIFT, REGISTER_MAX)
    limited = [span for name, span in found.states.items() if name not in found.watched]
    return NeuronRequirements(
        {entry.name: entry.first for entry in used if entry.first is not None},
        tuple(entry.name for entry in used if entry.first is None and entry.name != OWN),
        max((narrowest(span).bits for span in limited), default=1),
    )


@dataclass(frozen=True)
class Support:
    """How a chip runs a neuron type: one of ``NATIVE``, ``MICROCODE``, ``IMPOSSIBLE``, and why."""

    kind: str
    reason: str


def support(chip: Chip, neuron: type[Neuron]) -> Support:
    """Say how a chip runs a neuron type."""
    if neuron.TYPE in chip.native_neurons:
        return Support(NATIVE, f"{chip.title} has this neuron")
    if neuron.NATIVE_AS is not None and neuron.NATIVE_AS[0] in chip.native_neurons:
        return Support(NATIVE, neuron.NATIVE_AS[1])
    lacks = f"needs {neuron.NEEDS}"
    if chip.microcode:
        return Support(MICROCODE, f"{lacks}; stock tools have no such program")
    fixed = ", ".join(chip.native_neurons) or "no neuron of ours"
    return Support(IMPOSSIBLE, f"{lacks}; {chip.title} runs {fixed} alone")
