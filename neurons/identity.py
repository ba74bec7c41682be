"""What a file keeps of a neuron that is not built in: a digest of its step, and its origin."""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .expression import LEAVES, Expression, parts
from .gradient import Node, float_program
from .neuron import Neuron, program
from .real import FloatNeuron

if TYPE_CHECKING:
    from importlib.metadata import Distribution

DISTRIBUTIONS: dict[type, str] = {}
"""Neurons of installed distributions, by the distribution's name and version."""


@cache
def step_digest(record: type[Neuron]) -> str:
    """Return the SHA-256 of what a neuron computes, in hexadecimal (docs/FORMAT.md).

    It covers the parameters with their ranges, the states and the expressions of the step, not how
    the file that defines them is written.

    Raises
    ------
    InputError
        As ``neuron.program``.
    """
    step = program(record)
    numbers: dict[Expression, int] = {}

    def word(value: Any) -> str:
        return f"#{numbers[value]}" if isinstance(value, Expression) else str(value)

    lines = [f"parameter {p.name} {p.key} {p.low} {p.high}" for p in record.PARAMETERS]
    for number, part in enumerate(parts(step.results)):
        numbers[part] = number
        words = part.args if part.op in LEAVES else map(word, part.args)
        lines.append(" ".join((f"#{number}", part.op, *words)))
    lines += [f"state {name} {word(value)}" for name, value in step.states.items()]
    if step.spiked is not None:
        lines.append(f"spiked {word(step.spiked)}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def float_digest(neuron: type[FloatNeuron]) -> str:
    """Return the SHA-256 of what a neuron of real numbers computes, in hexadecimal.

    It covers the parameters with their ranges, the coefficients' names, the step, and the digest of
    the record that it becomes.

    Raises
    ------
    InputError
        As ``gradient.float_program`` and ``neuron.program``.
    """
    step = float_program(neuron)
    numbers: dict[Node, int] = {}

    def word(value: Any) -> str:
        return f"#{numbers[value]}" if isinstance(value, Node) else repr(value)

    lines = [f"parameter {p.name} {p.kind} {p.low} {p.high}" for p in neuron.PARAMETERS]
    lines.append(f"coefficients {' '.join(step.coefficients)}")
    for number, part in enumerate(parts(step.states.values())):
        numbers[part] = number
        lines.append(" ".join((f"#{number}", part.op, *map(word, part.args))))
    lines += [f"state {name} {word(value)}" for name, value in step.states.items()]
    if neuron.RECORD is not None:
        lines.append(f"record {neuron.RECORD.TYPE} {step_digest(neuron.RECORD)}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def origin(record: type) -> dict[str, str]:
    """Return where a neuron came from: ``file``, its name without a folder, or ``distribution``.

    Empty where a class has neither, as in a notebook.
    """
    if record in DISTRIBUTIONS:
        return {"distribution": DISTRIBUTIONS[record]}
    file = getattr(sys.modules.get(record.__module__), "__file__", None)
    return {} if file is None else {"file": Path(file).name}


def named(distribution: Distribution | None) -> str:
    """Return a distribution's name and version."""
    return "unknown" if distribution is None else f"{distribution.name} {distribution.version}"
