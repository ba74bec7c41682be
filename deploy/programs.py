"""Which neuron models a kind of chip can run: built in, with microcode, or not at all.

A neuron type of ``export/network.py`` has one entry here; the table in docs/BOARDS.md is made of
them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..export.network import (
    AdaptiveLIF,
    CubaLIF,
    LeakyIntegrator,
    Neuron,
    ThresholdRefractoryLIF,
)
from .boards import Chip

NATIVE, MICROCODE, IMPOSSIBLE = "native", "needs microcode", "not possible"


@dataclass(frozen=True)
class NeuronRequirements:
    """What a neuron model requires of a chip.

    ``native_as``: the neuron type of the chip that computes the same, and ``how``. ``lacks``: why a
    chip with other fixed neurons cannot. ``decays`` and ``thresholds``: the parameters that make up
    a decay profile and a threshold profile. ``counted_from_one``: decays that a chip stores minus
    1. ``state_bits``: width of its states with their sign.
    """

    native_as: str
    how: str
    lacks: str
    decays: tuple[str, ...]
    thresholds: tuple[str, ...]
    counted_from_one: tuple[str, ...] = ()
    state_bits: int = 24


REQUIREMENTS: dict[type[Neuron], NeuronRequirements] = {
    CubaLIF: NeuronRequirements(
        native_as="CUBA",
        how="",
        lacks="needs a current and a voltage with hard reset",
        decays=("i_decay", "v_decay"),
        thresholds=("v_threshold",),
        counted_from_one=("i_decay",),
    ),
    AdaptiveLIF: NeuronRequirements(
        native_as="SRNN_ALIF",
        how="",
        lacks="needs an adaptive threshold and a soft reset",
        decays=("v_decay", "b_decay"),
        thresholds=("v_threshold", "b_step", "b_exp"),
        counted_from_one=("v_decay", "b_decay"),
    ),
    LeakyIntegrator: NeuronRequirements(
        native_as="CUBA",
        how="a CUBA neuron whose current decays at once and whose threshold is out of reach, equal "
        "while its synaptic sum stays within 24 bits",
        lacks="needs a voltage that is never reset",
        decays=("v_decay",),
        thresholds=(),
    ),
    ThresholdRefractoryLIF: NeuronRequirements(
        native_as="ATRLIF",
        how="",
        lacks="needs a threshold and a refractory variable that jump at a spike",
        decays=("i_decay", "v_decay", "th_decay", "r_decay"),
        thresholds=("th_init", "th_step"),
        counted_from_one=("i_decay",),
    ),
}
"""Neuron record to its requirements; th and r of ATRLIF are unlimited in Lava, a chip cuts them."""


@dataclass(frozen=True)
class Support:
    """How a chip runs a neuron type: one of ``NATIVE``, ``MICROCODE``, ``IMPOSSIBLE``, and why."""

    kind: str
    reason: str


def support(chip: Chip, neuron: type[Neuron]) -> Support:
    """Say how a chip runs a neuron type."""
    needs = REQUIREMENTS[neuron]
    if needs.native_as in chip.native_neurons:
        return Support(NATIVE, needs.how or f"{chip.title} has this neuron")
    if chip.microcode:
        return Support(MICROCODE, f"{needs.lacks}; stock tools have no such program")
    fixed = ", ".join(chip.native_neurons) or "no neuron of ours"
    return Support(IMPOSSIBLE, f"{needs.lacks}; {chip.title} runs {fixed} alone")
